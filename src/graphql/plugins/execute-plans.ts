// Yoga plugins around the execution: our executor in place of graphql-js's, and the bound on the size of its results.
import type { Plugin } from 'graphql-yoga';
import { limitSize } from '../documents/response-size.js';
import type { Executor } from '../execution/executor.js';

/** Runs everything by the executor. */
export function executeBy({ execute }: Executor): Plugin {
  return { onExecute: ({ setExecuteFn }) => setExecuteFn(execute) };
}

/** Bounds the size of results, streams aside, whose events are bounded by their documents. */
export function limitResponse(bytes: number): Plugin {
  return {
    onExecute: () => ({
      onExecuteDone({ result, setResult }) {
        if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result))
          setResult(limitSize(result, bytes));
      },
    }),
  };
}
