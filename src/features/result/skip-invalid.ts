// Lets a batch keep its valid results: with `onInvalid: SKIP`, invalid ones are left out and listed.
import { quickly } from '../../validation/fields.js';
import { named, type SkippedResult } from './result.batch.js';
import { addResultsInput } from './result.input.js';

const whole = quickly(addResultsInput)['~standard'];
type Outcome = Awaited<ReturnType<typeof whole.validate>>;
type Issue = NonNullable<Outcome['issues']>[number];

/** The check (Standard Schema) of addResults' input; its output names the skipped results. */
export const addResultsCheck = {
  '~standard': {
    ...whole,
    validate(value: unknown) {
      const outcome = whole.validate(value);
      if (outcome instanceof Promise || outcome.issues === undefined) return outcome;
      const input = value as { onInvalid?: unknown; results?: unknown };
      const results = Array.isArray(input.results) ? (input.results as { title?: unknown }[]) : [];
      const faults = new Map<number, Issue>();
      for (const issue of outcome.issues) {
        const index = rowOf(issue);
        if (index !== undefined && !faults.has(index)) faults.set(index, issue);
      }
      const isRowFault = (issue: Issue) => rowOf(issue) !== undefined;
      if (input.onInvalid !== 'SKIP' || !outcome.issues.every(isRowFault))
        return { issues: outcome.issues.map((issue) => describe(issue, results)) };
      return skip(value as object, results, faults);
    },
  },
} as typeof addResultsInput;

/** Position of the result that an issue is about; undefined for an issue of the batch. */
function rowOf({ path = [] }: Issue): number | undefined {
  const [field, index] = path.map((part) => (typeof part === 'object' ? part.key : part));
  return field === 'results' && typeof index === 'number' ? index : undefined;
}

function describe(issue: Issue, results: readonly { title?: unknown }[]): Issue {
  const index = rowOf(issue);
  return index === undefined
    ? issue
    : { ...issue, message: named(issue.message, index, results[index]?.title) };
}

function skip(value: object, results: readonly { title?: unknown }[], faults: ReadonlyMap<number, Issue>) {
  const skipped: SkippedResult[] = [...faults].map(([index, { path = [], message }]) => ({
    index,
    title: typeof results[index]?.title === 'string' ? results[index].title.slice(0, 500) : null,
    path: path
      .slice(2)
      .map((part) => String(typeof part === 'object' ? part.key : part))
      .join('.'),
    message,
  }));
  const kept = results.filter((_result, index) => !faults.has(index));
  // An empty batch is refused by its shape, but here there was one.
  if (kept.length === 0) {
    const outcome = whole.validate({ ...value, results: [{ title: 'none', severity: 'INFO' }] });
    if (outcome instanceof Promise || outcome.issues !== undefined) return outcome;
    return { value: { ...outcome.value, results: [], skipped } };
  }
  const outcome = whole.validate({ ...value, results: kept });
  if (outcome instanceof Promise || outcome.issues !== undefined) return outcome;
  return { value: { ...outcome.value, skipped } };
}
