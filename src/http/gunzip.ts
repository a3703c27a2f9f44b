// Decompresses a gzip body within a limit, so that a small body cannot become a large one in memory.
import { createGunzip } from 'node:zlib';
import { AppError } from '../core/errors.js';

/**
 * Decompresses in Node's thread pool and stops at the first piece beyond the limit.
 * @param fail gets PAYLOAD_TOO_LARGE beyond `maxBytes`; VALIDATION_FAILED for invalid or incomplete gzip, and for bytes
 * behind it, which other programs may read differently
 */
export function gunzipWithin(
  maxBytes: number,
  bytes: Buffer,
  done: (plain: Buffer) => void,
  fail: (error: AppError) => void,
): void {
  if (bytes.length === 0) {
    done(bytes);
    return;
  }
  const pieces: Buffer[] = [];
  let size = 0;
  const gunzip = createGunzip();
  gunzip.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size <= maxBytes) {
      pieces.push(piece);
      return;
    }
    gunzip.removeAllListeners();
    gunzip.on('error', () => {}).destroy();
    const message = `The body is larger than ${maxBytes} bytes when it is decompressed.`;
    fail(new AppError('PAYLOAD_TOO_LARGE', { message }));
  });
  gunzip.on('error', () => fail(invalidGzip()));
  gunzip.on('end', () => {
    if (gunzip.bytesWritten === bytes.length) done(Buffer.concat(pieces, size));
    else fail(invalidGzip());
  });
  gunzip.end(bytes);
}

function invalidGzip(): AppError {
  return new AppError('VALIDATION_FAILED', { message: 'The body is not valid gzip.' });
}
