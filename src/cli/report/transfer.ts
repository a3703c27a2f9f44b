// Shows the progress of sending and reading a report: a bar with rates on a terminal, nothing elsewhere.
import { plain } from '../output.js';
import type { Output } from '../surroundings.js';

/** Progress of one import. */
export interface Transfer {
  /** @param size of the file; undefined for a pipe */
  sent: (bytes: number, size: number | undefined) => void;
  /** @param phase what the server does at the moment, in its words */
  read: (results: number, phase: string | null) => void;
  end: () => void;
}

const barWidth = 24;
const blockWidth = 6;
const everyMs = 100;
/** Time without another result after which the rate of reading says nothing any more. */
const stillMs = 1500;

/** Creates the progress of a report. */
export function createTransfer(output: Output, name: string): Transfer {
  const startedAt = performance.now();
  let shownAt = 0;
  let isShown = false;
  let readingSince: number | undefined;
  const seen = { results: 0, at: 0 };
  const show = (bar: string, text: string) => {
    const now = performance.now();
    if (!output.isTTY || now - shownAt < everyMs) return;
    shownAt = now;
    isShown = true;
    output.write(`\r\u001b[K${`${bar} ${ending(name)}  ${text}`.slice(0, (output.columns ?? 80) - 1)}`);
  };
  return {
    sent(bytes, size) {
      const rate = `${megabytes(bytes / secondsBetween(startedAt, performance.now()))}/s`;
      if (size === undefined) show(movingBar(startedAt), `${megabytes(bytes)} sent, ${rate}`);
      else show(fullBar(bytes / Math.max(1, size)), `${megabytes(bytes)} of ${megabytes(size)}, ${rate}`);
    },
    // How many results a report holds is known at its end, so the bar only shows that work goes on.
    read(results, phase) {
      const now = performance.now();
      readingSince ??= now;
      if (results !== seen.results) Object.assign(seen, { results, at: now });
      const isGrowing = results > 0 && now - seen.at < stillMs;
      const rate = isGrowing
        ? `${Math.round(results / secondsBetween(readingSince, seen.at))} results/s`
        : `${Math.round((now - startedAt) / 1000)} s`;
      show(movingBar(startedAt), `${plain(phase ?? 'Waiting for the server', 60)}, ${rate}`);
    },
    end() {
      if (isShown) output.write('\r\u001b[K');
    },
  };
}

function fullBar(share: number): string {
  const filled = Math.round(Math.min(1, share) * barWidth);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
}

/** A block that wanders from left to right. */
function movingBar(startedAt: number): string {
  const step = Math.floor((performance.now() - startedAt) / 300) % (barWidth - blockWidth + 1);
  return `${'░'.repeat(step)}${'█'.repeat(blockWidth)}${'░'.repeat(barWidth - blockWidth - step)}`;
}

function ending(name: string): string {
  const text = plain(name);
  return text.length > 24 ? `…${text.slice(-23)}` : text;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function secondsBetween(from: number, to: number): number {
  return Math.max(0.001, (to - from) / 1000);
}
