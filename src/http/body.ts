// Reading a JSON body: within a limit, as UTF-8, each key once. What the body means is not known here.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';
import { hasDuplicateKey } from './duplicate-keys.js';

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
  if (hasDuplicateKey(text, value)) {
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
