// Receives a file: the body of a request, or the file of a form; plain or gzip, as a stream.
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import { AppError } from '../core/errors.js';
import { codingOf } from './body.js';

/** Longest time without a byte. */
const idleMs = 30_000;
const lookEveryMs = 5000;

/**
 * Hands the stream of an uploaded file to `keep`. Gzip is not unpacked: files often are gzip themselves.
 * @throws UNSUPPORTED_MEDIA_TYPE for a coding other than gzip
 * @throws VALIDATION_FAILED for a form that is not valid or does not hold exactly one file
 */
export async function receiveUpload<T>(
  request: IncomingMessage,
  keep: (file: Readable) => Promise<T>,
): Promise<T> {
  const coding = codingOf(request.headers);
  if (coding !== undefined && coding !== 'gzip' && coding !== 'x-gzip')
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', {
      message: 'Send the file compressed once with gzip, or uncompressed.',
      headers: { 'Accept-Encoding': 'gzip, identity' },
    });
  const stopWatching = watchSilence(request);
  try {
    return await receive(request, keep);
  } finally {
    stopWatching();
  }
}

/** Breaks a request off that sends nothing for half a minute. @returns what ends the watch */
function watchSilence(request: IncomingMessage): () => void {
  let [bytes, since] = [-1, Date.now()];
  const timer = setInterval(() => {
    const { bytesRead } = request.socket;
    if (bytesRead !== bytes) [bytes, since] = [bytesRead, Date.now()];
    else if (Date.now() - since > idleMs) request.destroy();
  }, lookEveryMs);
  return () => clearInterval(timer);
}

/**
 * Hands over a stream of its own: what is refused ends that one, not the connection, which the answer needs. The rest of a
 * refused body is read and dropped.
 */
async function keepApart<T>(request: IncomingMessage, keep: (file: Readable) => Promise<T>): Promise<T> {
  const file = new PassThrough();
  const breakOff = () => {
    if (!request.complete) file.destroy(endedEarly());
  };
  request.on('close', breakOff).on('error', breakOff);
  request.pipe(file);
  try {
    return await keep(file);
  } finally {
    request.unpipe(file);
    request.resume();
  }
}

function endedEarly(): AppError {
  return new AppError('VALIDATION_FAILED', { message: 'The report ended too early.' });
}

async function receive<T>(request: IncomingMessage, keep: (file: Readable) => Promise<T>): Promise<T> {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) return keepApart(request, keep);
  let part: Readable | undefined;
  let kept: Promise<T> | undefined;
  let hasMore = false;
  try {
    const form = new Busboy({
      headers: { ...request.headers, 'content-type': type },
      limits: { files: 1, fields: 20, fieldSize: 10_000, headerPairs: 100 },
    });
    form.on('filesLimit', () => {
      hasMore = true;
    });
    form.on('file', (_name, file) => {
      part = file;
      // A stream of its own, as for plain bodies: the part has to stay readable after a refusal.
      const own = new PassThrough();
      file.on('error', (error: Error) => own.destroy(error)).pipe(own);
      kept = keep(own);
      kept.catch(() => file.unpipe(own).resume()); // what follows is read and dropped, so that the sender sees the refusal
    });
    await pipeline(request, form);
  } catch (error) {
    part?.destroy(endedEarly()); // its parser has stopped in the middle, so nothing else ends it
    await kept;
    throw new AppError('VALIDATION_FAILED', { message: 'The form is not valid.', cause: error });
  }
  if (kept === undefined)
    throw new AppError('VALIDATION_FAILED', { message: 'The form holds no file: send the report as one.' });
  if (hasMore) {
    await kept;
    throw new AppError('VALIDATION_FAILED', {
      message: 'The form holds more than one file: send each report in a request of its own.',
    });
  }
  return kept;
}
