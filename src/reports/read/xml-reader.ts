// Reads XML of any size as a stream: hands over one element at a time with all that is in it. Document types are refused.
import { StringDecoder } from 'node:string_decoder';
import sax from 'sax';
import type { ReportSource } from '../format.js';
import { reportError } from '../report-error.js';

/** An element with its content. */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  /** The text directly in it, as it stands. */
  text: string;
  /** Line and column of its start tag, both from 1. */
  place: string;
}

/** How a format reads its XML. */
export interface XmlHandler {
  /** Called where an element begins, with the names from the root to it. */
  select: (
    path: readonly string[],
    attributes: Readonly<Record<string, string>>,
  ) => 'element' | 'enter' | 'skip';
  /** Returns the results of a selected element. */
  onElement: (element: XmlElement, path: readonly string[]) => void;
}

const limits = { depth: 100, elements: 200_000, textLength: 16 * 2 ** 20 };

/**
 * Feeds a source to a handler; `batch` returns what has come of it so far, after each chunk.
 * @throws VALIDATION_FAILED with line and column
 */
export async function* readXml<T>(
  source: ReportSource,
  handler: XmlHandler,
  batch: () => T[],
): AsyncGenerator<T[]> {
  const parser = createXmlParser(handler);
  // sax takes text: a character may lie across two chunks.
  const decoder = new StringDecoder('utf8');
  for await (const chunk of source.open()) {
    parser.write(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    const items = batch();
    if (items.length > 0) yield items;
  }
  parser.end();
  const items = batch();
  if (items.length > 0) yield items;
}

interface XmlState {
  handler: XmlHandler;
  parser: sax.SAXParser;
  path: string[];
  /** Open elements of the selected one, the selected first. */
  open: XmlElement[];
  /** Depth at which an element is passed over; 0 for none. */
  skipFrom: number;
  elements: number;
  textLength: number;
  rootEnded: boolean;
}

function createXmlParser(handler: XmlHandler) {
  const parser = sax.parser(true, { position: true });
  const state: XmlState = {
    handler,
    parser,
    path: [],
    open: [],
    skipFrom: 0,
    elements: 0,
    textLength: 0,
    rootEnded: false,
  };
  parser.onopentag = (tag) => openTag(state, tag as sax.Tag);
  parser.onclosetag = () => closeTag(state);
  parser.ontext = (text) => addText(state, text);
  parser.oncdata = (text) => addText(state, text);
  parser.ondoctype = () => fail(state, 'has a document type, which is refused');
  parser.onerror = (error) =>
    fail(state, `is no valid XML: ${(error.message.split('\n')[0] ?? '').slice(0, 120)}`);
  return {
    write: (text: string) => void parser.write(text),
    end(): void {
      if (!state.rootEnded) fail(state, 'ends too early');
      parser.close();
    },
  };
}

function fail({ parser }: XmlState, message: string): never {
  throw reportError(message, { line: parser.line + 1, column: parser.column + 1 });
}

function openTag(state: XmlState, { name, attributes }: sax.Tag): void {
  const { path, open, handler, parser } = state;
  path.push(name);
  if (path.length > limits.depth) fail(state, `is nested deeper than ${limits.depth} levels`);
  if (state.skipFrom > 0) return;
  if (open.length === 0) {
    const selection = handler.select(path, attributes);
    if (selection === 'enter') return;
    if (selection === 'skip') {
      state.skipFrom = path.length;
      return;
    }
    state.elements = 0;
    state.textLength = 0;
  }
  state.elements += 1;
  if (state.elements > limits.elements)
    fail(state, `has an element with more than ${limits.elements} elements`);
  const place = `${parser.line + 1}:${parser.column + 1}`;
  const element: XmlElement = { name, attributes: { ...attributes }, children: [], text: '', place };
  open.at(-1)?.children.push(element);
  open.push(element);
}

function closeTag(state: XmlState): void {
  const { path, open, handler } = state;
  if (state.skipFrom > 0) {
    if (state.skipFrom === path.length) state.skipFrom = 0;
  } else {
    const element = open.pop();
    if (element !== undefined && open.length === 0) handler.onElement(element, path);
  }
  path.pop();
  if (path.length === 0) state.rootEnded = true;
}

function addText(state: XmlState, text: string): void {
  const element = state.open.at(-1);
  if (element === undefined || state.skipFrom > 0) return;
  state.textLength += text.length;
  if (state.textLength > limits.textLength)
    fail(state, `has an element of more than ${limits.textLength} characters`);
  element.text += text;
}

/** The first child of a name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** The children of a name. */
export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** The trimmed text of the first child of a name; null where there is none. */
export function childText(element: XmlElement | undefined, name: string): string | null {
  return childOf(element, name)?.text.trim() || null;
}
