// Feeds a source to the JSON reader and yields what a format made of its values, chunk by chunk.
import type { ReportSource } from '../format.js';
import { createJsonReader, type JsonHandler } from './json-reader.js';

/**
 * Reads a source; `batch` returns (and forgets) what has come of it so far, after each chunk.
 * @throws VALIDATION_FAILED with the JSON Pointer of a fault
 */
export async function* readJson<T>(
  source: ReportSource,
  handler: JsonHandler,
  batch: () => T[],
): AsyncGenerator<T[]> {
  const reader = createJsonReader(handler);
  for await (const chunk of source.open()) {
    reader.write(chunk);
    const items = batch();
    if (items.length > 0) yield items;
  }
  reader.end();
  const items = batch();
  if (items.length > 0) yield items;
}
