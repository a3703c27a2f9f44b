// Reading a JSON body: within a limit, as UTF-8, each key once. What the body means is not known here.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';

/** Limits on bodies in bytes. */
export const bodyLimits = {
  /** REST: credentials and tokens. */
  rest: 100_000,
  /** GraphQL from nobody known: a sign-in is a few hundred bytes. */
  anonymousGraphQL: 1_000_000,
  /** GraphQL from somebody signed in: room for a batch of 1,000 results. */
  graphQL: 10_000_000,
  /** A WebSocket message. */
  webSocketMessage: 1_000_000,
} as const;

/**
 * The parsed body; undefined for an empty one. Calls back, once: a promise costs as much as the rest of it.
 * @param fail gets PAYLOAD_TOO_LARGE; UNSUPPORTED_MEDIA_TYPE for a charset other than UTF-8 and for compressed bodies;
 * VALIDATION_FAILED for what is no JSON, and for JSON with a key twice in an object; and what `done` throws
 */
export function readJson(
  request: IncomingMessage,
  maxBytes: number,
  done: (value: unknown) => void,
  fail: (error: unknown) => void,
): void {
  const { 'content-type': type = '', 'content-encoding': encoding = '' } = request.headers;
  const charset = type === 'application/json' ? undefined : /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    fail(new AppError('UNSUPPORTED_MEDIA_TYPE', { message: 'Send the body as UTF-8.' }));
    return;
  }
  if (encoding !== '' && encoding.toLowerCase() !== 'identity') {
    fail(new AppError('UNSUPPORTED_MEDIA_TYPE', { message: 'Send the body uncompressed.' }));
    return;
  }
  const read = (bytes: Buffer) => {
    try {
      done(parseJson(bytes));
    } catch (error) {
      fail(error);
    }
  };
  readBytes(request, maxBytes, read, fail);
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
  if (hasColonsBeyond(value, text) && hasRepeatedKey(text)) {
    throw new AppError('VALIDATION_FAILED', { message: 'An object of the body has a key twice.' });
  }
  return value;
}

/** Stops listening, not reading, at the limit: the rest flows away, so that the sender can hear the refusal. */
function readBytes(
  request: IncomingMessage,
  maxBytes: number,
  done: (bytes: Buffer) => void,
  fail: (error: AppError) => void,
): void {
  const declared = Number(request.headers['content-length'] ?? -1);
  if (declared > maxBytes) {
    fail(new AppError('PAYLOAD_TOO_LARGE'));
    return;
  }
  let pieces: Buffer[] = [];
  let size = 0;
  let isOver = false;
  const refuse = (error: AppError) => {
    isOver = true;
    pieces = [];
    fail(error);
  };
  const finish = () => {
    if (isOver) return;
    isOver = true;
    const body = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    pieces = []; // the request, which may wait for long, holds on to this function
    done(body);
  };
  request.on('data', (piece: Buffer) => {
    if (isOver) return;
    size += piece.length;
    if (size > maxBytes) {
      refuse(new AppError('PAYLOAD_TOO_LARGE'));
      return;
    }
    pieces.push(piece);
    if (size === declared) finish(); // nothing follows: 'end' would come some turns later
  });
  if (!(declared > 0)) request.on('end', finish);
  // It closes however it ended; without a listener its error is nobody's.
  request.on('close', () => {
    if (!isOver) refuse(new AppError('VALIDATION_FAILED', { message: 'The body ended too early.' }));
  });
}

/**
 * Whether JSON text may hold more than what was made of it: each key has a colon of its own, also one whose value was
 * dropped for that of another. Counting them takes a fraction of looking at each key.
 */
function hasColonsBeyond(value: unknown, text: string): boolean {
  return colonsIn(value, maxCountedDepth) !== colonsInText(text) || /\\u003a/i.test(text);
}

/** What is nested deeper is looked at key by key: that needs no stack. */
const maxCountedDepth = 100;

function colonsIn(value: unknown, levels: number): number {
  if (typeof value === 'string') return colonsInText(value);
  if (typeof value !== 'object' || value === null) return 0;
  if (levels === 0) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += colonsIn(item, levels - 1);
    return count;
  }
  for (const key in value)
    count += 1 + colonsInText(key) + colonsIn((value as Record<string, unknown>)[key], levels - 1);
  return count;
}

function colonsInText(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) count += 1;
  return count;
}

/**
 * Whether some object in this (valid) JSON has a key twice: parsers differ on which one counts, so what a proxy
 * checked need not be what the server does. It jumps from string to string and keeps its own stack.
 */
export function hasRepeatedKey(json: string): boolean {
  /** For each open bracket: the keys of an object so far, or undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Set());
        isKeyNext = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        isKeyNext = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case 0x2c: // ,
        isKeyNext = open.at(-1) !== undefined;
        break;
      case 0x22: {
        const end = endOfString(json, at);
        if (isKeyNext) {
          const raw = json.slice(at + 1, end);
          const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
          const keys = open.at(-1);
          if (keys?.has(key)) return true;
          keys?.add(key);
          isKeyNext = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return false;
}

/** Position of the quote that closes the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end === -1 ? json.length : end;
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}
