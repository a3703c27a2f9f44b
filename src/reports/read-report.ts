// Reads a report of any supported format: the way in for imports.
import { detectFormat } from './detect.js';
import type { ReportFormat, ReportFormatName, ReportSource } from './format.js';
import { sarif } from './formats/sarif/sarif.js';
import type { ReportItem } from './item.js';
import type { ReportNotes } from './notes.js';
import { reportError } from './report-error.js';

/** All formats by their names, in the order in which they are asked whether a report is theirs. */
export const formats: ReadonlyMap<ReportFormatName, ReportFormat> = new Map(
  [sarif].map((format) => [format.format, format]),
);

/** A report whose format is known; `read` yields its results in batches, in the order of the report. */
export interface OpenReport {
  format: ReportFormatName;
  /** @throws VALIDATION_FAILED with the place of a fault */
  read: (notes: ReportNotes) => AsyncIterable<ReportItem[]>;
}

/**
 * Opens a report as `format`, or as the format that its content shows.
 * @throws VALIDATION_FAILED when no format recognises it
 */
export async function openReport(
  source: ReportSource,
  format: ReportFormatName | undefined,
): Promise<OpenReport> {
  const found =
    format === undefined ? await detectFormat(source, [...formats.values()]) : formats.get(format);
  if (found === undefined) throw reportError(`cannot be read: the format ${format} is not supported`);
  return { format: found.format, read: (notes) => found.read(source, notes) };
}

/**
 * Reads a report whose format is named or found by its content.
 * @throws VALIDATION_FAILED with the place of a fault
 */
export async function* readReport({
  source,
  format,
  notes,
}: {
  source: ReportSource;
  format?: ReportFormatName;
  notes: ReportNotes;
}): AsyncGenerator<ReportItem[]> {
  const report = await openReport(source, format);
  yield* report.read(notes);
}
