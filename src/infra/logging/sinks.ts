// Where log lines go: stdout, a readable terminal, rotating files. Each sink takes finished lines; logger.ts makes them.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import type { prettyFactory } from 'pino-pretty';
import { escapeForTerminal, escapeUnsafe } from './redaction.js';

/** Takes lines, each with its line break. */
export type Sink = DestinationStream & {
  /** Writes out held lines at once, as the process ends. */
  flushSync(): void;
  /** Writes out held lines, within 5 seconds. */
  close(): Promise<void>;
};

/** The name of this program in every line. */
export const serviceName = 'sec-tester-api';

const closeTimeoutMs = 5_000;
/** Bytes that are held at most while stdout accepts nothing; further lines are lost. */
const maxStuckBytes = 8_000_000;
/** Lines are gathered up to this size and age, because one write for each costs more than making it. */
const heldBytes = 32_768;
const heldMs = 50;

/** The sink of JSON lines: a stream that a test gives, else stdout. */
export function mainSink(destination: NodeJS.WritableStream | undefined): Sink {
  return destination ? streamSink(destination) : stdoutSink();
}

/**
 * Writes without blocking, many lines at a time; held lines are written when the process ends. A full disk costs lines,
 * nothing else.
 */
function stdoutSink(): Sink {
  const stdout = pino.destination({ fd: 1, sync: false, minLength: 1, maxLength: maxStuckBytes });
  // Gathered here, because pino's stream measures everything it holds with each piece that it gets.
  let held = '';
  let timer: NodeJS.Timeout | undefined;
  const pass = () => {
    clearTimeout(timer);
    timer = undefined;
    const lines = held;
    held = '';
    if (lines !== '') stdout.write(lines);
  };
  let isStuck = false;
  stdout.on('error', () => {
    isStuck = true;
  });
  stdout.on('write', () => {
    isStuck = false;
  });
  // pino flushes as the process ends, and would try forever where nothing can be written.
  const flushSync = stdout.flushSync.bind(stdout);
  stdout.flushSync = () => {
    pass();
    if (!isStuck) flushSync();
  };
  return {
    write(line) {
      held += line;
      if (held.length >= heldBytes) pass();
      else timer ??= setTimeout(pass, heldMs).unref();
    },
    flushSync: () => stdout.flushSync(),
    close: () => {
      pass();
      return settled((done) => stdout.flush(() => done()));
    },
  };
}

/** Waits for an event for 5 seconds at most. The timer keeps the process alive, which a worker does not. */
function settled(listen: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, closeTimeoutMs);
    listen(() => resolve(clearTimeout(timer)));
  });
}

function streamSink(stream: NodeJS.WritableStream): Sink {
  return {
    write: (line) => void stream.write(line),
    flushSync: () => {},
    close: () => new Promise((resolve) => stream.write('', () => resolve())),
  };
}

/** Readable text for a terminal in place of JSON. */
export function prettySink(destination: NodeJS.WritableStream | undefined): Sink {
  // Loaded here, because production never needs it.
  const pretty = createRequire(import.meta.url)('pino-pretty') as { prettyFactory: typeof prettyFactory };
  const format = pretty.prettyFactory({
    colorize: !destination,
    ignore: 'service',
    translateTime: 'HH:MM:ss.l',
  });
  const out = mainSink(destination);
  return { ...out, write: (line) => out.write(format(escapeForTerminal(line))) };
}

/** Which log files are kept. */
export interface FileRotation {
  /** Number of files, including the one being written. */
  keep: number;
  /** Size at which the next file begins, in MB. */
  maxSizeMb: number;
}

/**
 * Files written by a worker thread. A full disk or a removed folder ends the file, never the process.
 * @param file absolute path; date and number are added to its name
 * @param fallback gets the line that says that the file was given up
 * @throws Error when the folder cannot be created or written
 */
export function fileSink({ keep, maxSizeMb }: FileRotation, file: string, fallback: Sink): Sink {
  assertWritable(dirname(file));
  const options = {
    file,
    frequency: 'daily',
    dateFormat: 'yyyy-MM-dd',
    size: `${maxSizeMb}m`,
    limit: { count: keep, removeOtherLogFiles: true },
    sync: true, // within the worker: pino-roll counts the files it keeps correctly only when the new one exists
  };
  const stream = pino.transport({ target: 'pino-roll', options });
  let isOpen = true;
  stream.on('error', (error: Error) => {
    isOpen = false;
    fallback.write(lostFileLine(file, error.message));
  });
  return {
    write: (line) => void (isOpen && stream.write(line)),
    flushSync: () => void (isOpen && stream.flushSync()),
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await settled((done) => {
        stream.once('close', done);
        stream.end();
      });
    },
  };
}

function lostFileLine(file: string, reason: string): string {
  const line = {
    level: 'error',
    time: new Date().toISOString(),
    service: serviceName,
    event: 'log_file_lost',
    msg: 'log file given up',
    file,
    reason,
  };
  return `${escapeUnsafe(JSON.stringify(line))}\n`;
}

function assertWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new Error(`LOG_FILE: ${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/** One sink that passes every line to two. */
export function both(first: Sink, second: Sink): Sink {
  return {
    write: (line) => {
      first.write(line);
      second.write(line);
    },
    flushSync: () => {
      first.flushSync();
      second.flushSync();
    },
    close: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

/** A sink that loses lines which cannot be written, so that the work they report goes on. */
export function unfailing(sink: Sink): Sink {
  return {
    ...sink,
    write(line) {
      try {
        sink.write(line);
      } catch {
        // Nowhere is left to report it.
      }
    },
  };
}
