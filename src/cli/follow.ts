// Follows an execution over the event stream to its end, through lost connections, restarts and expired tokens.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, failure, isFailure, isNetworkFault, reasonOf } from './failure.js';
import { type GraphqlBody, graphqlErrorOf, request } from './http.js';
import { type ExecutionEvent, queries } from './queries.js';
import type { Api } from './session.js';

const lastTypes = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];
const passingCodes = ['UNREACHABLE', 'UNAVAILABLE', 'RATE_LIMITED', 'TOKEN_EXPIRED'];
const firstPauseMs = 250;
const longestPauseMs = 5000;
/** The server sends something at least every 15 s; after this silence the client takes the connection for dead. */
const silenceMs = 45_000;

/** Callbacks and limits of following. */
export interface FollowOptions {
  onEvent(event: ExecutionEvent): void;
  /** The connection was lost and is tried again. */
  onLoss(reason: string): void;
  /** Longest time that a server may be out of reach, in milliseconds. */
  patienceMs: number;
  /** Longest time that the execution may take from now, in milliseconds; no limit by default. */
  timeoutMs?: number;
}

/**
 * Refuses a caller that may not read executions before it creates one that it could not follow.
 * @throws Failure
 */
export async function assertMayFollow(api: Api): Promise<void> {
  await api.graphql(queries.executions, { filter: {}, first: 1 });
}

/**
 * Follows an execution to its last event. After a broken stream it continues after the last event seen.
 * @returns the last event
 * @throws Failure when there is no such execution, nobody is signed in, or the patience or the time runs out
 */
export async function followToEnd(
  api: Api,
  executionId: string,
  { onEvent, onLoss, patienceMs, timeoutMs }: FollowOptions,
): Promise<ExecutionEvent> {
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  let after: string | undefined;
  let lostAt: number | undefined;
  let pauseMs = firstPauseMs;
  let refused: string | undefined;
  // A stream also breaks off when the time of its token is over: the next connection tells which it was.
  let untold: string | undefined;
  for (;;) {
    let token: string | undefined;
    try {
      token = await api.token(refused);
      refused = undefined;
      for await (const event of eventsOf(api.server, token, executionId, after, deadline)) {
        after = event.id;
        lostAt = undefined;
        if (untold !== undefined) onLoss(untold);
        untold = undefined;
        pauseMs = firstPauseMs;
        onEvent(event);
        if (lastTypes.includes(event.type)) return event;
      }
      throw failure('the stream ended early', { code: 'UNAVAILABLE' });
    } catch (error) {
      if (deadline?.aborted) throw notInTime(timeoutMs as number);
      if (!mayPass(error)) throw error;
      if ((error as Failure).code === 'TOKEN_EXPIRED') refused = token;
      if (Date.now() - (lostAt ?? Date.now()) >= patienceMs) throw tooLong(error, patienceMs);
      if (refused !== undefined) untold = undefined;
      else if (lostAt === undefined) untold = reasonOf(error);
      else {
        untold = undefined;
        onLoss(reasonOf(error));
      }
      lostAt ??= Date.now();
      const waitMs = Math.max(pauseMs, 1000 * ((error as Failure).retryAfterSeconds ?? 0));
      await sleep(waitMs, undefined, deadline && { signal: deadline }).catch(() => undefined);
      if (deadline?.aborted) throw notInTime(timeoutMs as number);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }
}

/** Whether trying again may help: the network, a restart, a token that is over. */
function mayPass(error: unknown): boolean {
  if (isFailure(error)) return passingCodes.includes(error.code ?? '');
  return isNetworkFault(error) || (error as Error).name === 'AbortError';
}

function tooLong(error: unknown, patienceMs: number): Failure {
  const seconds = Math.round(patienceMs / 1000);
  return failure(`The server was not to be had for ${seconds} s: ${reasonOf(error)}`, {
    code: 'UNREACHABLE',
  });
}

function notInTime(timeoutMs: number): Failure {
  return failure(`The execution has not ended within ${timeoutMs / 1000} s`, { code: 'TIMEOUT' });
}

async function* eventsOf(
  server: URL,
  token: string,
  id: string,
  after: string | undefined,
  deadline: AbortSignal | undefined,
): AsyncGenerator<ExecutionEvent> {
  const silence = new AbortController();
  const watchdog = setTimeout(() => silence.abort(), silenceMs);
  const stop = () => silence.abort();
  deadline?.addEventListener('abort', stop);
  if (deadline?.aborted) stop();
  try {
    const response = await request(
      server,
      'graphql',
      { query: queries.events, variables: { id, after } },
      { token, accept: 'text/event-stream', signal: silence.signal },
    );
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const body = (await response.json().catch(() => ({}))) as GraphqlBody;
      throw graphqlErrorOf(body) ?? failure(`The server answered ${response.status} and no event stream`);
    }
    const heard = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        watchdog.refresh();
        controller.enqueue(chunk);
      },
    });
    const { EventSourceParserStream } = await import('eventsource-parser/stream');
    const messages = response.body
      ?.pipeThrough(heard)
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .pipeThrough(new EventSourceParserStream());
    for await (const { event, data } of messages ?? []) {
      if (event !== 'next') continue;
      const body = JSON.parse(data) as GraphqlBody;
      const error = graphqlErrorOf(body);
      if (error !== undefined) throw error;
      yield (body.data as { executionEvents: ExecutionEvent }).executionEvents;
    }
  } finally {
    clearTimeout(watchdog);
    deadline?.removeEventListener('abort', stop);
    silence.abort();
  }
}
