// Writes the lines that every request produces, in the form of all other lines, at a fraction of the time.
import type { Logger } from 'pino';
import { escapeUnsafe, mayHoldSecret, redactLooks } from './redaction.js';
import { type Sink, serviceName } from './sinks.js';

const sinks = new WeakMap<Logger, Sink>();

/** Notes where the lines of a logger go, so that {@link logPlainLine} can write them there. */
export function registerSink(logger: Logger, sink: Sink): void {
  sinks.set(logger, sink);
}

/** Where the lines of a logger go; undefined for a child logger. */
export function sinkOf(logger: Logger): Sink | undefined {
  return sinks.get(logger);
}

/**
 * Writes a line without pino. Texts are redacted by their look, but fields are not redacted by their name.
 * @param fields plain values under names that the program chose
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
  // If all texts together need no escaping and hold no secret, neither does any one of them.
  const isPlain = /^[ !#-[\]-~]*$/.test(texts) && !mayHoldSecret(texts);
  const quote = isPlain ? inQuotes : quoteSafely;
  let line = `{"level":"${level}","time":"${isoNow()}","service":"${serviceName}"`;
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    line += `,"${name}":${typeof value === 'string' ? quote(value) : value}`;
  }
  line += `,"msg":${quote(msg)}}\n`;
  sink.write(isPlain ? line : redactLooks(line));
}

const inQuotes = (text: string) => `"${text}"`;
/** Also escapes characters that a terminal obeys. */
const quoteSafely = (text: string) => escapeUnsafe(JSON.stringify(text));

let second = { ms: Number.NaN, text: '' };

/** The present time in ISO 8601. The part before the milliseconds is formatted once a second. */
function isoNow(): string {
  const now = Date.now();
  const ms = now - (now % 1000);
  if (ms !== second.ms) second = { ms, text: new Date(ms).toISOString().slice(0, 20) };
  return `${second.text}${String(now - ms).padStart(3, '0')}Z`;
}
