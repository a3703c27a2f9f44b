// Running a plan (plan.ts): by the rules of graphql-js's executor, with its errors and their places, but for what is found
// out only once per plan, and for the answer, which is JSON text at once.
import { type GraphQLError, locatedError } from 'graphql';
import type { GraphQLContext } from './context.js';
import type { FieldPlan, ObjectPlan, Plan, ValuePlan } from './plan.js';
import { type Path, type Run, resolve } from './resolve.js';

type Data = Record<string, unknown>;
/** A part of the answer; a promise where a resolver waits. */
type Text = string | Promise<string>;

/** An answer: `data` is JSON text already. */
export interface TextResult {
  data: string;
  errors?: GraphQLError[];
}

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
): TextResult | Promise<TextResult> {
  const run: Run = { plan, context, variables, checkedArgs: new Map(), errors: [], isAborted };
  const answer = (data: string): TextResult => {
    if (isAborted()) throw new Error('The client is gone.');
    return run.errors.length === 0 ? { data } : { errors: run.errors, data };
  };
  const fail = (error: unknown): TextResult => {
    if (isAborted()) throw error;
    return { errors: [...run.errors, error as GraphQLError], data: 'null' };
  };
  try {
    const data = plan.isSerial
      ? writeSerially(run, plan.root)
      : writeFields(run, plan.root, undefined, undefined);
    return isPromise(data) ? data.then(answer, fail) : answer(data);
  } catch (error) {
    return fail(error);
  }
}

async function writeSerially(run: Run, { fields }: ObjectPlan): Promise<string> {
  let text = '';
  for (const field of fields) text += field.label + (await writeField(run, field, undefined, undefined));
  return `${text}}`;
}

/** @param ready what was waited for already */
function writeFields(
  run: Run,
  { fields }: ObjectPlan,
  source: unknown,
  path: Path | undefined,
  ready?: Ready,
): Text {
  let text = '';
  /** What is written already, and what is waited for, in turn. */
  let parts: Text[] | undefined;
  try {
    for (const field of fields) {
      text += field.label;
      const value =
        ready?.fields.includes(field) === true
          ? writeReady(run, field, ready, path)
          : writeField(run, field, source, path);
      if (typeof value === 'string') text += value;
      else {
        parts ??= [];
        parts.push(text, value);
        text = '';
      }
    }
  } catch (error) {
    return failed(parts, error);
  }
  return joined(parts, `${text}}`);
}

function joined(parts: Text[] | undefined, end: string): Text {
  return parts === undefined ? end : Promise.all(parts).then((texts) => texts.join('') + end);
}

/** @throws error; later, where something was begun, which may fail too and must not do so unheard */
function failed(parts: Text[] | undefined, error: unknown): Promise<string> {
  if (parts === undefined) throw error;
  const rethrow = () => {
    throw error;
  };
  return Promise.all(parts).then(rethrow, rethrow);
}

