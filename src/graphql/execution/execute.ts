// Running a plan (plan.ts): by the rules of graphql-js's executor, with its errors and their places, but for what is found
// out only once per plan.
import { type ExecutionResult, type GraphQLError, locatedError } from 'graphql';
import type { GraphQLContext } from '../schema-kit/context.js';
import type { FieldPlan, ObjectPlan, Plan, ValuePlan } from './plan.js';
import { type Path, type Run, resolve } from './resolve.js';
import type { Serialize } from './serialize-leaf.js';

type Data = Record<string, unknown>;

/** What was waited for ahead of a list's objects: outcomes of these fields for one object after the other. */
interface Ready {
  fields: readonly FieldPlan[];
  outcomes: readonly PromiseSettledResult<unknown>[];
  /** Where those of this object begin. */
  at: number;
}

/**
 * Runs a plan; without a promise, when no resolver gives one.
 * @param variables checked and converted (`getVariableValues`)
 * @throws Error when the run was aborted
 */
export function executePlan(
  plan: Plan,
  context: GraphQLContext,
  variables: Data,
  isAborted: () => boolean,
): ExecutionResult | Promise<ExecutionResult> {
  const run: Run = { plan, context, variables, checkedArgs: new Map(), errors: [], isAborted };
  const answer = (data: Data): ExecutionResult => {
    if (isAborted()) throw new Error('The client is gone.');
    return run.errors.length === 0 ? { data } : { errors: run.errors, data };
  };
  const fail = (error: unknown): ExecutionResult => {
    if (isAborted()) throw error;
    return { errors: [...run.errors, error as GraphQLError], data: null };
  };
  try {
    const data = plan.isSerial
      ? completeSerially(run, plan.root)
      : completeFields(run, plan.root, undefined, undefined);
    return isPromise(data) ? data.then(answer, fail) : answer(data);
  } catch (error) {
    return fail(error);
  }
}

async function completeSerially(run: Run, { fields }: ObjectPlan): Promise<Data> {
  const data: Data = {};
  for (const field of fields) {
    const value = completeField(run, field, undefined, undefined);
    // It may be large, and its mutation wait for long.
    if (field === fields.at(-1) && !run.plan.keepsVariables) run.variables = {};
    data[field.key] = await value;
  }
  return data;
}

/** @param ready what was waited for already */
function completeFields(
  run: Run,
  { fields, blank }: ObjectPlan,
  source: unknown,
  path: Path | undefined,
  ready?: Ready,
): Data | Promise<Data> {
  const data: Data = { ...blank };
  let pending: Promise<void>[] | undefined;
  try {
    for (const field of fields) {
      const value =
        ready?.fields.includes(field) === true
          ? completeReady(run, field, ready, path)
          : completeField(run, field, source, path);
      data[field.key] = value; // a promise too, so that the keys keep their order
      if (!isPromise(value)) continue;
      pending ??= [];
      pending.push(
        value.then((settled) => {
          data[field.key] = settled;
        }),
      );
    }
  } catch (error) {
    return failed(pending, error);
  }
  return pending === undefined ? data : Promise.all(pending).then(() => data);
}

/** @throws error; later, where something was begun, which may fail too and must not do so unheard */
function failed(pending: readonly unknown[] | undefined, error: unknown): Promise<never> {
  if (pending === undefined) throw error;
  const rethrow = () => {
    throw error;
  };
  return Promise.all(pending).then(rethrow, rethrow);
}

