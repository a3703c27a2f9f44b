// Runs a plan (plan.ts) on any transport: queries and events at once, mutations one field after the other.
import type { ExecutionResult, GraphQLError } from 'graphql';
import type { GraphQLContext } from '../schema-kit/context.js';
import { completeField, completeFields, type Data } from './complete.js';
import { isPromise } from './outcome.js';
import type { ObjectPlan, Plan } from './plan.js';
import type { Run } from './resolve.js';

/**
 * Runs a plan; without a promise, when no resolver gives one.
 * @param variables checked and converted (`getVariableValues`)
 * @param rootValue what the fields of the root are taken of
 * @throws Error when the run was aborted
 */
export function executePlan(
  plan: Plan,
  context: GraphQLContext,
  variables: Data,
  isAborted: () => boolean,
  rootValue?: unknown,
): ExecutionResult | Promise<ExecutionResult> {
  const run: Run = { plan, context, rootValue, variables, checkedArgs: new Map(), errors: [], isAborted };
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
      : completeFields(run, plan.root, rootValue, undefined);
    return isPromise(data) ? data.then(answer, fail) : answer(data);
  } catch (error) {
    return fail(error);
  }
}

async function completeSerially(run: Run, { fields }: ObjectPlan): Promise<Data> {
  const data: Data = {};
  for (const field of fields) {
    const value = completeField(run, field, run.rootValue, undefined);
    // It may be large, and its mutation wait for long.
    if (field === fields.at(-1) && !run.plan.keepsVariables) run.variables = {};
    data[field.key] = await value;
  }
  return data;
}
