// Makes the logger: one JSON line each, to stdout and, when asked, to rotating files; what is logged is up to callers.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import {
  type ChildLoggerOptions,
  type DestinationStream,
  type Logger,
  type LoggerOptions as PinoOptions,
  pino,
} from 'pino';
import type { prettyFactory } from 'pino-pretty';
import { currentRequest } from '../telemetry/request-context.js';
import { escapeForTerminal, escapeUnsafe, mayHoldSecret, redactLooks, redactSecrets } from './redaction.js';

export type { Logger };

/** How to log. */
export type LoggerOptions = {
  /** Least important level that is logged, or `silent`. */
  level: string;
  environment: 'development' | 'test' | 'production';
  /** Absolute path of a log file; date and number are put into its name: api.log becomes api.2026-01-31.1.log. */
  file?: string | undefined;
  /** Number of files kept, the one being written included. */
  keep: number;
  /** Size at which the next file is begun, in MB. */
  maxSizeMb: number;
  /** Takes the lines in place of stdout; for tests. */
  destination?: NodeJS.WritableStream | undefined;
  /** Whether a person is looking at a terminal; by default, whether stdout is one. */
  isTerminal?: boolean | undefined;
};

type Sink = DestinationStream & { flushSync(): void; close(): Promise<void> };

const sinks = new WeakMap<Logger, Sink>();
const closeTimeoutMs = 5_000;
/** What is held back at most while stdout takes nothing; lines beyond are lost. */
const heldBytesMax = 8_000_000;
/** How much of the log is held back at most, and how long: a write for each line costs more than making the line. */
const heldBytes = 32_768;
const heldMs = 50;

/**
 * Makes the logger of the process. Lines carry level (as a word), time (ISO 8601, UTC, milliseconds), service and,
 * within a request, correlationId, userId and sessionId. Secrets are redacted and errors get their stack and causes.
 * In development a terminal gets readable text instead of JSON.
 *
 * @returns the logger; give it to {@link closeLogger} at the end
 * @throws Error when the folder of the log file cannot be made or written
 */
export function createLogger(options: LoggerOptions): Logger {
  const { environment, destination, isTerminal = process.stdout.isTTY === true } = options;
  const isPretty = environment === 'development' && isTerminal;
  const main = isPretty ? prettySink(destination) : mainSink(destination);
  const sink = unfailing(
    options.file === undefined ? main : both(main, fileSink(options, options.file, main)),
  );
  const logger = pino(pinoOptions(options.level), sink);
  sinks.set(logger, sink);
  redactBindings(logger);
  return logger;
}

/**
 * Writes out what is still held back and closes the log file, waiting at most 5 seconds. Lines logged later still
 * reach stdout.
 */
export async function closeLogger(logger: Logger): Promise<void> {
  await sinks.get(logger)?.close();
}

/**
 * Writes a line of a kind that comes with every request, in the form of all others, at a fraction of the time. It asks
 * for no names of secrets: `fields` must be plain values under names that the program chose.
 */
export function logPlainLine(
  logger: Logger,
  level: 'debug' | 'info',
  fields: Record<string, string | number | null | undefined>,
  msg: string,
): void {
  const sink = sinks.get(logger);
  if (sink === undefined) {
    logger[level](fields, msg);
    return;
  }
  if (!logger.isLevelEnabled(level)) return;
  let texts = msg;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === 'string') texts += value;
  }
  // What needs no escaping and hides no secret when all is put together needs neither on its own.
  const isPlain = /^[ !#-[\]-~]*$/.test(texts) && !mayHoldSecret(texts);
  const quote = isPlain ? inQuotes : quoteSafely;
  let line = `{"level":"${level}","time":"${isoNow()}","service":"${service}"`;
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    line += `,"${name}":${typeof value === 'string' ? quote(value) : value}`;
  }
  line += `,"msg":${quote(msg)}}\n`;
  sink.write(isPlain ? line : redactLooks(line));
}

const service = 'sec-tester-api';

const inQuotes = (text: string) => `"${text}"`;
/** With what a terminal would obey escaped. */
const quoteSafely = (text: string) => escapeUnsafe(JSON.stringify(text));

let second = { ms: Number.NaN, text: '' };

/** Now, in ISO 8601; the part before the milliseconds is made once a second. */
function isoNow(): string {
  const now = Date.now();
  const ms = now - (now % 1000);
  if (ms !== second.ms) second = { ms, text: new Date(ms).toISOString().slice(0, 20) };
  return `${second.text}${String(now - ms).padStart(3, '0')}Z`;
}

