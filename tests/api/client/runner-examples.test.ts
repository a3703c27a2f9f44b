// The examples of the runner and of watching, as people run them: child processes against a server.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { act, report, until } from '../../kit/live.js';
import { createServerProcess } from '../../kit/programs/process.js';
import { createExecution, createPerson, password, startExecution } from '../../kit/seed.js';
import { atEnd, useServer } from '../../kit/use.js';

const children: ChildProcess[] = [];
const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
const page = createServer((_request, response) => response.end('<p>hello')).listen(0, '127.0.0.1');
await until(() => page.listening, 'the page');
const pageUrl = `http://127.0.0.1:${(page.address() as AddressInfo).port}/`;
atEnd(async () => {
  for (const child of children) child.kill('SIGKILL');
  page.close();
});

interface Running {
  child: ChildProcess;
  out: () => string;
  code: () => number | null;
}

function runExample(name: string, args: string[], env: Record<string, string>): Running {
  const child = spawn(process.execPath, [`examples/${name}.mjs`, ...args], {
    env: { PATH: process.env.PATH, SEC_TESTER_URL: server.url, ...env },
  });
  children.push(child);
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (out += chunk));
  return { child, out: () => out, code: () => child.exitCode };
}

const signIn = () => ({ SEC_TESTER_EMAIL: analyst.email, SEC_TESTER_PASSWORD: password });
const statusOf = async (id: string) =>
  (await server.sql<{ status: string }>('SELECT status FROM test_executions WHERE id = $1', [id.slice(4)]))[0]
    ?.status;

async function createKey(): Promise<string> {
  const input = { name: 'runner', scopes: ['execution:run'], expiresAt: new Date(Date.now() + 86_400_000) };
  const answer = await server.change('createApiKey', input, 'secret', analyst.token);
  return answer.expectData().createApiKey.secret;
}

it('the runner works off what waits, with an API key, fails what it cannot do, and stops when asked', async () => {
  const good = await createExecution(server, analyst.token, { target: pageUrl });
  const bad = await createExecution(server, analyst.token, { target: 'no url' });
  const runner = runExample('header-scan', ['runner', '--runner', 'box-7'], {
    SEC_TESTER_TOKEN: await createKey(),
  });
  await until(async () => (await statusOf(bad)) === 'FAILED', 'both to be done');
  expect(await statusOf(good)).toBe('COMPLETED');
  const [row] = await server.sql(
    `SELECT runner, medium_count + low_count + high_count + info_count > 0 AS "hasFindings" FROM test_executions WHERE id = $1`,
    [good.slice(4)],
  );
  expect(row).toEqual({ runner: 'box-7', hasFindings: true });
  const later = await createExecution(server, analyst.token, { target: pageUrl });
  await until(async () => (await statusOf(later)) === 'COMPLETED', 'the later one');
  runner.child.kill('SIGTERM');
  await until(() => runner.code() !== null, 'the end of the runner');
  expect([runner.code(), runner.out()]).toEqual([0, expect.stringContaining('Stopped')]);
});

it('watching shows the progress to the end, and tells by its exit code how it went', async () => {
  const id = await startExecution(server, analyst.token);
  const watching = runExample('watch', [id], signIn());
  await until(() => watching.out().includes('STARTED'), 'the beginning');
  await report(server, analyst.token, id, 40, 'crawling');
  await until(() => watching.out().includes(' 40 %  PROGRESS  0 findings  crawling'), 'the report');
  await act(server, analyst.token, 'completeExecution', id);
  await until(() => watching.code() !== null, 'its end');
  expect([watching.code(), watching.out()]).toEqual([
    0,
    expect.stringContaining('Scan: COMPLETED, 0 findings'),
  ]);

  const cancelled = await createExecution(server, analyst.token);
  const second = runExample('watch', [cancelled], signIn());
  await until(() => second.out().includes('CREATED'), 'the beginning');
  await act(server, analyst.token, 'cancelExecution', cancelled);
  await until(() => second.code() !== null, 'its end');
  expect(second.code()).toBe(1);
  const unknown = runExample('watch', ['exe_019a0000-0000-7000-8000-000000000000'], signIn());
  await until(() => unknown.code() !== null, 'its end');
  expect([unknown.code(), unknown.out()]).toEqual([1, expect.stringContaining('NOT_FOUND')]);
});

it('watching goes on where it was when the server was killed and is back', async () => {
  const behind = await createServerProcess({
    ...{ DATABASE_URL: server.databaseUrl },
    JWT_SIGNING_KEYS: '',
  });
  try {
    await behind.start();
    const id = await startExecution(server, analyst.token);
    const watching = runExample('watch', [id], { ...signIn(), SEC_TESTER_URL: behind.url });
    await until(() => watching.out().includes('STARTED'), 'the beginning');
    await behind.stop('SIGKILL');
    await until(() => watching.out().includes('trying again'), 'the loss');
    await report(server, analyst.token, id, 60);
    await behind.start();
    await until(() => watching.out().includes(' 60 %'), 'what was missed');
    await act(server, analyst.token, 'completeExecution', id);
    await until(() => watching.code() !== null, 'its end');
    expect(watching.code()).toBe(0);
    for (const type of ['CREATED', 'STARTED', 'PROGRESS', 'COMPLETED  '])
      expect(watching.out().split(type)).toHaveLength(2);
  } finally {
    await behind.remove();
  }
});
