// Executes operations on every transport by their plans, which it caches. graphql-js executes operations without a
// plan (an invalid variable, an unknown directive, more than a thousand fields) with the same answers, and words the errors.
import { type ExecutionArgs, type ExecutionResult, execute, type GraphQLSchema } from 'graphql';
import type { GraphQLContext } from '../schema-kit/context.js';
import { executePlan } from './execute.js';
import { isPromise } from './outcome.js';
import { createPlanCache, type Planned } from './plan-cache.js';

/** Arguments of graphql-js's `execute`, and a signal that ends the execution. */
export type ExecutorArgs = ExecutionArgs & { signal?: AbortSignal };

/** Executes operations of one schema. */
export type Executor = ReturnType<typeof createExecutor>;

/** Creates the executor. */
export function createExecutor(schema: GraphQLSchema) {
  const { planFor } = createPlanCache(schema);

  return {
    planFor,

    /** Runs a plan. @throws Error when the run was aborted */
    run: (
      { plan, variables }: Planned,
      context: GraphQLContext,
      isAborted: () => boolean,
    ): ExecutionResult | Promise<ExecutionResult> => executePlan(plan, context, variables, isAborted),

    /**
     * Executes as graphql-js's `execute` does, for what calls it by that interface; an event too, as the root value.
     * @throws the reason of the signal, when the execution was aborted
     */
    execute(args: ExecutorArgs): ExecutionResult | Promise<ExecutionResult> {
      const { document, operationName = null, variableValues, contextValue, rootValue, signal } = args;
      const planned = planFor(document, operationName, { ...variableValues });
      if (planned === undefined) return execute(args) as ExecutionResult | Promise<ExecutionResult>;
      const { plan, variables } = planned;
      const isAborted = () => signal?.aborted === true;
      const fail = (error: unknown): never => {
        throw isAborted() ? signal?.reason : error;
      };
      try {
        const result = executePlan(plan, contextValue as GraphQLContext, variables, isAborted, rootValue);
        return isPromise(result) ? result.catch(fail) : result;
      } catch (error) {
        return fail(error);
      }
    },
  };
}