const asLine = (line: string) => redactLooks(escapeUnsafe(line));

function pinoOptions(level: string): PinoOptions {
  return {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: requestFields,
    formatters: {
      level: (label) => ({ level: label }),
      log: redactObject,
    },
    // redactObject has made plain objects of errors already.
    serializers: { err: (error: unknown) => error },
    hooks: { streamWrite: asLine },
  };
}

/** A line that cannot be written is lost; what it tells of goes on. */
function unfailing(sink: Sink): Sink {
  return {
    ...sink,
    write(line) {
      try {
        sink.write(line);
      } catch {
        // There is nowhere to tell it.
      }
    },
  };
}

type Child = (this: unknown, bindings: pino.Bindings, options?: ChildLoggerOptions) => Logger;
const unredactedChild = new WeakMap<Logger, Child>();

/**
 * A logger of the same sink whose children do not have their bindings redacted, for pino-http: it binds the whole request,
 * which its serializer drops, and redacting a request first costs more than the line. Lines are redacted as ever.
 */
export function bindingUnredacted(logger: Logger): Logger {
  const child = unredactedChild.get(logger);
  return child === undefined ? logger : Object.create(logger, { child: { value: child } });
}

/** pino formats what a line is given but not what a child logger is bound to. Children inherit the method. */
function redactBindings(logger: Logger): void {
  const makeChild = logger.child as unknown as Child;
  unredactedChild.set(logger, makeChild);
  const child: Child = function child(bindings, options) {
    return makeChild.call(this, redactObject(bindings), options);
  };
  Object.assign(logger, { child });
}

function requestFields(): object {
  const request = currentRequest();
  if (!request) return {};
  const { correlationId, userId, sessionId } = request;
  return { correlationId, userId, sessionId };
}

function redactObject(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return redactSecrets(fields) as Record<string, unknown>;
  } catch {
    return { unreadable: true };
  }
}

function mainSink(destination: NodeJS.WritableStream | undefined): Sink {
  return destination ? streamSink(destination) : stdoutSink();
}

/**
 * Writes without blocking, many lines at a time; what is left when the process ends is written then. A full disk costs
 * lines, no more.
 */
function stdoutSink(): Sink {
  const stdout = pino.destination({
    ...{ fd: 1, sync: false, minLength: 1, maxLength: heldBytesMax },
  });
  /** Lines that are gathered here: the stream below measures all that it holds with each piece it is given. */
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
  // pino calls it as the process ends; where nothing can be written it would try forever.
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

/** Waits for an event, at most closeTimeoutMs; the timer also keeps the process alive, which a worker does not. */
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

function prettySink(destination: NodeJS.WritableStream | undefined): Sink {
  // Loaded only where it is used: production never needs it.
  const pretty = createRequire(import.meta.url)('pino-pretty') as { prettyFactory: typeof prettyFactory };
  const format = pretty.prettyFactory({
    colorize: !destination,
    ignore: 'service',
    translateTime: 'HH:MM:ss.l',
  });
  const out = mainSink(destination);
  return { ...out, write: (line) => out.write(format(escapeForTerminal(line))) };
}

/** Files are written by a worker thread. A full disk or a lost folder ends the file, never the process. */
function fileSink({ keep, maxSizeMb }: LoggerOptions, file: string, fallback: Sink): Sink {
  mustBeWritable(dirname(file));
  const limit = { count: keep, removeOtherLogFiles: true };
  const rotation = { frequency: 'daily', dateFormat: 'yyyy-MM-dd', size: `${maxSizeMb}m`, limit };
  // Synchronous within the worker: pino-roll counts the files it keeps right only when the new one exists already.
  const stream = pino.transport({ target: 'pino-roll', options: { file, ...rotation, sync: true } });
  let isOpen = true;
  stream.on('error', (error: Error) => {
    isOpen = false;
    const line = {
      level: 'error',
      time: new Date().toISOString(),
      service,
      event: 'log_file_lost',
      msg: 'log file given up',
      file,
      reason: error.message,
    };
    fallback.write(`${escapeUnsafe(JSON.stringify(line))}\n`);
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

function mustBeWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new Error(`LOG_FILE: ${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

function both(first: Sink, second: Sink): Sink {
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