/** The value of a field in the answer; null, with an error noted, when it failed and may be null. */
function writeField(run: Run, field: FieldPlan, source: unknown, parentPath: Path | undefined): Text {
  const { key, property, parentType, value: plan } = field;
  if (plan.kind === 'name') return `"${parentType.name}"`;
  if (property !== undefined && plan.kind === 'leaf') {
    try {
      return write(run, field, plan, (source as Data)[property], parentPath);
    } catch (error) {
      return handle(run, field, plan, error, { prev: parentPath, key, typename: parentType.name });
    }
  }
  const path: Path = { prev: parentPath, key, typename: parentType.name };
  try {
    const value = property === undefined ? resolve(run, field, source, path) : (source as Data)[property];
    if (isPromise(value)) field.waits = true;
    const written = isPromise(value)
      ? value.then((settled) => write(run, field, plan, settled, path))
      : write(run, field, plan, value, path);
    return handled(run, field, plan, written, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

function writeReady(
  run: Run,
  field: FieldPlan,
  { fields, outcomes, at }: Ready,
  parentPath: Path | undefined,
): Text {
  const { key, parentType, value: plan } = field;
  const path: Path = { prev: parentPath, key, typename: parentType.name };
  try {
    const outcome = outcomes[at + fields.indexOf(field)] as PromiseSettledResult<unknown>;
    if (outcome.status === 'rejected') throw outcome.reason;
    const written = write(run, field, plan, outcome.value, path);
    return handled(run, field, plan, written, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

/** Value completion; what it throws belongs to the place that `path` names. */
function write(run: Run, field: FieldPlan, plan: ValuePlan, value: unknown, path: Path | undefined): Text {
  if (value === null || value === undefined) {
    if (plan.isNonNull) throw new Error(nullMessage(field));
    return 'null';
  }
  if (value instanceof Error) throw value;
  switch (plan.kind) {
    case 'leaf':
      return plan.write(value);
    case 'list':
      return writeList(run, field, plan.item, value, path);
    case 'object':
      return writeFields(run, plan.plan, value, path);
    default:
      return plan satisfies { kind: 'name' } as never;
  }
}

function writeList(run: Run, field: FieldPlan, plan: ValuePlan, list: unknown, path: Path | undefined): Text {
  if (!Array.isArray(list)) throw new Error(`Expected a list for ${field.definition.name}.`);
  const waiting =
    plan.kind === 'object' && list.length > 1 ? plan.plan.fields.filter(({ waits }) => waits) : [];
  if (waiting.length === 0 || !list.every(isPlainObject)) return writeItems(run, field, plan, list, path);
  // What the objects wait for is begun for all, and waited for once: promises for each cost more than all the rest.
  const begun = list.flatMap((item, index) => {
    const itemPath: Path = { prev: path, key: index, typename: undefined };
    return waiting.map((inner) => begin(run, inner, item, itemPath));
  });
  return Promise.allSettled(begun).then((outcomes) =>
    writeItems(run, field, plan, list, path, { fields: waiting, outcomes }),
  );
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

function writeItems(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  list: readonly unknown[],
  path: Path | undefined,
  ready?: Omit<Ready, 'at'>,
): Text {
  let text = '[';
  let parts: Text[] | undefined;
  try {
    for (let index = 0; index < list.length; index += 1) {
      const itemPath: Path = { prev: path, key: index, typename: undefined };
      const item = writeItem(
        run,
        field,
        plan,
        list[index],
        itemPath,
        ready && { ...ready, at: index * ready.fields.length },
      );
      if (index > 0) text += ',';
      if (typeof item === 'string') text += item;
      else {
        parts ??= [];
        parts.push(text, item);
        text = '';
      }
    }
  } catch (error) {
    return failed(parts, error);
  }
  return joined(parts, `${text}]`);
}

function writeItem(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  item: unknown,
  path: Path,
  ready: Ready | undefined,
): Text {
  try {
    if (ready !== undefined && plan.kind === 'object') {
      const written = writeFields(run, plan.plan, item, path, ready);
      return handled(run, field, plan, written, path);
    }
    const written = isPromise(item)
      ? item.then((settled) => write(run, field, plan, settled, path))
      : write(run, field, plan, item, path);
    return handled(run, field, plan, written, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

/** As {@link handle}, for what may fail later. */
function handled(run: Run, field: FieldPlan, plan: ValuePlan, written: Text, path: Path): Text {
  return isPromise(written)
    ? written.then(undefined, (error: unknown) => handle(run, field, plan, error, path))
    : written;
}

/** Notes an error where the value may be null; otherwise it is the parent's. @throws GraphQLError with its path */
function handle(
  run: Run,
  { nodes }: FieldPlan,
  { isNonNull }: ValuePlan,
  error: unknown,
  path: Path,
): string {
  const located = locatedError(error, nodes, pathToList(path));
  if (isNonNull) throw located;
  run.errors.push(located);
  return 'null';
}

function pathToList(path: Path): (string | number)[] {
  const list: (string | number)[] = [];
  for (let step: Path | undefined = path; step !== undefined; step = step.prev) list.push(step.key);
  return list.reverse();
}

function nullMessage({ parentType, definition }: FieldPlan): string {
  return `Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`;
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Error) && !isPromise(value);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}
