// Runs planned operations by the algorithm of the GraphQL specification (section 6). Making the plans is in plan.ts.
import {
  type ExecutionResult,
  type GraphQLError,
  type GraphQLResolveInfo,
  getArgumentValues,
  locatedError,
} from 'graphql';
import type { GraphQLContext } from './context.js';
import type { FieldPlan, ObjectPlan, Plan, ValuePlan } from './plan.js';

type Path = GraphQLResolveInfo['path'];
type Data = Record<string, unknown>;

/** One run of a plan. */
interface Run {
  plan: Plan;
  context: GraphQLContext;
  /** Checked and converted. */
  variables: Data;
  errors: GraphQLError[];
  /** Whether nobody waits for the answer any more. */
  isAborted: () => boolean;
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
  const run: Run = { plan, context, variables, errors: [], isAborted };
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
      ? executeSerially(run, plan.root)
      : executeFields(run, plan.root, undefined, undefined);
    return isPromise(data) ? data.then(answer, fail) : answer(data);
  } catch (error) {
    return fail(error);
  }
}

async function executeSerially(run: Run, { fields }: ObjectPlan): Promise<Data> {
  const data: Data = {};
  for (const field of fields) data[field.key] = await executeField(run, field, undefined, undefined);
  return data;
}

function executeFields(
  run: Run,
  { fields }: ObjectPlan,
  source: unknown,
  path: Path | undefined,
): Data | Promise<Data> {
  const data: Data = {};
  let pending: Promise<void>[] | undefined;
  try {
    for (const field of fields) {
      const value = executeField(run, field, source, path);
      data[field.key] = value;
      if (isPromise(value)) {
        pending ??= [];
        pending.push(
          value.then((settled) => {
            data[field.key] = settled;
          }),
        );
      }
    }
  } catch (error) {
    if (pending === undefined) throw error;
    // What the other fields began may fail too, and must not do so unheard.
    const rethrow = () => {
      throw error;
    };
    return Promise.all(pending).then(rethrow, rethrow);
  }
  return pending === undefined ? data : Promise.all(pending).then(() => data);
}

/** The value of a field in the answer; null, with an error noted, when it failed and may be null. */
function executeField(run: Run, field: FieldPlan, source: unknown, parentPath: Path | undefined): unknown {
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
    const completed = isPromise(value)
      ? value.then((settled) => complete(run, field, plan, settled, path))
      : complete(run, field, plan, value, path);
    return isPromise(completed)
      ? completed.then(undefined, (error: unknown) => handle(run, field, plan, error, path))
      : completed;
  } catch (error) {
    return handle(run, field, plan, error, path);
  }
}

function resolve(run: Run, field: FieldPlan, source: unknown, path: Path): unknown {
  if (run.isAborted()) throw new Error('The client is gone.');
  const { definition, nodes, parentType } = field;
  const { schema, fragments, operation } = run.plan;
  const args = field.args ?? getArgumentValues(definition, nodes[0] as never, run.variables);
  return field.resolve(source, args, run.context, {
    fieldName: definition.name,
    fieldNodes: nodes,
    returnType: definition.type,
    parentType,
    path,
    schema,
    fragments,
    rootValue: undefined,
    operation,
    variableValues: run.variables,
  });
}

/** Value completion; what it throws belongs to the place that `path` names. */
function complete(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  value: unknown,
  path: Path | undefined,
): unknown {
  if (value instanceof Error) throw value;
  if (value === null || value === undefined) {
    if (plan.isNonNull) throw new Error(nullMessage(field));
    return null;
  }
  switch (plan.kind) {
    case 'leaf':
      return completeLeaf(plan.type, value);
    case 'list':
      return completeList(run, field, plan.item, value, path);
    case 'object':
      return executeFields(run, plan.plan, value, path);
    default:
      return plan satisfies { kind: 'name' } as never;
  }
}

function completeLeaf(type: { name: string; serialize: (value: unknown) => unknown }, value: unknown) {
  const text = type.serialize(value);
  if (text === null || text === undefined) throw new Error(`A ${type.name} was completed to nothing.`);
  return text;
}

function completeList(
  run: Run,
  field: FieldPlan,
  plan: ValuePlan,
  list: unknown,
  path: Path | undefined,
): unknown[] | Promise<unknown[]> {
  if (!Array.isArray(list)) throw new Error(`Expected a list for ${field.definition.name}.`);
  let hasPromise = false;
  const items = list.map((item: unknown, index) => {
    const itemPath: Path = { prev: path, key: index, typename: undefined };
    try {
      const completed = isPromise(item)
        ? item.then((settled) => complete(run, field, plan, settled, itemPath))
        : complete(run, field, plan, item, itemPath);
      if (!isPromise(completed)) return completed;
      hasPromise = true;
      return completed.then(undefined, (error: unknown) => handle(run, field, plan, error, itemPath));
    } catch (error) {
      return handle(run, field, plan, error, itemPath);
    }
  });
  return hasPromise ? Promise.all(items) : items;
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

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}
