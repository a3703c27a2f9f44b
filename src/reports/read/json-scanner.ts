// Finds where a JSON value ends in a stream of bytes, chunk by chunk, and keeps its bytes until then.
// Walking the containers around it is in json-reader.ts.

/** A value whose end is looked for. */
export interface Capture {
  /** Byte offset of its first byte in the document. */
  startedAt: number;
  /** Whether its bytes are kept. */
  isKept: boolean;
  pieces: Uint8Array[];
  bytes: number;
  /** Open brackets and braces. */
  depth: number;
  /** Colons outside strings: as many as the value has keys. */
  colons: number;
  isInString: boolean;
  isEscaped: boolean;
  /** Whether it is a number, true, false or null, which end where something else begins. */
  isScalar: boolean;
}

const quote = 0x22;
const backslash = 0x5c;

/** Begins a capture at a byte offset. */
export function beginCapture(startedAt: number, isKept: boolean): Capture {
  return {
    startedAt,
    isKept,
    pieces: [],
    bytes: 0,
    depth: 0,
    colons: 0,
    isInString: false,
    isEscaped: false,
    isScalar: false,
  };
}

/**
 * Continues a capture in a chunk.
 * @returns the position behind the value, or -1 when it goes on in the next chunk
 */
export function passValue(capture: Capture, chunk: Uint8Array, start: number): number {
  const end = findEnd(capture, chunk, start);
  const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
  capture.bytes += piece.length;
  if (capture.isKept) capture.pieces.push(piece);
  return end;
}

/** Whether a capture is complete when the text ends: a scalar needs no delimiter behind it. */
export function isCompleteAtEnd({ isScalar, depth, isInString }: Capture): boolean {
  return isScalar && depth === 0 && !isInString;
}

function findEnd(capture: Capture, chunk: Uint8Array, start: number): number {
  let at = start;
  while (at < chunk.length) {
    if (capture.isInString) {
      at = passString(capture, chunk, at);
      if (!capture.isInString && capture.depth === 0) return at;
      continue;
    }
    const byte = chunk[at] as number;
    if (capture.isScalar) {
      if (isDelimiter(byte)) return at;
    } else if (byte === quote) {
      capture.isInString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      capture.depth += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      capture.depth -= 1;
      if (capture.depth <= 0) return at + 1;
    } else if (byte === 0x3a) {
      capture.colons += 1;
    } else if (capture.depth === 0) {
      capture.isScalar = true;
    }
    at += 1;
  }
  return -1;
}

/** Position behind the closing quote, or the chunk's length when the string goes on. */
function passString(capture: Capture, chunk: Uint8Array, start: number): number {
  let at = start;
  while (at < chunk.length) {
    if (capture.isEscaped) {
      capture.isEscaped = false;
      at += 1;
      continue;
    }
    const end = chunk.indexOf(quote, at);
    const slash = chunk.subarray(at, end === -1 ? chunk.length : end).indexOf(backslash);
    if (slash !== -1) {
      capture.isEscaped = true;
      at += slash + 1;
    } else if (end === -1) {
      return chunk.length;
    } else {
      capture.isInString = false;
      return end + 1;
    }
  }
  return at;
}

function isDelimiter(byte: number): boolean {
  return byte === 0x2c || byte === 0x5d || byte === 0x7d || byte <= 0x20;
}