/** The value of a field in the answer; null, with an error noted, when it failed and may be null. */
function completeField(run: Run, field: FieldPlan, source: unknown, parentPath: Path | undefined): unknown {
  const { key, property, parentType, value: plan } = field;
  if (plan.kind === 'name') return parentType.name;
  if (property !== undefined && plan.kind === 'leaf') {
    try {
      return complete(run, field, plan, (source as Data)[property], parentPath);
    } catch (error) {
      return handle(run, field, plan, error, { prev: parentPath, key, typename: parentType.name });
    }
  }
  const path: Path = { prev: parentPath, key, typename: parentType.name };
  try {
    const value = property === undefined ? resolve(run, field, source, path) : (source as Data)[property];
    if (!isPromise(value)) return handled(run, field, plan, complete(run, field, plan, value, path), path);
    field.waits = true;
    const completed = value.then((settled) => complete(run, field, plan, settled, path));
    return handled(run, field, plan, completed, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

function completeReady(
  run: Run,
  field: FieldPlan,
  { fields, outcomes, at }: Ready,
  parentPath: Path | undefined,
): unknown {
  const { key, parentType, value: plan } = field;
  const path: Path = { prev: parentPath, key, typename: parentType.name };
  try {
    const outcome = outcomes[at + fields.indexOf(field)] as PromiseSettledResult<unknown>;
    if (outcome.status === 'rejected') throw outcome.reason;
    return handled(run, field, plan, complete(run, field, plan, outcome.value, path), path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

/** Value completion; what it throws belongs to the place that `path` names. */
function complete(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  value: unknown,
  path: Path | undefined,
): unknown {
  if (value === null || value === undefined) {
    if (plan.isNonNull) throw new Error(nullMessage(field));
    return null;
  }
  if (value instanceof Error) throw value;
  switch (plan.kind) {
    case 'leaf':
      return plan.serialize(value);
    case 'list':
      return completeList(run, field, plan.item, value, path);
    case 'object':
      return completeFields(run, plan.plan, value, path);
    default:
      throw new Error('The name of a type is not completed.');
  }
}

function completeList(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  list: unknown,
  path: Path | undefined,
): unknown[] | Promise<unknown[]> {
  if (!Array.isArray(list)) throw new Error(`Expected a list for ${field.definition.name}.`);
  const values = plan.kind === 'leaf' ? plainValues(plan.serialize, list) : undefined;
  if (values !== undefined) return values;
  const waiting = plan.kind === 'object' && list.length > 1 ? plan.plan.fields.filter(isWaiting) : none;
  if (waiting.length === 0 || list.some(isSpecial)) return completeItems(run, field, plan, list, path);
  // What the objects wait for is begun for all, and waited for once: promises for each cost more than all the rest.
  const begun = list.flatMap((item, index) => {
    const itemPath: Path = { prev: path, key: index, typename: undefined };
    return waiting.map((inner) => begin(run, inner, item, itemPath));
  });
  return Promise.allSettled(begun).then((outcomes) =>
    completeItems(run, field, plan, list, path, { fields: waiting, outcomes }),
  );
}

/** @returns undefined where one of them is no plain value: each needs its place then */
function plainValues(serialize: Serialize, list: readonly unknown[]): unknown[] | undefined {
  try {
    return list.some(isSpecial) ? undefined : list.map((value) => serialize(value));
  } catch {
    return undefined;
  }
}

function begin(run: Run, field: FieldPlan, source: unknown, parentPath: Path): unknown {
  const { key, property, parentType } = field;
  try {
    if (property !== undefined) return (source as Data)[property];
    return resolve(run, field, source, { prev: parentPath, key, typename: parentType.name });
  } catch (error) {
    return Promise.reject(error);
  }
}

function completeItems(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  list: readonly unknown[],
  path: Path | undefined,
  ready?: Omit<Ready, 'at'>,
): unknown[] | Promise<unknown[]> {
  const items: unknown[] = [];
  let hasPromise = false;
  try {
    for (let index = 0; index < list.length; index += 1) {
      const itemPath: Path = { prev: path, key: index, typename: undefined };
      const own = ready && { ...ready, at: index * ready.fields.length };
      const item = completeItem(run, field, plan, list[index], itemPath, own);
      hasPromise ||= isPromise(item);
      items.push(item);
    }
  } catch (error) {
    return failed(hasPromise ? items : undefined, error);
  }
  return hasPromise ? Promise.all(items) : items;
}

function completeItem(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  item: unknown,
  path: Path,
  ready: Ready | undefined,
): unknown {
  try {
    if (ready !== undefined && plan.kind === 'object')
      return handled(run, field, plan, completeFields(run, plan.plan, item, path, ready), path);
    const completed = isPromise(item)
      ? item.then((settled) => complete(run, field, plan, settled, path))
      : complete(run, field, plan, item, path);
    return handled(run, field, plan, completed, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

/** As {@link handle}, for what may fail later. */
function handled(run: Run, field: FieldPlan, plan: ValuePlan, completed: unknown, path: Path): unknown {
  return isPromise(completed)
    ? completed.then(undefined, (error: unknown) => handle(run, field, plan, error, path))
    : completed;
}

/** Notes an error where the value may be null; otherwise it is the parent's. @throws GraphQLError with its path */
function handle(run: Run, { nodes }: FieldPlan, { isNonNull }: ValuePlan, error: unknown, path: Path): null {
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

function nullMessage({ parentType, definition }: FieldPlan): string {
  return `Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`;
}

const none: FieldPlan[] = [];
const isWaiting = ({ waits }: FieldPlan) => waits === true;

/** Nothing, an error, or not there yet: what has to be looked at on its own. */
function isSpecial(value: unknown): boolean {
  return value === null || value === undefined || value instanceof Error || isPromise(value);
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}
