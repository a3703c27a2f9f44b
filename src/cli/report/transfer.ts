// Shows the progress of sending and reading a report: a bar with rates on a terminal, nothing elsewhere.
import { plain } from '../output.js';
import type { Output } from '../surroundings.js';

/** Progress of one import. */
export interface Transfer {
  /** @param size of the file; undefined for a pipe */
  sent: (bytes: number, size: number | undefined) => void;
  read: (results: number) => void;
  end: () => void;
}

const barWidth = 30;
const everyMs = 100;

/** Creates the progress of a report. */
export function createTransfer(output: Output, name: string): Transfer {
  const startedAt = performance.now();
  let shownAt = 0;
  let isShown = false;
  const rate = (amount: number) => amount / Math.max(0.001, (performance.now() - startedAt) / 1000);
  const show = (bar: string, text: string) => {
    const now = performance.now();
    if (!output.isTTY || now - shownAt < everyMs) return;
    shownAt = now;
    isShown = true;
    output.write(`\r\u001b[K${`${bar} ${plain(name, 30)}  ${text}`.slice(0, (output.columns ?? 80) - 1)}`);
  };
  return {
    sent(bytes, size) {
      const share = size === undefined || size === 0 ? 0 : Math.min(1, bytes / size);
      const filled = Math.round(share * barWidth);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
      show(bar, `${(bytes / 1e6).toFixed(1)} MB sent, ${(rate(bytes) / 1e6).toFixed(1)} MB/s`);
    },
    read: (results) => show('█'.repeat(barWidth), `${results} results read, ${Math.round(rate(results))}/s`),
    end() {
      if (isShown) output.write('\r\u001b[K');
    },
  };
}
