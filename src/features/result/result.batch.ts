// Prepares batches of results for their insert: records, digest, and the results that are skipped.
import { createHash } from 'node:crypto';
import { type FieldError, validationFailed } from '../../core/errors.js';
import { type AddResultsInput, type ResultInput, severities } from './result.input.js';
import { recordOf } from './result.records.js';

/** A result that was left out of a batch, and why. */
export interface SkippedResult {
  /** Position in the batch, from 0. */
  index: number;
  /** Its title, as far as it has one. */
  title: string | null;
  /** Path of the first fault below the result, for example `cvssVector`. */
  path: string;
  message: string;
}

/** The input of a batch, with the results that its check has skipped. */
export type BatchInput = AddResultsInput & { skipped?: SkippedResult[] };

/** A batch as it waits for the database: a text, not thousands of objects. */
export interface Batch {
  executionId: string;
  batchKey: string | null | undefined;
  /** The records as a JSON array. */
  records: string;
  digest: Buffer;
  count: number;
  /** Results whose fingerprint has to be computed, by position; undefined when all have one. */
  withoutFingerprint: (ResultInput | null)[] | undefined;
  skipped: SkippedResult[];
}

/**
 * Prepares a batch for its insert.
 * @throws VALIDATION_FAILED for CVSS vectors that cannot be scored, unless invalid results are skipped
 */
export function prepareBatch(input: BatchInput): Batch {
  const { executionId, batchKey, onInvalid, results } = input;
  const skipped = [...(input.skipped ?? [])];
  const faults: FieldError[] = [];
  const kept: ResultInput[] = [];
  const records = results.flatMap((result, index) => {
    const record = recordOf(result, severities.indexOf(result.severity));
    const message = record.fault;
    if (message !== undefined) {
      if (onInvalid === 'SKIP') skipped.push({ index, title: result.title, path: 'cvssVector', message });
      else
        faults.push({
          path: `input.results.${index}.cvssVector`,
          message: named(message, index, result.title),
        });
      return [];
    }
    kept.push(result);
    return [record];
  });
  if (faults.length > 0) throw validationFailed(faults);
  const isNameless = ({ fingerprint }: ResultInput) => fingerprint == null;
  const text = JSON.stringify(records);
  return {
    executionId,
    batchKey,
    records: text,
    digest: createHash('sha256').update(text).digest(),
    count: kept.length,
    withoutFingerprint: kept.some(isNameless)
      ? kept.map((result) => (isNameless(result) ? result : null))
      : undefined,
    skipped,
  };
}

/** A fault with the result that has it: its position alone is hard to find in a report. */
export function named(message: string, index: number, title: unknown): string {
  if (typeof title !== 'string') return `${message} (result ${index})`;
  return `${message} (result ${index}: ${JSON.stringify(title.slice(0, 80))})`;
}
