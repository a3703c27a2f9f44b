// Following live streams with the real clients, over either transport, and what the tests do to make events.
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Role } from '../../src/core/permissions.js';
import type { Timing } from '../../src/core/timeouts.js';
import { generateSigningKey } from '../../src/infra/credentials/jwt.js';
import { type GqlAnswer, startTestServer, type TestServer } from './harness.js';
import { createPerson, type Person } from './seed.js';
import { atEnd, useServer } from './use.js';

export const transports = ['WebSocket', 'event stream'] as const;
export type Transport = (typeof transports)[number];

export interface LiveEvent {
  id: string;
  type: string;
  at: string;
  execution: { id: string; status: string; progress: number; phase: string | null };
}

/** A client's view of a stream. */
export interface Following {
  events: LiveEvent[];
  /** Codes of errors that came in answers. */
  errors: { code: string; fields?: { path: string }[]; correlationId?: string }[];
  /** `complete`, or how it broke: a WebSocket close code, a network error. */
  ended: Promise<string>;
  hasEnded: () => boolean;
  stop: () => void;
}

export const eventFields = 'id type at execution { id status progress phase }';
export const eventsOf = `subscription($executionId: ID!, $after: ID) {
  live: executionEvents(executionId: $executionId, after: $after) { ${eventFields} }
}`;
export const changes = `subscription($filter: ExecutionFilter, $after: ID) {
  live: executionsChanged(filter: $filter, after: $after) { ${eventFields} }
}`;

interface Request {
  query: string;
  variables: Record<string, unknown>;
}

interface Answer {
  data?: { live?: LiveEvent } | null;
  errors?: readonly { extensions?: Record<string, unknown> }[];
}

/** Opens a subscription over a transport and gathers what comes. */
export function subscribe(
  transport: Transport,
  url: string,
  token: string,
  request: Request,
  onEvent: (event: LiveEvent) => void = () => {},
): Following {
  let end: (how: string) => void = () => {};
  const events: LiveEvent[] = [];
  const errors: Following['errors'] = [];
  let hasEnded = false;
  const ended = new Promise<string>((resolve) => {
    end = (how) => {
      hasEnded = true;
      resolve(how);
    };
  });
  const noteErrors = (given: Answer['errors']) => {
    for (const { extensions } of given ?? []) errors.push(extensions as Following['errors'][number]);
  };
  const sink = {
    next: (answer: Answer) => {
      noteErrors(answer.errors);
      const event = answer.data?.live;
      if (event == null) return;
      events.push(event);
      onEvent(event);
    },
    error: (error: unknown) => {
      if (Array.isArray(error)) noteErrors(error);
      const { code, response } = error as { code?: number; response?: Response };
      if (Array.isArray(error)) end('error');
      else end(response === undefined ? String(code ?? error) : `HTTP ${response.status}`);
    },
    complete: () => end('complete'),
  };
  const stop = openers[transport](url, token, request, sink as never);
  return { events, errors, ended, hasEnded: () => hasEnded, stop };
}

const openers: Record<Transport, (url: string, token: string, request: Request, sink: never) => () => void> =
  {
    WebSocket(url, token, request, sink) {
      const client = createWsClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      const stop = client.subscribe(request, sink);
      return () => {
        stop();
        void client.dispose();
      };
    },
    'event stream'(url, token, request, sink) {
      const client = createSseClient({
        url: `${url}/graphql`,
        headers: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      return client.subscribe(request, sink);
    },
  };

/** Follows one execution. */
export function follow(
  transport: Transport,
  server: Pick<TestServer, 'url'>,
  token: string,
  executionId: string,
  after?: string,
): Following {
  return subscribe(transport, server.url, token, { query: eventsOf, variables: { executionId, after } });
}

/** Waits until something is so. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = 1; !(await isSo()); pauseMs = Math.min(pauseMs + 1, 20)) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(pauseMs);
  }
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How a stream ended, or an error when it did not. */
export async function endOf(stream: Following): Promise<string> {
  await until(stream.hasEnded, 'the end of the stream');
  return stream.ended;
}

/** Waits until so many statements of the server wait for a lock. */
export function untilLocked({ sql }: Pick<TestServer, 'sql'>, count: number): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  return until(async () => (await sql(waiting)).length >= count, `${count} statements that wait for a lock`);
}

/** Reports progress. */
export function report(
  server: TestServer,
  token: string,
  executionId: string,
  progress: number,
  phase?: string,
): Promise<GqlAnswer> {
  return server.change(
    'reportProgress',
    { executionId, progress, phase },
    'execution { id status progress }',
    token,
  );
}

/** Any of the mutations that take an id alone. */
export async function act(server: TestServer, token: string, field: string, id: string): Promise<GqlAnswer> {
  return server.gql(`mutation($id: ID!) { ${field}(id: $id) { execution { id status } } }`, { id }, token);
}

/** Ids of an execution's events as the log has them. */
export async function logOf(server: TestServer, executionId: string): Promise<string[]> {
  const rows = await server.sql<{ id: string }>(
    'SELECT id FROM execution_events WHERE execution_id = $1 ORDER BY number',
    [executionId.slice(4)],
  );
  return rows.map(({ id }) => `evt_${id}`);
}

export const idsOf = ({ events }: Following): string[] => events.map(({ id }) => id);

/** A server for all tests of a file, and people of these roles who are signed in to it. */
export async function useServerWith<Roles extends Role[]>(
  roles: readonly [...Roles],
  timing: Partial<Timing> = {},
): Promise<[TestServer, ...{ [Index in keyof Roles]: Person }]> {
  const server = await useServer({}, { timing });
  const admin = await server.signIn();
  const people: Person[] = [];
  for (const role of roles) people.push(await createPerson(server, admin, role));
  return [server, ...(people as { [Index in keyof Roles]: Person })];
}

/** Two servers on one database; on one Redis too when its URL is given. */
export async function startTwo(
  redisUrl?: string,
  timing: Partial<Timing> = {},
  env: Record<string, string> = {},
): Promise<[TestServer, TestServer]> {
  const keys = { JWT_SIGNING_KEYS: JSON.stringify([await generateSigningKey()]) };
  const shared = { ...env, ...keys, ...(redisUrl !== undefined && { REDIS_URL: redisUrl }) };
  const first = await startTestServer(shared, { timing });
  const second = await startTestServer({ ...shared, DATABASE_URL: first.databaseUrl }, { timing });
  return [first, second];
}

/** {@link startTwo} for all tests of a file. */
export async function useTwo(...settings: Parameters<typeof startTwo>): Promise<[TestServer, TestServer]> {
  const servers = await startTwo(...settings);
  for (const server of servers) atEnd(server.close);
  return servers;
}
