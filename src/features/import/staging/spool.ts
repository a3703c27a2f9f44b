// Keeps a report in a file of this server until it is imported, bounded and hashed on the way; half a report is removed.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../../../core/errors.js';

/** A report that has arrived. */
export interface SpooledReport {
  file: string;
  bytes: number;
  sha256: Buffer;
}

/** Time between two signs of life of a report that is being taken in. */
const signEveryMs = 5000;
/** Time without a sign of life after which nobody is taking a report in any more. */
export const orphanMs = 30_000;

const nameOfReport = /^([0-9a-f-]{36})\.report$/;

/** Where reports wait. */
export type Spool = ReturnType<typeof createSpool>;

/**
 * Creates a spool.
 * @param directory made on first use, for the server's user alone
 * @param maxBytes largest report as it is sent
 */
export function createSpool(directory: string, maxBytes: number) {
  const fileOf = (id: string) => join(directory, `${id}.report`);
  return {
    fileOf,

    /**
     * Keeps a report.
     * @throws PAYLOAD_TOO_LARGE
     * @throws VALIDATION_FAILED for one that is empty or ends too early
     * @throws UNAVAILABLE when the disk is full
     */
    async keep(id: string, stream: Readable): Promise<SpooledReport> {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = fileOf(id);
      const digest = createHash('sha256');
      let bytes = 0;
      const count = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.length;
          if (bytes > maxBytes) {
            done(tooLarge(maxBytes));
            return;
          }
          digest.update(chunk);
          done(null, chunk);
        },
      });
      try {
        await pipeline(stream, count, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
        if (bytes === 0) throw new AppError('VALIDATION_FAILED', { message: 'The report is empty.' });
      } catch (error) {
        await rm(file, { force: true });
        throw faultOf(error);
      }
      return { file, bytes, sha256: digest.digest() };
    },

    /** See {@link giveSigns}. */
    hold: (id: string) => giveSigns(fileOf(id)),

    remove: (id: string) => rm(fileOf(id), { force: true }),

    /** The reports that wait or are being received, and how long ago they gave their last sign of life. */
    async list(): Promise<{ id: string; ageMs: number }[]> {
      const names = await readdir(directory).catch(() => [] as string[]);
      const ids = names.flatMap((name) => nameOfReport.exec(name)?.[1] ?? []);
      const found = ids.map(async (id) => {
        const { mtimeMs } = await stat(fileOf(id)).catch(() => ({ mtimeMs: Number.NaN }));
        return { id, ageMs: Date.now() - mtimeMs };
      });
      return Promise.all(found);
    },
  };
}

/**
 * Gives signs of life of a report, by the time of its file, until the returned function is called: a sender may pause, and
 * servers that share the folder must tell it from what a killed one left.
 */
function giveSigns(file: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // not there yet
  }, signEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', {
    message: `The report is larger than ${maxBytes} bytes; send it compressed with gzip, or in parts.`,
  });
}

function faultOf(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code))
    return new AppError('UNAVAILABLE', {
      message: 'The disk for reports is full.',
      cause: error,
      retryAfterSeconds: 60,
    });
  if (['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR'].includes(code))
    return new AppError('VALIDATION_FAILED', { message: 'The report ended too early.', cause: error });
  return error;
}
