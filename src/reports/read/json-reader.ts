// Reads JSON of any size as a stream of bytes: walks the containers that a format enters, and hands over one value at a time.
// json-scanner.ts finds the end of a value.
import { reportError } from '../report-error.js';
import { type JsonHandler, type JsonLimits, jsonLimits } from './json-handler.js';
import { beginCapture, type Capture, isCompleteAtEnd, passValue } from './json-scanner.js';
import { pointerOf } from './pointer.js';

interface Container {
  isArray: boolean;
  /** Its keys so far, to refuse a repeated one. */
  keys: Set<string>;
  /** Number of elements so far. */
  length: number;
}

interface Reader {
  handler: JsonHandler;
  limits: JsonLimits;
  path: (string | number)[];
  stack: Container[];
  /** The token that may come next. */
  state: 'value' | 'firstValue' | 'key' | 'firstKey' | 'colon' | 'comma' | 'done';
  /** Bytes ahead of the current chunk. */
  offset: number;
  documents: number;
  /** Bytes of the values that were handed over. */
  keptBytes: number;
  capture: Capture | undefined;
  isKey: boolean;
}

/** A push parser. */
export interface JsonReader {
  /** @throws VALIDATION_FAILED with the JSON Pointer and the byte offset of the fault */
  write: (chunk: Uint8Array) => void;
  /** Returns the number of documents. @throws VALIDATION_FAILED when the text ends too early */
  end: () => number;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Creates a reader of UTF-8 JSON without a byte order mark. */
export function createJsonReader(handler: JsonHandler, limits: JsonLimits = jsonLimits): JsonReader {
  const reader: Reader = {
    handler,
    limits,
    path: [],
    stack: [],
    state: 'value',
    offset: 0,
    documents: 0,
    keptBytes: 0,
    capture: undefined,
    isKey: false,
  };
  return { write: (chunk) => write(reader, chunk), end: () => end(reader) };
}

function write(reader: Reader, chunk: Uint8Array): void {
  let at = 0;
  while (at < chunk.length) {
    const { capture } = reader;
    if (capture === undefined) {
      at = step(reader, chunk, at);
      continue;
    }
    const next = passValue(capture, chunk, at);
    checkSize(reader, capture);
    if (next === -1) break;
    finish(reader, capture);
    at = next;
  }
  reader.offset += chunk.length;
}

function end(reader: Reader): number {
  const { capture } = reader;
  if (capture !== undefined && isCompleteAtEnd(capture)) finish(reader, capture);
  if (reader.stack.length > 0 || reader.capture !== undefined) {
    const { onTruncated } = reader.handler;
    if (onTruncated === undefined) fail(reader, 'ends too early', reader.offset);
    onTruncated(reader.path);
    return reader.documents;
  }
  if (reader.documents === 0) {
    const { onEmpty } = reader.handler;
    if (onEmpty === undefined) fail(reader, 'is empty', reader.offset);
    onEmpty();
  }
  return reader.documents;
}

function fail(reader: Reader, message: string, offset: number): never {
  throw reportError(message, { pointer: pointerOf(reader.path), offset });
}

function checkSize(reader: Reader, { isKept, bytes, maxDepth, startedAt }: Capture): void {
  const { limits, stack } = reader;
  if (isKept && bytes > limits.elementBytes)
    fail(reader, `has a value of more than ${limits.elementBytes} bytes`, startedAt);
  if (maxDepth + stack.length > limits.depth)
    fail(reader, `is nested deeper than ${limits.depth} levels`, startedAt);
}

/** One byte outside a captured value; returns the position from which to go on. */
function step(reader: Reader, chunk: Uint8Array, at: number): number {
  const byte = chunk[at] as number;
  if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1;
  const offset = reader.offset + at;
  const { state } = reader;
  const container = reader.stack.at(-1);
  const closing = container?.isArray ? 0x5d : 0x7d;
  if (byte === closing && container !== undefined && (state === 'comma' || state.startsWith('first'))) {
    reader.stack.pop();
    reader.handler.onEnd?.(reader.path);
    leave(reader);
    return at + 1;
  }
  switch (state) {
    case 'comma':
      if (byte !== 0x2c) fail(reader, 'is no valid JSON', offset);
      reader.state = container?.isArray ? 'value' : 'key';
      return at + 1;
    case 'firstKey':
    case 'key':
      if (byte !== 0x22) fail(reader, 'is no valid JSON', offset);
      reader.capture = beginCapture(offset, true);
      reader.isKey = true;
      return at;
    case 'colon':
      if (byte !== 0x3a) fail(reader, 'is no valid JSON', offset);
      reader.state = 'value';
      return at + 1;
    case 'done':
      if (reader.handler.isNdjson !== true) fail(reader, 'has text behind its end', offset);
      reader.state = 'value';
      return at;
    default:
      return startValue(reader, byte, at);
  }
}

function startValue(reader: Reader, byte: number, at: number): number {
  const { stack, path, handler, limits } = reader;
  const container = stack.at(-1);
  const offset = reader.offset + at;
  if (container?.isArray) path.push(container.length++);
  if (!isValueStart(byte)) fail(reader, 'is no valid JSON', offset);
  const isArray = byte === 0x5b;
  const kind = isArray ? 'array' : byte === 0x7b ? 'object' : 'scalar';
  const selection = handler.select(path, kind);
  if (selection === 'enter' && kind !== 'scalar') {
    if (stack.length >= limits.depth) fail(reader, `is nested deeper than ${limits.depth} levels`, offset);
    stack.push({ isArray, keys: new Set(), length: 0 });
    reader.state = isArray ? 'firstValue' : 'firstKey';
    return at + 1;
  }
  // A value to enter that is no container is handed over: the format decides what that means.
  reader.capture = beginCapture(offset, selection !== 'skip');
  reader.isKey = false;
  return at;
}

/** The captured value is complete. */
function finish(reader: Reader, capture: Capture): void {
  reader.capture = undefined;
  if (reader.isKey) {
    enterKey(reader, parse(reader, capture) as string, capture.startedAt);
    return;
  }
  if (capture.isKept) {
    reader.keptBytes += capture.bytes;
    const { totalBytes } = reader.limits;
    if (totalBytes !== undefined && reader.keptBytes > totalBytes)
      fail(reader, `describes its results with more than ${totalBytes} bytes`, capture.startedAt);
    reader.handler.onValue(parse(reader, capture), reader.path);
  }
  leave(reader);
}

/** Behind a value: in its container again, or at the end of the document. */
function leave(reader: Reader): void {
  if (reader.stack.length === 0) {
    reader.documents += 1;
    reader.state = 'done';
  } else {
    reader.path.pop();
    reader.state = 'comma';
  }
}

function enterKey(reader: Reader, key: string, offset: number): void {
  const { keys } = reader.stack.at(-1) as Container;
  if (keys.has(key)) fail(reader, `has the key ${JSON.stringify(key.slice(0, 80))} twice`, offset);
  if (keys.size >= reader.limits.keysPerObject)
    fail(reader, `has an object of more than ${reader.limits.keysPerObject} keys`, offset);
  keys.add(key);
  reader.path.push(key);
  reader.state = 'colon';
}

function parse(reader: Reader, { pieces, colons, startedAt }: Capture): unknown {
  let text = '';
  try {
    text = decoder.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
  } catch {
    fail(reader, 'is not valid UTF-8', startedAt);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail(reader, 'is no valid JSON', startedAt);
  }
  // A repeated key leaves fewer keys than colons.
  if (colons > 0 && colons !== keysIn(value)) fail(reader, 'has an object with a repeated key', startedAt);
  return value;
}

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += keysIn(item);
  else for (const key in value) count += 1 + keysIn((value as Record<string, unknown>)[key]);
  return count;
}

/** A quote, brace, bracket, minus, digit, or the first letter of true, false or null. */
function isValueStart(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  return isDigit || [0x22, 0x7b, 0x5b, 0x2d, 0x74, 0x66, 0x6e].includes(byte);
}
