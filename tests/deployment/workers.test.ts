// Several processes that serve one port (WORKERS) without Redis: limits, rights and live events are those of one server, and a
// worker that is killed takes nothing along.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createClient as createSseClient } from 'graphql-sse';
import { admin } from '../kit/harness.js';
import { sleep, until } from '../kit/live.js';
import { createServerProcess } from '../kit/programs/process.js';
import { atEnd } from '../kit/use.js';

const logs = mkdtempSync(join(tmpdir(), 'sec-tester-logs-'));
const env = {
  ...{ WORKERS: '2', LOG_LEVEL: 'info', METRICS: 'true', LOGIN_MAX_FAILURES: '5' },
  ...{ RATE_LIMIT_PER_MINUTE: '0', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0', SESSIONS_MAX_PER_USER: '1000' },
};

interface Line {
  event: string;
  worker?: number;
  pid: number;
  path?: string;
  signal?: string;
}
const linesWith = (text: string): Line[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.includes(text) && line.endsWith('}'))
    .map((line) => JSON.parse(line));
const eventsNamed = (event: string) => linesWith(`"event":"${event}"`);
/** The workers that have answered this path. */
const workersOf = (path: string) => new Set(linesWith(`"path":"${path}"`).map(({ worker }) => worker));

/** Over a connection of its own: the primary gives each to the next worker. */
async function call(method: string, path: string, body?: unknown, bearer?: string) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      connection: 'close',
      'content-type': 'application/json',
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    // node:cluster leaves a connection open that it was handing to a worker when that was killed.
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}
const signIn = (email: string = admin.email, password: string = admin.password) =>
  call('POST', '/api/v1/auth/login', { email, password });
const gql = (query: string, variables: object = {}, bearer = token) =>
  call('POST', '/graphql', { query, variables }, bearer);
const health = async () => (await call('GET', '/api/v1/health', undefined, token)).body;
const isWhole = async () => (await health()).workers?.running === 2;

async function createUser(): Promise<{ email: string; password: string }> {
  const user = { email: `${randomUUID()}@workers.test`, password: 'plum violin 4482 meadow crane' };
  const { body } = await gql(
    'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }',
    {
      input: { ...user, name: 'Someone', role: 'ANALYST' },
    },
  );
  expect(body.data.createUser.user.id).toBeTruthy();
  return user;
}

const create = `mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }`;
const input = () => ({
  name: 'Scan',
  target: 'https://target.test',
  kind: 'DAST',
  idempotencyKey: randomUUID(),
});

const server = await createServerProcess(env);
atEnd(() => server.remove());
await server.start();
const token: string = (await signIn()).body.accessToken;
await until(isWhole, 'both workers');

