// Errors of reports, with their place.
import { AppError } from '../core/errors.js';

/** A place in a report: a JSON Pointer or a line and column, and the byte offset where it is known. */
export interface ReportPlace {
  pointer?: string;
  line?: number;
  column?: number;
  offset?: number;
}

/** VALIDATION_FAILED that names the place, for reports that cannot be read any further. */
export function reportError(message: string, place: ReportPlace = {}): AppError {
  const where = placeText(place);
  return new AppError('VALIDATION_FAILED', {
    message: `The report ${message}${where === '' ? '' : ` (${where})`}.`,
    fields: [
      {
        path: place.pointer ?? (place.line === undefined ? '' : `${place.line}:${place.column ?? 1}`),
        message,
      },
    ],
  });
}

function placeText({ pointer, line, column, offset }: ReportPlace): string {
  if (line !== undefined) return `line ${line}, column ${column ?? 1}`;
  const at = offset === undefined ? '' : `byte ${offset}`;
  if (pointer === undefined || pointer === '') return at;
  return at === '' ? `at ${pointer}` : `at ${pointer}, ${at}`;
}
