// Reads reports in tests: from bytes or from the fixtures, in chunks of any size.
import { readFileSync } from 'node:fs';
import type { ReportFormatName, ReportSource } from '../../src/reports/format.js';
import type { ReportItem } from '../../src/reports/item.js';
import { createNotes, type ReportNotes } from '../../src/reports/notes.js';
import { createReportSource } from '../../src/reports/read/source.js';
import { openReport } from '../../src/reports/read-report.js';

export interface ReadReport {
  format: ReportFormatName;
  items: ReportItem[];
  notes: ReportNotes;
}

/** A source of bytes that come in chunks; at most `maxBytes` when they are unpacked. */
export function reportSource(
  content: Uint8Array | string,
  chunkBytes = 65_536,
  maxBytes = 256 * 2 ** 20,
): ReportSource {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return createReportSource(async function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }, maxBytes);
}

/** Reads a report to its end. */
export async function readAll(
  content: Uint8Array | string,
  format?: ReportFormatName,
  chunkBytes?: number,
  maxBytes?: number,
): Promise<ReadReport> {
  const notes = createNotes();
  const report = await openReport(reportSource(content, chunkBytes, maxBytes), format);
  const items: ReportItem[] = [];
  for await (const batch of report.read(notes)) items.push(...batch);
  return { format: report.format, items, notes };
}

/** Bytes of a file below tests/fixtures/reports/formats. */
export function formatFixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/reports/formats/${name}`, import.meta.url));
}
