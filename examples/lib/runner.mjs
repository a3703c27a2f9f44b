// The life of a runner: it claims executions one after another and has them done. What is done is the caller's.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, plain } from '../client.mjs';

const idleMs = 2000;
const unreachableMs = 5000;

const claim = `mutation Claim($input: ClaimExecutionInput!) {
  claimExecution(input: $input) { execution { id name target } }
}`;

/**
 * Claims and works until it is told to stop (SIGINT, SIGTERM); what has been begun is finished first.
 * @param {import('../client.mjs').Api} api
 * @param {{ kinds: string[], runner: string }} input
 * @param {(execution: { id: string, name: string, target: string }) => Promise<unknown>} work
 */
export async function serve(api, input, work) {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
  const pause = (/** @type {number} */ ms) => sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  console.log(`Runner ${input.runner} waits for ${input.kinds.join(', ')} executions`);
  while (!stop.signal.aborted) {
    const execution = await next(api, input).catch(async (error) => {
      if (!isPassing(error)) throw error;
      console.error(plain(error.message));
      await pause(unreachableMs);
      return undefined;
    });
    if (execution === null) await pause(idleMs);
    if (execution) await work(execution).catch((error) => console.error(plain(error.message)));
  }
  console.log('Stopped');
}

/** @param {import('../client.mjs').Api} api @param {object} input */
async function next(api, input) {
  return (await api.graphql(claim, { input })).claimExecution.execution;
}

/** Whether waiting may help. @param {any} error */
function isPassing(error) {
  return (
    error instanceof Failure && ['UNREACHABLE', 'UNAVAILABLE', 'RATE_LIMITED'].includes(error.code ?? '')
  );
}
