// Reads a JSON body for REST and GraphQL alike: bounded, plain or gzip, in UTF-8, no key twice.
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';
import { hasDuplicateKey } from './duplicate-keys.js';
import { gunzipWithin } from './gunzip.js';

/** Largest bodies in bytes, as they arrive and decompressed. */
export const bodyLimits = {
  /** REST: credentials and tokens. */
  rest: 100_000,
  /** GraphQL without sign-in: a sign-in itself is a few hundred bytes. */
  anonymousGraphQL: 1_000_000,
  /** GraphQL of a signed-in caller: room for a batch of 1,000 results. */
  graphQL: 10_000_000,
  /** A WebSocket message. */
  webSocketMessage: 1_000_000,
} as const;

/**
 * Reads and parses the body. It calls back instead of returning a promise, which would cost as much as the rest of it.
 * @param maxBytes bounds the body as it arrives, and again after decompression
 * @param done gets the value, or undefined for an empty body; what it throws goes to `fail`
 * @param fail gets PAYLOAD_TOO_LARGE with the limit; UNSUPPORTED_MEDIA_TYPE for a charset other than UTF-8 and a coding
 * other than gzip; VALIDATION_FAILED for invalid gzip, UTF-8 or JSON, and for an object with a key twice
 */
export function readJson(
  request: IncomingMessage,
  maxBytes: number,
  done: (value: unknown) => void,
  fail: (error: unknown) => void,
): void {
  readParsed(request, maxBytes, parseJson, done, fail);
}

/** As {@link readJson}, for a form (application/x-www-form-urlencoded): its fields by name, none twice. */
export function readForm(
  request: IncomingMessage,
  maxBytes: number,
  done: (value: unknown) => void,
  fail: (error: unknown) => void,
): void {
  readParsed(request, maxBytes, parseForm, done, fail);
}

function readParsed(
  request: IncomingMessage,
  maxBytes: number,
  parseBytes: (bytes: Buffer) => unknown,
  done: (value: unknown) => void,
  fail: (error: unknown) => void,
): void {
  const refusal = refuseFormat(request.headers);
  if (refusal !== undefined) {
    fail(refusal);
    return;
  }
  const parse = (bytes: Buffer) => {
    try {
      done(parseBytes(bytes));
    } catch (error) {
      fail(error);
    }
  };
  const isPlain = codingOf(request.headers) === undefined;
  const read = isPlain ? parse : (bytes: Buffer) => gunzipWithin(maxBytes, bytes, parse, fail);
  readBytes(request, maxBytes, read, fail);
}

/** The content coding of a body in lower case; undefined for a plain one. */
export function codingOf({ 'content-encoding': given }: IncomingHttpHeaders): string | undefined {
  if (given === undefined) return undefined;
  const codings = given.toLowerCase().split(',');
  const kept = codings.map((coding) => coding.trim()).filter((coding) => !/^(identity)?$/.test(coding));
  return kept.length === 0 ? undefined : kept.join(', ');
}

function refuseFormat(headers: IncomingHttpHeaders): AppError | undefined {
  const { 'content-type': type = '' } = headers;
  const charset = type === 'application/json' ? undefined : /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset))
    return new AppError('UNSUPPORTED_MEDIA_TYPE', { message: 'Send the body as UTF-8.' });
  const coding = codingOf(headers);
  if (coding === undefined || coding === 'gzip' || coding === 'x-gzip') return undefined;
  return new AppError('UNSUPPORTED_MEDIA_TYPE', {
    message: 'Send the body compressed once with gzip, or uncompressed.',
    headers: { 'Accept-Encoding': 'gzip, identity' },
  });
}

/** @throws VALIDATION_FAILED */
function parseForm(bytes: Buffer): Record<string, string> {
  if (!isUtf8(bytes)) throw new AppError('VALIDATION_FAILED', { message: 'The body is not valid UTF-8.' });
  const fields = [...new URLSearchParams(bytes.toString('utf8'))];
  if (new Set(fields.map(([name]) => name)).size !== fields.length)
    throw new AppError('VALIDATION_FAILED', { message: 'The form has a field twice.' });
  return Object.fromEntries(fields);
}

/** @throws VALIDATION_FAILED */
function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new AppError('VALIDATION_FAILED', { message: 'The body is not valid UTF-8.' });
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('VALIDATION_FAILED', { message: 'The body is not valid JSON.' });
  }
  if (hasDuplicateKey(text, value))
    throw new AppError('VALIDATION_FAILED', { message: 'An object of the body has a key twice.' });
  return value;
}

/** A body that has not arrived whole. */
interface PendingBody {
  /** Milliseconds since 1970. */
  since: number;
  giveUp: () => void;
}

/** Longest time that a body may take; uploads have longer (upload.ts). */
const bodyWithinMs = 30_000;
const lookEveryMs = 2000;
/** One look at all of them costs less than a timer for each. */
const pending = new Set<PendingBody>();
let looking: NodeJS.Timeout | undefined;

function watch(body: PendingBody): void {
  pending.add(body);
  looking ??= setInterval(() => {
    const oldest = Date.now() - bodyWithinMs;
    for (const { since, giveUp } of pending) if (since < oldest) giveUp();
    if (pending.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  }, lookEveryMs).unref();
}

/** At the limit it stops keeping bytes, not reading them: the sender must get to the end to see the refusal. */
function readBytes(
  request: IncomingMessage,
  maxBytes: number,
  done: (bytes: Buffer) => void,
  fail: (error: AppError) => void,
): void {
  const declared = Number(request.headers['content-length'] ?? -1);
  if (declared > maxBytes) {
    fail(tooLarge(maxBytes));
    return;
  }
  let pieces: Buffer[] = [];
  let size = 0;
  let isOver = false;
  const refuse = (error: AppError) => {
    isOver = true;
    pieces = [];
    pending.delete(body);
    fail(error);
  };
  const body: PendingBody = {
    since: Date.now(),
    giveUp: () => {
      refuse(new AppError('VALIDATION_FAILED', { message: 'The body did not arrive in time.' }));
      request.destroy();
    },
  };
  watch(body);
  const finish = () => {
    if (isOver) return;
    isOver = true;
    pending.delete(body);
    const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    pieces = []; // the request outlives its body, and with it this function
    done(bytes);
  };
  request.on('data', (piece: Buffer) => {
    if (isOver) return;
    size += piece.length;
    if (size > maxBytes) {
      refuse(tooLarge(maxBytes));
      return;
    }
    pieces.push(piece);
    if (size < declared || declared === -1) return;
    // Nothing follows: the events 'end' and 'close' would cost two more turns (docs/adr/0016).
    request.pause();
    finish();
  });
  if (!(declared > 0)) request.on('end', finish);
  // A request that breaks off is closed too; without a listener its error is no event.
  request.on('close', () => {
    if (!isOver) refuse(new AppError('VALIDATION_FAILED', { message: 'The body ended too early.' }));
  });
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', { message: `The body is larger than ${maxBytes} bytes.` });
}
