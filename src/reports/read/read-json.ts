// Feeds a source to the JSON reader and yields what a format made of its values, chunk by chunk.

import { finishItem } from '../finish-item.js';
import type { ReportSource } from '../format.js';
import type { DraftItem, ReportItem } from '../item.js';
import type { ReportNotes } from '../notes.js';
import { type JsonHandler, type JsonLimits, type JsonPath, jsonLimits } from './json-handler.js';
import { createJsonReader } from './json-reader.js';
import { pointerOf } from './pointer.js';

/**
 * Reads a source; `batch` returns (and forgets) what has come of it so far, after each chunk.
 * @throws VALIDATION_FAILED with the JSON Pointer of a fault
 */
export async function* readJson<T>(
  source: ReportSource,
  handler: JsonHandler,
  batch: () => T[],
  limits: JsonLimits = jsonLimits,
): AsyncGenerator<T[]> {
  const reader = createJsonReader(handler, limits);
  for await (const chunk of source.open()) {
    reader.write(chunk);
    const items = batch();
    if (items.length > 0) yield items;
  }
  reader.end();
  const items = batch();
  if (items.length > 0) yield items;
}

/** Takes one result; `path` is where it stands in the report. */
export type AddItem = (draft: DraftItem, path: JsonPath) => void;

/**
 * Reads a source whose handler adds drafts: counts them, applies the limits and yields the items chunk by chunk.
 * @throws VALIDATION_FAILED with the JSON Pointer of a fault
 */
export async function* readJsonItems(
  source: ReportSource,
  notes: ReportNotes,
  handlerFor: (add: AddItem) => JsonHandler,
): AsyncGenerator<ReportItem[]> {
  let items: ReportItem[] = [];
  const handler = handlerFor((draft, path) => {
    notes.read += 1;
    const at = [...path];
    items.push(finishItem(draft, notes, () => pointerOf(at)));
  });
  yield* readJson(source, handler, () => {
    const ready = items;
    items = [];
    return ready;
  });
}

/** Reads a source to its end for values that the handler keeps, at most 64 MiB. */
export async function collectJson(
  source: ReportSource,
  handler: JsonHandler,
  limits: JsonLimits,
): Promise<void> {
  const reader = createJsonReader(handler, limits);
  for await (const chunk of source.open()) reader.write(chunk);
  reader.end();
}
