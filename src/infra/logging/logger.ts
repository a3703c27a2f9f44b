// Creates the logger of the process: one JSON line per event, to stdout and, when configured, to rotating files.
import { type ChildLoggerOptions, type Logger, type LoggerOptions as PinoOptions, pino } from 'pino';
import { currentRequest } from '../telemetry/request-context.js';
import { registerSink, sinkOf } from './access-log.js';
import { escapeUnsafe, redactLooks, redactSecrets } from './redaction.js';
import { both, type FileRotation, fileSink, mainSink, prettySink, serviceName, unfailing } from './sinks.js';

export type { Logger };

/** Options of the logger. */
export interface LoggerOptions extends FileRotation {
  /** Least important level that is logged, or `silent`. */
  level: string;
  environment: 'development' | 'test' | 'production';
  /** Absolute path of a log file; date and number are added to its name: api.log becomes api.2026-01-31.1.log. */
  file?: string | undefined;
  /** Takes the lines in place of stdout; for tests. */
  destination?: NodeJS.WritableStream | undefined;
  /** Whether a person reads the lines on a terminal; by default, whether stdout is one. */
  isTerminal?: boolean | undefined;
}

/**
 * Creates the logger of the process. Lines carry level (as a word), time (ISO 8601, UTC, milliseconds), service and,
 * within a request, correlationId, userId and sessionId. Secrets are redacted; errors get their stack and causes.
 * In development a terminal gets readable text instead of JSON.
 *
 * @returns the logger; pass it to {@link closeLogger} at the end
 * @throws Error when the folder of the log file cannot be created or written
 */
export function createLogger(options: LoggerOptions): Logger {
  const { environment, destination, isTerminal = process.stdout.isTTY === true } = options;
  const isPretty = environment === 'development' && isTerminal;
  const main = isPretty ? prettySink(destination) : mainSink(destination);
  const sink = unfailing(
    options.file === undefined ? main : both(main, fileSink(options, options.file, main)),
  );
  const logger = pino(pinoOptions(options.level), sink);
  registerSink(logger, sink);
  redactBindings(logger);
  return logger;
}

/** Writes out held lines and closes the log file, within 5 seconds. Lines logged later still reach stdout. */
export async function closeLogger(logger: Logger): Promise<void> {
  await sinkOf(logger)?.close();
}

function pinoOptions(level: string): PinoOptions {
  return {
    level,
    base: { service: serviceName },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: requestFields,
    formatters: {
      level: (label) => ({ level: label }),
      log: redactObject,
    },
    // redactObject has turned errors into plain objects already.
    serializers: { err: (error: unknown) => error },
    hooks: { streamWrite: (line) => redactLooks(escapeUnsafe(line)) },
  };
}

type CreateChild = (this: unknown, bindings: pino.Bindings, options?: ChildLoggerOptions) => Logger;
const unredactedChild = new WeakMap<Logger, CreateChild>();

/**
 * A logger of the same sink whose children do not have their bindings redacted, for pino-http: it binds the whole request,
 * which its serializer drops, and redacting a request first costs more than the line. Lines are redacted as usual.
 */
export function bindingUnredacted(logger: Logger): Logger {
  const child = unredactedChild.get(logger);
  return child === undefined ? logger : Object.create(logger, { child: { value: child } });
}

/** Redacts the bindings of child loggers, which pino's formatters leave alone. Children inherit the method. */
function redactBindings(logger: Logger): void {
  const own = logger.child;
  const createChild: CreateChild = function child(bindings, options) {
    return Reflect.apply(own, this, [bindings, options]);
  };
  unredactedChild.set(logger, createChild);
  const child: CreateChild = function child(bindings, options) {
    return createChild.call(this, redactObject(bindings), options);
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
