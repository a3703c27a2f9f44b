// The resolvers of a planned operation: the permission, the arguments and the call, by the field's rule. execute.ts writes
// the values.
import { type GraphQLError, type GraphQLResolveInfo, getArgumentValues } from 'graphql';
import { authorize } from '../../core/permissions.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import type { FieldPlan, Plan } from './plan.js';
import type { FieldRule } from './pothos-field.js';

export type Path = GraphQLResolveInfo['path'];
type Args = Record<string, unknown>;

/** One run of a plan. */
export interface Run {
  plan: Plan;
  context: GraphQLContext;
  /** The value that root fields are read from; for a subscription, an event. */
  rootValue: unknown;
  /** Checked and converted. */
  variables: Record<string, unknown>;
  /** Arguments of fields whose variables were put in and checked in this run. */
  checkedArgs: Map<FieldPlan, Args>;
  errors: GraphQLError[];
  /** Whether nobody waits for the answer any more. */
  isAborted: () => boolean;
}

/** For resolvers that take no info. */
const unreadInfo = Object.freeze({}) as GraphQLResolveInfo;

/** Calls a field's resolver. @throws Error of the rule, the arguments or the resolver, or when the run was aborted */
export function resolve(run: Run, field: FieldPlan, source: unknown, path: Path): unknown {
  if (run.isAborted()) throw new Error('The client is gone.');
  const { rule, definition, nodes } = field;
  const { context } = run;
  if (rule === undefined) {
    const args = field.args ?? getArgumentValues(definition, nodes[0], run.variables);
    return field.resolve(source, args, context, infoOf(run, field, path));
  }
  const { permission } = rule;
  if (permission !== undefined) authorize(context.viewer, permission);
  const info = rule.needsInfo ? infoOf(run, field, path) : unreadInfo;
  const args = field.checkedArgs ?? run.checkedArgs.get(field) ?? checkArgs(run, field, rule, path);
  return args instanceof Promise
    ? args.then((settled) => rule.resolve(source, settled, context, info))
    : rule.resolve(source, args, context, info);
}

/** Checks the arguments of a field. They are the same for every object of a run, so valid ones are kept. */
function checkArgs(run: Run, field: FieldPlan, rule: FieldRule, path: Path): Args | Promise<Args> {
  let args: Args | Promise<Args> =
    field.args ?? getArgumentValues(field.definition, field.nodes[0], run.variables);
  const info = infoOf(run, field, path);
  for (const map of rule.argMappers) {
    const check = (given: Args) => map(given, run.context, info);
    args = args instanceof Promise ? args.then(check) : check(args);
  }
  if (args instanceof Promise) return args;
  Object.freeze(args);
  if (field.args !== undefined) field.checkedArgs = args;
  else if (path.prev !== undefined) run.checkedArgs.set(field, args); // the root has one object
  return args;
}

/** The place of a call, as resolvers see it. */
export function infoOf(
  { plan, variables, rootValue }: Run,
  field: FieldPlan,
  path: Path,
): GraphQLResolveInfo {
  const { definition, nodes, parentType } = field;
  const { schema, fragments, operation } = plan;
  return {
    fieldName: definition.name,
    fieldNodes: nodes,
    returnType: definition.type,
    parentType,
    path,
    schema,
    fragments,
    rootValue,
    operation,
    variableValues: variables,
  };
}
