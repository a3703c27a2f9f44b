// Yoga plugins around the execution: our executor in place of graphql-js's, and the bound on the size of its results.
import type { DocumentNode, ExecutionArgs, ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { largeBytes, withText } from '../documents/response-text.js';
import type { Executor } from '../execution/executor.js';

/** Runs everything by the executor. */
export function executeBy({ execute }: Executor): Plugin {
  return { onExecute: ({ setExecuteFn }) => setExecuteFn(execute) };
}

/**
 * Bounds the size of results, and has large ones written in turns; streams aside, whose events are bounded by their documents. It
 * comes after {@link executeBy}.
 * @param mayExceed whether a response may have more bytes
 */
export function limitResponse(
  mayExceed: (document: DocumentNode, bytes: number) => boolean,
  maxBytes: number,
): Plugin {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const { document } = args as ExecutionArgs;
      if (!mayExceed(document, Math.min(largeBytes, maxBytes))) return;
      setExecuteFn(async (given: ExecutionArgs) =>
        withText((await executeFn(given)) as ExecutionResult, maxBytes),
      );
    },
  };
}