describe('two workers without Redis', () => {
  it('share a port, and health and metrics report on both', async () => {
    for (let times = 0; times < 6; times += 1) await call('GET', '/api/v1/auth/me', undefined, token);
    await until(() => workersOf('/api/v1/auth/me').size === 2, 'lines of both workers');
    expect(await health()).toMatchObject({ status: 'healthy', workers: { configured: 2, running: 2 } });
    expect((await call('GET', '/api/v1/health')).body).not.toHaveProperty('workers');
    const { body } = await call('GET', '/metrics');
    const [, count] =
      /http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/auth\/me",status="2xx"\} (\d+)/.exec(
        body,
      ) ?? [];
    expect(Number(count)).toBe(6);
  });

  it('lock an account after exactly as many wrong passwords as one process would', async () => {
    const almost = await createUser();
    for (let times = 0; times < 4; times += 1)
      expect((await signIn(almost.email, 'wrong wrong wrong')).status).toBe(401);
    expect((await signIn(almost.email, almost.password)).status).toBe(200);

    const locked = await createUser();
    for (let times = 0; times < 5; times += 1)
      expect((await signIn(locked.email, 'wrong wrong wrong')).status).toBe(401);
    for (let times = 0; times < 4; times += 1)
      expect((await signIn(locked.email, locked.password)).status).toBe(401);
    await until(() => workersOf('/api/v1/auth/login').size === 2, 'lines of both workers');
  });

  it('let a user who signs out do nothing more on either', async () => {
    const { email, password } = await createUser();
    const { accessToken } = (await signIn(email, password)).body;
    const me = () => call('GET', '/api/v1/auth/me', undefined, accessToken);
    for (let times = 0; times < 4; times += 1) expect((await me()).status).toBe(200); // both have cached the session
    expect((await call('POST', '/api/v1/auth/logout', {}, accessToken)).status).toBe(200);
    await until(async () => {
      const answers = await Promise.all([me(), me(), me(), me()]);
      return answers.every(({ status }) => status === 401);
    }, 'a refusal by both workers');
  });

  it('bring events that the one writes to streams of the other, in order and without a gap', async () => {
    const { body } = await gql(create, { input: input() });
    const { id } = body.data.createExecution.execution;
    await gql('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }', { id });
    const streams = [1, 2].map(() => {
      const progress: number[] = [];
      const client = createSseClient({
        url: `${server.url}/graphql`,
        headers: { authorization: `Bearer ${token}` },
      });
      client.subscribe(
        { query: `subscription { executionEvents(executionId: "${id}") { type execution { progress } } }` },
        {
          next: ({ data }) => {
            const event = data?.executionEvents as { type: string; execution: { progress: number } };
            if (event.type.includes('PROGRESS')) progress.push(event.execution.progress);
          },
          error: () => {},
          complete: () => {},
        },
      );
      return { progress, client };
    });
    const reports = Array.from({ length: 8 }, (_, index) => (index + 1) * 10);
    const report =
      'mutation($input: ReportProgressInput!) { reportProgress(input: $input) { execution { progress } } }';
    for (const progress of reports) {
      const answer = await gql(report, { input: { executionId: id, progress } });
      expect(answer.body.errors).toBeUndefined();
    }
    await until(() => streams.every(({ progress }) => progress.length === reports.length), 'all events');
    for (const { progress, client } of streams) {
      expect(progress).toEqual(reports);
      client.dispose();
    }
  });

  it('lose nothing that was acknowledged when one is killed, and are two again', async () => {
    const acknowledged: string[] = [];
    const lost: string[] = [];
    let isOver = false;
    const writers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const given = input();
        const answer = await gql(create, { input: given }).catch(() => undefined);
        const made = answer?.body.data?.createExecution?.execution.id as string | undefined;
        if (made !== undefined) acknowledged.push(made);
        else lost.push(given.idempotencyKey);
        await sleep(20); // some dozens are enough
      }
    });
    for (let kills = 1; kills <= 3; kills += 1) {
      const before = acknowledged.length;
      await until(() => acknowledged.length >= before + 10, 'some executions');
      const { pid } = eventsNamed('worker_started').at(-1) as Line;
      process.kill(pid, 'SIGKILL');
      await until(() => eventsNamed('worker_ended').length === kills, 'the end of a worker');
      await until(() => eventsNamed('worker_started').length === 2 + kills, 'another worker');
    }
    isOver = true;
    await Promise.all(writers);
    await until(isWhole, 'both workers');
    // Who got no answer asks again by the same key.
    for (const idempotencyKey of lost) {
      const again = await gql(create, { input: { ...input(), idempotencyKey } });
      acknowledged.push(again.body.data.createExecution.execution.id);
    }
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    const read = 'query($id: ID!) { node(id: $id) { id } }';
    for (const id of acknowledged) expect((await gql(read, { id })).body.data?.node?.id).toBe(id);
    expect(eventsNamed('worker_ended').map(({ signal }) => signal)).toEqual([
      'SIGKILL',
      'SIGKILL',
      'SIGKILL',
    ]);
  });

  it('drain and end with the primary', async () => {
    expect(await server.stop('SIGTERM')).toBe(0);
    expect(
      eventsNamed('stopped')
        .map(({ worker }) => worker)
        .toSorted(),
    ).toEqual([1, 2, undefined]);
  });
});

it('a killed primary takes its workers and its embedded database along; each worker has log files of its own', async () => {
  const own = await createServerProcess({ ...env, DATABASE_URL: '', LOG_FILE: join(logs, 'api.log') });
  const isUp = () => fetch(`${own.url}/api/v1/health/live`).then(Boolean, () => false);
  try {
    await own.start();
    expect(own.output().match(/embedded_database_started/g)).toHaveLength(1);
    await until(() => own.output().match(/"worker_started"/g)?.length === 2, 'both workers');
    const names = readdirSync(logs).map((name) => name.replace(/\.\d{4}-\d\d-\d\d\.1\.log$/, ''));
    expect(names.toSorted()).toEqual(['api', 'api.worker-1', 'api.worker-2']);
    expect(await own.stop('SIGKILL')).toBeNull();
    await until(async () => !(await isUp()), 'the end of the workers');
    await own.start(); // with the data, which nothing uses any more
    expect(await own.stop('SIGTERM')).toBe(0);
  } finally {
    await own.remove();
    rmSync(logs, { recursive: true, force: true });
  }
});
