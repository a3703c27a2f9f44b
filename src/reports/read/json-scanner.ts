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
  /** Most brackets and braces that were open at once. */
  maxDepth: number;
  /** Colons outside strings: as many as the value has keys. */
  colons: number;
  isInString: boolean;
  isEscaped: boolean;
  /** Whether it is a number, true, false or null, which end where something else begins. */
  isScalar: boolean;
}

const quote = 0x22;
const backslash = 0x5c;
/** Strings up to here are walked byte by byte, longer ones searched: a call costs as much as so many bytes. */
const walkedBytes = 96;
const searchedBytes = 4096;

/** Begins a capture at a byte offset. */
export function beginCapture(startedAt: number, isKept: boolean): Capture {
  return {
    startedAt,
    isKept,
    pieces: [],
    bytes: 0,
    depth: 0,
    maxDepth: 0,
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
  const { length } = chunk;
  let { depth, maxDepth, colons } = capture;
  let at = start;
  let end = -1;
  if (capture.isInString) {
    at = passString(capture, chunk, at);
    if (!capture.isInString && depth === 0) return at;
  }
  while (at < length) {
    const byte = chunk[at] as number;
    if (capture.isScalar) {
      if (isDelimiter(byte)) {
        end = at;
        break;
      }
    } else if (byte === quote) {
      capture.isInString = true;
      at = passString(capture, chunk, at + 1);
      if (!capture.isInString && depth === 0) {
        end = at;
        break;
      }
      continue;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > maxDepth) maxDepth = depth;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth <= 0) {
        end = at + 1;
        break;
      }
    } else if (byte === 0x3a) {
      colons += 1;
    } else if (depth === 0) {
      capture.isScalar = true;
    }
    at += 1;
  }
  capture.depth = depth;
  capture.maxDepth = maxDepth;
  capture.colons = colons;
  return end;
}

/** Position behind the closing quote, or the chunk's length when the string goes on. */
function passString(capture: Capture, chunk: Uint8Array, start: number): number {
  const { length } = chunk;
  let at = start;
  if (capture.isEscaped && at < length) {
    capture.isEscaped = false;
    at += 1;
  }
  let walkUntil = at + walkedBytes;
  while (at < length) {
    const byte = chunk[at] as number;
    if (byte === quote) {
      capture.isInString = false;
      return at + 1;
    }
    if (byte === backslash) {
      if (at + 1 >= length) {
        capture.isEscaped = true;
        return length;
      }
      at += 2;
      continue;
    }
    at += 1;
    if (at < walkUntil) continue;
    at = skipPlain(chunk, at);
    walkUntil = at + walkedBytes;
  }
  return length;
}

/** Position of the next quote or backslash, or where the search window ends: it bounds how often a byte is looked at. */
function skipPlain(chunk: Uint8Array, start: number): number {
  const window = chunk.subarray(start, start + searchedBytes);
  const end = window.indexOf(quote);
  const plain = end === -1 ? window : window.subarray(0, end);
  const slash = plain.indexOf(backslash);
  return start + (slash === -1 ? plain.length : slash);
}

function isDelimiter(byte: number): boolean {
  return byte === 0x2c || byte === 0x5d || byte === 0x7d || byte <= 0x20;
}
