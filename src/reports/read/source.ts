// Opens a report as UTF-8 bytes: gzip is inflated within a bound, byte order marks go, UTF-16 and declared encodings are converted.

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ReportSource } from '../format.js';
import { reportError } from '../report-error.js';

/** Opens the bytes of a report from their beginning. */
export type OpenBytes = () => AsyncIterable<Uint8Array>;

const headBytes = 1024;

/**
 * @param open opens the report as it was sent: plain, gzip, or a gzip file that was compressed again on its way
 * @param maxBytes bound of its inflated size
 */
export function createReportSource(open: OpenBytes, maxBytes: number): ReportSource {
  return { open: () => decoded(bounded(inflated(inflated(open())), maxBytes)) };
}

/** Collects what has come until there are `bytes`, then the rest as it comes. */
async function* withHead(chunks: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let head: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    if (size >= bytes) {
      yield chunk;
      continue;
    }
    head.push(chunk);
    size += chunk.length;
    if (size < bytes) continue;
    yield head.length === 1 ? chunk : Buffer.concat(head);
    head = [];
  }
  if (head.length > 0) yield Buffer.concat(head);
}

async function* inflated(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = withHead(chunks, 2)[Symbol.asyncIterator]();
  const first = await source.next();
  if (first.done === true) return;
  const rest = (async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => source };
  })();
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* rest;
    return;
  }
  // A fault of either stream reaches the reader of the last one.
  const gunzip = pipeline(Readable.from(rest), createGunzip(), () => {});
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) throw error;
    throw reportError(code === 'Z_BUF_ERROR' ? 'is cut off: its gzip ends too early' : 'is no valid gzip');
  }
}

async function* bounded(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxBytes) throw reportError(`is larger than ${maxBytes} bytes when it is unpacked`);
    yield chunk;
  }
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let decoder: TextDecoder | undefined;
  let isFirst = true;
  for await (const chunk of withHead(chunks, headBytes)) {
    let rest = chunk;
    if (isFirst) {
      isFirst = false;
      const encoding = encodingOf(chunk);
      if (encoding.name !== 'utf-8') decoder = decoderOf(encoding.name);
      rest = chunk.subarray(encoding.markBytes);
    }
    if (decoder === undefined) yield rest;
    else yield Buffer.from(decode(decoder, rest));
  }
  if (decoder !== undefined) yield Buffer.from(decode(decoder));
}

function decoderOf(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch {
    throw reportError(`declares the encoding ${encoding.slice(0, 40)}, which is not supported`, {
      line: 1,
      column: 1,
    });
  }
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return decoder.decode(bytes, { stream: bytes !== undefined });
  } catch {
    throw reportError(`is not valid ${decoder.encoding.toUpperCase()}`);
  }
}

/** By byte order mark, by the zero bytes of UTF-16 without one, or by an XML declaration. */
function encodingOf(head: Uint8Array): { name: string; markBytes: number } {
  const [a, b, c] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { name: 'utf-8', markBytes: 3 };
  if (a === 0xff && b === 0xfe) return { name: 'utf-16le', markBytes: 2 };
  if (a === 0xfe && b === 0xff) return { name: 'utf-16be', markBytes: 2 };
  if (a !== 0 && b === 0) return { name: 'utf-16le', markBytes: 0 };
  if (a === 0 && b !== 0 && head.length > 1) return { name: 'utf-16be', markBytes: 0 };
  const declaration = /^\s*<\?xml[^>]{0,200}\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']/.exec(
    Buffer.from(head.subarray(0, headBytes)).toString('latin1'),
  );
  const name = declaration?.[1]?.toLowerCase() ?? 'utf-8';
  return { name: name === 'utf8' || name === 'us-ascii' ? 'utf-8' : name, markBytes: 0 };
}
