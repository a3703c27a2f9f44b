// Completes a field's outcome: errors with their places, nulls where a value may be null, and waiting.
import { locatedError } from 'graphql';
import type { FieldPlan, ValuePlan } from './plan.js';
import type { Path, Run } from './resolve.js';

/** As {@link handle}, for what may fail later. */
export function handled(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  completed: unknown,
  path: Path,
): unknown {
  return isPromise(completed)
    ? completed.then(undefined, (error: unknown) => handle(run, field, plan, error, path))
    : completed;
}

/** Notes an error where the value may be null; otherwise it is the parent's. @throws GraphQLError with its path */
export function handle(
  run: Run,
  { nodes }: FieldPlan,
  { isNonNull }: ValuePlan,
  error: unknown,
  path: Path,
): null {
  const located = locatedError(error, nodes, pathToList(path));
  if (isNonNull) throw located;
  run.errors.push(located);
  return null;
}

function pathToList(path: Path): (string | number)[] {
  const list: (string | number)[] = [];
  for (let step: Path | undefined = path; step !== undefined; step = step.prev) list.push(step.key);
  return list.reverse();
}

/** Null for a missing value. @throws Error, in graphql-js's words, where the value may not be null */
export function nothing({ parentType, definition }: FieldPlan, { isNonNull }: ValuePlan): null {
  if (isNonNull)
    throw new Error(`Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`);
  return null;
}

/** Nothing, an error, or not there yet: what has to be looked at on its own. */
export function isSpecial(value: unknown): boolean {
  return value === null || value === undefined || value instanceof Error || isPromise(value);
}

/** Whether a value is still to come. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}

/** Throws an error; later, where something was begun, which may fail too and must not do so unheard */
export function failed(pending: readonly unknown[] | undefined, error: unknown): Promise<never> {
  if (pending === undefined) throw error;
  const rethrow = () => {
    throw error;
  };
  return Promise.all(pending).then(rethrow, rethrow);
}
