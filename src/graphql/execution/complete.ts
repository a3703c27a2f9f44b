// Completes fields and values by a plan (GraphQL specification, 6.4), by the rules of graphql-js's executor, with its errors and
// their places.
import { failed, handle, handled, isPromise, isSpecial, nothing } from './outcome.js';
import type { AbstractPlan, FieldPlan, ObjectPlan, ValuePlan } from './plan.js';
import { infoOf, type Path, type Run, resolve } from './resolve.js';
import type { Serialize } from './serialize-leaf.js';

/** An object of the answer. */
export type Data = Record<string, unknown>;

/** Values that were awaited ahead of a list's objects: outcomes of these fields for one object after the other. */
interface Ready {
  fields: readonly FieldPlan[];
  outcomes: readonly PromiseSettledResult<unknown>[];
  /** Where those of this object begin. */
  at: number;
}

const none: FieldPlan[] = [];
const isWaiting = ({ waits }: FieldPlan) => waits === true;

/**
 * Takes the fields of an object.
 * @param ready what was waited for already
 */
export function completeFields(
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

/** The value of a field in the answer; null, with an error noted, when it failed and may be null. */
export function completeField(
  run: Run,
  field: FieldPlan,
  source: unknown,
  parentPath: Path | undefined,
): unknown {
  const { key, property, parentType, value: plan } = field;
  if (plan.kind === 'name') return parentType.name;
  if (property !== undefined && plan.kind === 'leaf') {
    try {
      return completeLeaf(field, plan, (source as Data | undefined)?.[property]);
    } catch (error) {
      return handle(run, field, plan, error, { prev: parentPath, key, typename: parentType.name });
    }
  }
  const path: Path = { prev: parentPath, key, typename: parentType.name };
  try {
    const value =
      property === undefined ? resolve(run, field, source, path) : (source as Data | undefined)?.[property];
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

type Leaf = Extract<ValuePlan, { kind: 'leaf' }>;

function completeLeaf(field: FieldPlan, plan: Leaf, value: unknown): unknown {
  if (value === null || value === undefined) return nothing(field, plan);
  if (value instanceof Error) throw value;
  return plan.serialize(value);
}

/** Value completion; what it throws belongs to the place that `path` names. */
function complete(run: Run, field: FieldPlan, plan: ValuePlan, value: unknown, path: Path): unknown {
  if (plan.kind === 'leaf') return completeLeaf(field, plan, value);
  if (value === null || value === undefined) return nothing(field, plan);
  if (value instanceof Error) throw value;
  switch (plan.kind) {
    case 'list':
      return completeList(run, field, plan.item, value, path);
    case 'object':
      return completeObject(run, field, plan.plan, value, path);
    case 'abstract':
      return completeAbstract(run, field, plan, value, path);
    default:
      throw new Error('The name of a type needs no completion.');
  }
}

function completeObject(
  run: Run,
  field: FieldPlan,
  plan: ObjectPlan,
  value: unknown,
  path: Path,
): Data | Promise<Data> {
  const { type } = plan;
  if (type.isTypeOf == null) return completeFields(run, plan, value, path);
  const settle = (isOfType: boolean) => {
    if (!isOfType) throw new Error(`Expected a value of type ${type.name}.`);
    return completeFields(run, plan, value, path);
  };
  const isOfType = type.isTypeOf(value, run.context, infoOf(run, field, path));
  return isPromise(isOfType) ? isOfType.then(settle) : settle(isOfType);
}

/** Completes a value as the object type that it is of (GraphQL specification, 6.4.3: ResolveAbstractType). */
function completeAbstract(
  run: Run,
  field: FieldPlan,
  { type, typeOf, plans }: AbstractPlan,
  value: unknown,
  path: Path,
): Data | Promise<Data> {
  const settle = (name: unknown) => {
    const plan = plans.get(name as string);
    if (plan === undefined)
      throw new Error(`${type.name} was resolved to ${name}, which is none of its types.`);
    return completeObject(run, field, plan, value, path);
  };
  const name = typeOf(value, run.context, infoOf(run, field, path), type);
  return isPromise(name) ? name.then(settle) : settle(name);
}

function completeList(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  list: unknown,
  path: Path,
): unknown[] | Promise<unknown[]> {
  if (!Array.isArray(list)) throw new Error(`Expected a list for ${field.definition.name}.`);
  const values = plan.kind === 'leaf' ? plainValues(plan.serialize, list) : undefined;
  if (values !== undefined) return values;
  const waiting =
    plan.kind === 'object' && plan.plan.type.isTypeOf == null && list.length > 1
      ? plan.plan.fields.filter(isWaiting)
      : none;
  if (waiting.length === 0 || list.some(isSpecial)) return completeItems(run, field, plan, list, path);
  // Begins the outcomes of all objects and waits for them once: a promise for each costs more than all the rest.
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
  path: Path,
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
      return handled(run, field, plan, completeFields(run, plan.plan, item, path, ready), path); // without isTypeOf
    const completed = isPromise(item)
      ? item.then((settled) => complete(run, field, plan, settled, path))
      : complete(run, field, plan, item, path);
    return handled(run, field, plan, completed, path);
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}
