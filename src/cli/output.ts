// Prints tables, JSON, a progress bar and failures, safely for terminals. It decides nothing.
import { createRequire } from 'node:module';
import { stripVTControlCharacters, styleText } from 'node:util';
import type TableClass from 'cli-table3';
import { exitCodes, type Failure } from './failure.js';
import type { ExecutionEvent, SeverityCounts } from './queries.js';
import type { Output, Surroundings } from './surroundings.js';

const require = createRequire(import.meta.url);

type Style = 'red' | 'yellow' | 'green' | 'cyan' | 'dim' | 'bold';

const severityStyles: Record<string, Style[]> = {
  CRITICAL: ['red', 'bold'],
  HIGH: ['red'],
  MEDIUM: ['yellow'],
  LOW: ['cyan'],
  INFO: ['dim'],
};
const barWidth = 30;
/** Percent between two lines of progress where there is no terminal. */
const lineStep = 10;

/** Text of a table, or text that is styled already. */
export type Cell = string | { styled: string };

/** Where a printer writes, and how. Texts may come from a server: none of them moves a cursor or reorders a line. */
export interface Printer {
  isJson: boolean;
  /** To stdout: what was asked for. */
  print(text: string): void;
  json(value: unknown): void;
  /** To stderr: what people should know beside it. */
  note(text: string): void;
  /** A line of JSON in any case, for streams of values. */
  jsonLine(value: unknown): void;
  /** Cells may have any text: what a terminal would obey is taken out. */
  table(head: string[], rows: Cell[][]): void;
  severity(name: string): Cell;
  progress(): { show(event: ExecutionEvent): void; note(text: string): void; end(): void };
  fault(error: Failure): void;
}

/**
 * Creates a printer.
 * @param isJson whether failures and values are printed as JSON, and tables not at all
 */
export function createPrinter({ stdout, stderr, env }: Surroundings, isJson: boolean): Printer {
  const write = (text: string) => void stdout.write(`${text}\n`);
  const print = (text: string) => write(harmless(text));
  const note = (text: string) => void stderr.write(`${harmless(text)}\n`);
  const style = (output: Output, styles: Style[], text: string) =>
    output.isTTY && !env.NO_COLOR && env.TERM !== 'dumb'
      ? styleText(styles, text, { validateStream: false })
      : text;
  return {
    isJson,
    print,
    note,
    json: (value) => write(toJson(value, stdout.isTTY ? 2 : undefined)),
    jsonLine: (value) => write(toJson(value)),
    severity: (name) => ({ styled: style(stdout, severityStyles[name] ?? [], plain(name)) }),

    table(head, rows) {
      if (rows.length === 0) return;
      // Loaded here, as most commands print no table and the client starts sooner without it.
      const Table = require('cli-table3') as typeof TableClass;
      const table = new Table({
        head: head.map((text) => style(stdout, ['bold'], text)),
        style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
        chars: borderless,
      });
      table.push(
        ...rows.map((row) => row.map((cell) => (typeof cell === 'string' ? plain(cell) : cell.styled))),
      );
      write(table.toString().replace(/ +$/gm, ''));
    },

    progress: () => createProgress(stderr),

    fault(error) {
      const { code, correlationId, fields, retryAfterSeconds } = error;
      if (isJson) {
        const details = { code, message: error.message, fields, correlationId, retryAfterSeconds };
        return void stderr.write(`${toJson({ error: details })}\n`);
      }
      const isUsage = error.exitCode === exitCodes.usage;
      const lines = [
        `${style(stderr, ['red'], 'Error:')} ${plain(error.message)}${code === undefined || isUsage ? '' : ` (${plain(code)})`}`,
        ...(fields ?? []).flatMap(({ path, message }) =>
          path === '' ? [] : [`  ${plain(path)}: ${plain(message)}`],
        ),
        ...(code !== undefined && hints[code] ? [`  ${hints[code]}`] : []),
        ...(retryAfterSeconds === undefined ? [] : [`  Try again in ${Number(retryAfterSeconds)} s.`]),
        ...(correlationId === undefined
          ? []
          : [`  Correlation id, as in the server's log: ${plain(correlationId)}`]),
      ];
      stderr.write(`${lines.join('\n')}\n`);
    },
  };
}

const hints: Record<string, string> = {
  TOKEN_REVOKED: 'The session was ended: sec-tester login',
  REAUTHENTICATION_REQUIRED: 'Sign in again, then repeat the command: sec-tester login',
  TIMEOUT: 'It goes on without this client: sec-tester watch follows it again.',
};

const borderless = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
);

/** JSON that moves no cursor and reorders no text: JSON.stringify leaves C1 and format characters as they are. */
function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** The same lines, without what a terminal would obey. */
function harmless(text: string): string {
  return text
    .split('\n')
    .map((line) => stripVTControlCharacters(line).replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' '))
    .join('\n');
}

/** Text from scanners and servers on one line, without what a terminal would obey. */
export function plain(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const line = stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** Where a result or finding is: src/db.ts:12, or the URL, or the component. */
export function placeOf({ location }: { location: Record<string, string | number | null> | null }): string {
  const { path, startLine, url, component, host, parameter } = location ?? {};
  const place = path ?? url ?? component ?? host ?? '';
  return `${place}${path && startLine ? `:${startLine}` : ''}${parameter ? ` (${parameter})` : ''}`;
}

/** For example "1 result". */
export function inWords(results: number): string {
  return `${results} ${results === 1 ? 'result' : 'results'}`;
}

/** For example "3 critical, 1 high, 0 medium, 2 low, 5 info". */
export function countsInWords({ critical, high, medium, low, info }: SeverityCounts): string {
  return Object.entries({ critical, high, medium, low, info })
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

/** A bar on a terminal, lines elsewhere. */
function createProgress(output: Output): ReturnType<Printer['progress']> {
  const clear = '\r\u001b[K';
  let isBarShown = false;
  let shown = 0;
  const end = () => {
    if (isBarShown) output.write('\n');
    isBarShown = false;
  };
  return {
    end,
    note(text) {
      end();
      output.write(`${harmless(text)}\n`);
    },
    show({ type, execution: { progress, phase, severityCounts } }) {
      const place = `${String(progress).padStart(3)} %  ${plain(type)}  ${inWords(severityCounts.total)}  ${plain(phase ?? '', 60)}`;
      if (output.isTTY) {
        const filled = Math.round((progress / 100) * barWidth);
        const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
        output.write(clear + `${bar} ${place}`.slice(0, (output.columns ?? 80) - 1).trimEnd());
        isBarShown = true;
      } else if (type !== 'PROGRESS' || progress >= shown + lineStep) {
        shown = progress;
        output.write(`${place.trimEnd()}\n`);
      }
    },
  };
}
