// Reads XML of any size as a stream: hands over one element at a time with all that is in it.
// Entities are never declared nor resolved; a document type is refused, but for the harmless ones that a format names.
import { StringDecoder } from 'node:string_decoder';
import sax from 'sax';
import { finishItem } from '../finish-item.js';
import type { ReportSource } from '../format.js';
import type { DraftItem, ReportItem } from '../item.js';
import type { ReportNotes } from '../notes.js';
import { reportError } from '../report-error.js';
import type { XmlElement } from './xml-element.js';

/** The handler of a format's XML. */
export interface XmlHandler {
  /** Names that the root element may have. */
  roots: readonly string[];
  /** Called where an element begins, with the names from the root to it. */
  select: (
    path: readonly string[],
    attributes: Readonly<Record<string, string>>,
    place: string,
  ) => 'element' | 'enter' | 'skip';
  /** Takes a selected element. */
  onElement: (element: XmlElement, path: readonly string[]) => void;
  /** Called where an entered element ends. */
  onEnd?: (path: readonly string[]) => void;
  /** Called where the text ends too early, instead of the fault. */
  onTruncated?: (place: string) => void;
  /** The document type that the tool writes; every other one is refused. */
  doctype?: RegExp;
}

const limits = { depth: 100, elements: 200_000, textLength: 16 * 2 ** 20 };

// Texts in attributes, as nmap writes the output of its scripts, may be as long as texts between tags.
Object.assign(sax, { MAX_BUFFER_LENGTH: limits.textLength });

/** Takes one result and the place of its start tag. */
export type AddXmlItem = (draft: DraftItem, place: string) => void;

/**
 * Reads a source whose handler adds drafts: counts them, applies the limits and yields the items chunk by chunk.
 * @throws VALIDATION_FAILED with line and column
 */
export async function* readXmlItems(
  source: ReportSource,
  notes: ReportNotes,
  handlerFor: (add: AddXmlItem) => XmlHandler,
): AsyncGenerator<ReportItem[]> {
  let items: ReportItem[] = [];
  const parser = createXmlParser(
    handlerFor((draft, place) => {
      notes.read += 1;
      items.push(finishItem(draft, notes, place));
    }),
  );
  // sax takes text: a character may lie across two chunks.
  const decoder = new StringDecoder('utf8');
  for await (const chunk of source.open()) {
    parser.write(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    if (items.length > 0) yield items;
    items = [];
  }
  parser.end();
  if (items.length > 0) yield items;
}

/** Reads a source to its end for a handler that keeps what it needs. */
export async function collectXml(source: ReportSource, handler: XmlHandler): Promise<void> {
  const parser = createXmlParser(handler);
  const decoder = new StringDecoder('utf8');
  for await (const chunk of source.open())
    parser.write(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  parser.end();
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
  parser.ondoctype = (doctype) => {
    if (handler.doctype?.test(doctype.trim()) !== true) fail(state, 'has a document type, which is refused');
  };
  parser.onerror = (error) =>
    fail(state, `is no valid XML: ${(error.message.split('\n')[0] ?? '').slice(0, 120)}`);
  return {
    write: (text: string) => void parser.write(text),
    end(): void {
      if (state.rootEnded) parser.close();
      else if (handler.onTruncated === undefined || state.path.length === 0) fail(state, 'ends too early');
      else handler.onTruncated(placeIn(parser));
    },
  };
}

function placeIn({ line, column }: sax.SAXParser): string {
  return `${line + 1}:${column + 1}`;
}

function fail({ parser }: XmlState, message: string): never {
  throw reportError(message, { line: parser.line + 1, column: parser.column + 1 });
}

function openTag(state: XmlState, { name, attributes }: sax.Tag): void {
  const { path, open, handler, parser } = state;
  path.push(name);
  if (path.length > limits.depth) fail(state, `is nested deeper than ${limits.depth} levels`);
  if (state.skipFrom > 0) return;
  if (path.length === 1 && !handler.roots.includes(name))
    fail(state, `has the root element <${name.slice(0, 60)}> in place of <${handler.roots[0]}>`);
  const place = placeIn(parser);
  if (open.length === 0) {
    const selection = handler.select(path, attributes, place);
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
  for (const key in attributes) countText(state, attributes[key] ?? '');
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
    if (element === undefined) handler.onEnd?.(path);
    else if (open.length === 0) handler.onElement(element, path);
  }
  path.pop();
  if (path.length === 0) state.rootEnded = true;
}

function addText(state: XmlState, text: string): void {
  const element = state.open.at(-1);
  if (element === undefined || state.skipFrom > 0) return;
  countText(state, text);
  element.text += text;
}

function countText(state: XmlState, text: string): void {
  state.textLength += text.length;
  if (state.textLength > limits.textLength)
    fail(state, `has an element of more than ${limits.textLength} characters`);
}
