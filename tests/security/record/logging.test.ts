// Attack: forge log lines (CR, LF, ANSI, U+2028 in what is logged), act without leaving a line, or crash the process and
// leave it half alive. ASVS 16.1.1, 16.2.1, 16.2.2, 16.3.1, 16.3.2, 16.3.3, 16.4.1, 16.5.4.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { vocabulary } from '../../../src/features/audit/audit-actions.js';
import { admin, createTestDatabase } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { build } from '../../kit/programs/build.js';
import { createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const documented = new Set(
  [...readFileSync('docs/logging.md', 'utf8').matchAll(/^\| `([a-z_]+)` +\|/gm)].map(
    ([, name]) => name as string,
  ),
);

const line = z
  .looseObject({
    level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']),
    time: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    service: z.literal('sec-tester-api'),
    event: z.string().refine((name) => documented.has(name), 'is not in docs/logging.md'),
    correlationId: z.string().min(1).optional(),
    msg: z.string().optional(),
  })
  .refine(({ event, ip, correlationId }) => correlationId !== undefined || (event !== 'request' && !ip), {
    message: 'has no correlationId though there is a request',
  });

/** Faults of lines, each with its line. */
const faultsOf = (lines: unknown[]) =>
  lines.flatMap((entry) => {
    const parsed = line.safeParse(entry);
    return parsed.success ? [] : [[z.prettifyError(parsed.error), entry]];
  });

const server = await useServer({ LOG_LEVEL: 'trace', AUDIT_SEAL_EVERY_SECONDS: '1' });
const token = await server.signIn();

/** The lines of one request. */
async function linesOf(work: (headers: Record<string, string>) => Promise<unknown>) {
  const id = `log-${Math.random().toString(36).slice(2)}`;
  await work({ 'x-correlation-id': id });
  const own = () => server.logs.filter(({ correlationId }) => correlationId === id);
  await until(() => own().some(({ event }) => event === 'request'), `the line of ${id}`);
  return own();
}

describe('docs/logging.md', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('generated'))
    .map((file) => readFileSync(join('src', file), 'utf8'))
    .join('\n');
  const inCode = [...sources.matchAll(/\bevent: '([a-z_]+)'/g)].map(([, name]) => name as string);
  const words = Object.values(vocabulary).flatMap(({ success, otherwise }) => [
    success,
    otherwise ?? success,
  ]);

  it('lists every event in the code, and none that is gone', () => {
    const all = new Set([...inCode, ...words, 'privilege_permissions_changed', 'audited']);
    expect([...all].filter((name) => !documented.has(name))).toEqual([]);
    expect([...documented].filter((name) => !all.has(name))).toEqual([]);
  });

  it('knows a word for every audited action', () => {
    const actions = [...sources.matchAll(/\baction: '([a-z_]+\.[a-z_]+)'/g)].map(
      ([, name]) => name as string,
    );
    expect(actions.length).toBeGreaterThan(10);
    expect(actions.filter((name) => !(name in vocabulary))).toEqual([]);
  });
});

describe('a security event', () => {
  const login = (email: string, secret: string) => (headers: Record<string, string>) =>
    server.rest('POST', '/api/v1/auth/login', { body: { email, password: secret }, headers });
  const events = async (work: (headers: Record<string, string>) => Promise<unknown>) =>
    (await linesOf(work)).map(({ event }) => event).filter((event) => event !== 'request');

  it('of signing in is one line for each attempt, aliases too', async () => {
    expect(await events(login(admin.email, admin.password))).toEqual(['authn_login_success']);
    expect(await events(login(admin.email, 'wrong'))).toEqual(['authn_login_fail']);
    expect(await events(login('nobody@people.test', 'wrong'))).toEqual(['authn_login_fail']);
    const field = (name: string) =>
      `${name}: login(input: { email: "${admin.email}", password: "${admin.password}" }) { expiresIn }`;
    const query = `mutation { ${['a', 'b', 'c', 'd', 'e'].map(field).join(' ')} }`;
    expect(await events((headers) => server.gql(query, {}, undefined, headers))).toEqual(
      Array(5).fill('authn_login_success'),
    );
  });

  it('of a denial is a line, and a row where the user is known', async () => {
    const viewer = await createPerson(server, token, 'VIEWER');
    const count = async () => (await server.sql<{ count: string }>('SELECT count(*) FROM audit_events'))[0];
    const before = await count();
    const query = '{ auditEvents { totalCount } }';
    const lines = await linesOf((headers) => server.gql(query, {}, viewer.token, headers));
    expect(lines.filter(({ event }) => event === 'authz_fail')).toEqual([
      expect.objectContaining({
        level: 'warn',
        reason: 'FORBIDDEN',
        userId: expect.any(String),
        ip: '127.0.0.1',
      }),
    ]);
    expect(await events((headers) => server.gql('{ me { id } }', {}, undefined, headers))).toEqual([
      'authz_fail',
    ]);
    expect(await events((headers) => server.rest('GET', '/api/v1/auth/me', { headers }))).toEqual([
      'authz_fail',
    ]);
    expect(
      await events((headers) => server.rest('GET', '/api/v1/auth/me', { token: `${token}x`, headers })),
    ).toEqual(['authz_fail']);
    await until(async () => (await count())?.count === String(Number(before?.count) + 1), 'one row');
  });

  it('of wrong input or a document beyond the limits is a line, each time it is sent', async () => {
    for (let round = 0; round < 2; round += 1) {
      const deep = `{ ${'a { '.repeat(40)} b ${'} '.repeat(40)} }`;
      for (const query of ['{', '{ nothing }', deep, '{ executions(first: -1) { totalCount } }'])
        expect([query, await events((headers) => server.gql(query, {}, token, headers))]).toEqual([
          query,
          ['input_validation_fail'],
        ]);
    }
    expect(
      await events((headers) => server.rest('POST', '/api/v1/auth/login', { body: { email: 1 }, headers })),
    ).toEqual(['input_validation_fail']);
  });

  it('of a change of role, of users, sessions and keys has OWASP’s word', async () => {
    const update = 'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }';
    const { id } = await createPerson(server, token, 'VIEWER');
    const change = (input: object) =>
      events((headers) => server.gql(update, { input: { id, ...input } }, token, headers));
    expect(await change({ role: 'ANALYST' })).toEqual(['privilege_permissions_changed']);
    expect(await change({ name: 'Other' })).toEqual(['user_updated']);
    const act = (name: string) =>
      events((headers) =>
        server.gql(`mutation($id: ID!) { ${name}(id: $id) { __typename } }`, { id }, token, headers),
      );
    expect(await act('deactivateUser')).toEqual(['user_archived']);
    expect(await act('deleteUser')).toEqual(['user_deleted']);
  });

  it('is bounded for one request', async () => {
    const fields = Array.from({ length: 200 }, (_, index) => `"${index}": 1`).join(', ');
    const lines = await linesOf((headers) =>
      server.rest('POST', '/api/v1/auth/login', { body: `{${fields}}`, headers }),
    );
    expect(lines.length).toBeLessThanOrEqual(31);
  });
});

describe('a process of its own', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-logging-'));
  let child: ChildProcess;
  let output = '';
  let errors = '';
  let port = 0;
  const hook = `data:text/javascript,process.on('SIGUSR2',()=>{setImmediate(()=>{throw new Error('planted')})})`;
  const rows = () => output.split('\n').filter((row) => row.startsWith('{'));

  beforeAll(async () => {
    await build();
    child = spawn(process.execPath, ['--import', hook, 'dist/main.js'], {
      env: {
        ...{ PATH: process.env.PATH, NODE_ENV: 'test', PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'trace' },
        ...{
          ARGON2_MEMORY_KIB: '8',
          ARGON2_ITERATIONS: '1',
          ADMIN_EMAIL: admin.email,
          ADMIN_PASSWORD: password,
        },
        DATABASE_URL: await createTestDatabase(),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout?.on('data', (data) => {
      output += data;
    });
    child.stderr?.on('data', (data) => {
      errors += data;
    });
    await until(() => {
      port = Number(/"event":"started","port":(\d+)/.exec(output)?.[1] ?? 0);
      if (child.exitCode !== null) throw new Error(`it did not start: ${errors}`);
      return port !== 0;
    }, 'a running server');
  });
  afterAll(() => {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('writes one line for an event, with any characters in it', async () => {
    const nasty = `a\r\n{"level":"fatal","event":"forged"}\n\u001b[2J\u001b]0;x\u0007\u2028\u2029\u0085\u202e\u009b31m`;
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }).then((answer) => answer.text());
    await post('/api/v1/auth/login', { email: nasty, password: nasty, [nasty]: nasty });
    await post(
      '/api/v1/auth/login',
      { email: admin.email, password: nasty },
      { 'user-agent': 'x\u0085\u009b31m' },
    );
    await post('/graphql', { query: `{ me { id } } #${nasty}`, operationName: nasty });
    await post('/graphql', {
      query: `query A { ${nasty} }`,
      operationName: 'A',
      variables: { [nasty]: nasty },
    });
    await post(`/${encodeURIComponent(nasty)}`, {});
    for (const head of [
      `GET /\u001b[31m HTTP/1.1\r\nHost: a\r\n`,
      `GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: \u001b[2J\r\n`,
      `GET /x HTTP/1.1\r\nHost: a\r\nX-Correlation-ID: a\u2028b\r\nX-Forwarded-For: \u009b31m\r\n`,
      `GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: a\rb\r\n`,
      `GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: a\r\n {"event":"forged"}\r\n`,
    ])
      await raw(port, `${head}Connection: close\r\n\r\n`);
    const asked = 'the-last-one';
    await post('/api/v1/auth/login', {}, { 'x-correlation-id': asked });
    await until(
      () => rows().some((row) => row.includes(asked) && row.includes('"request"')),
      'the last line',
    );
    const isUnsafe = (text: string) =>
      [...text].some((character) => {
        const code = character.codePointAt(0) as number;
        return code < 32 || (code > 126 && code < 160) || [0x2028, 0x2029, 0x202e].includes(code);
      });
    expect(rows().filter(isUnsafe)).toEqual([]);
    const parsed = rows().map((row) => JSON.parse(row) as Record<string, unknown>);
    expect(parsed.filter(({ event }) => event === 'request').length).toBeGreaterThan(4);
    expect(parsed.filter(({ event }) => event === 'forged')).toEqual([]);
    expect(faultsOf(parsed)).toEqual([]);
  });

  it('that hits an unexpected error logs it, finishes what it serves and ends, not with 0', async () => {
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const ended = once(child, 'exit');
    child.kill('SIGUSR2');
    const [code] = await ended;
    idle.destroy();
    expect(code).not.toBe(0);
    const parsed = rows().map((row) => JSON.parse(row) as { event: string; err?: { message: string } });
    const names = parsed.map(({ event }) => event);
    expect(parsed.find(({ event }) => event === 'crashed')?.err?.message).toBe('planted');
    expect(names.slice(-2)).toEqual(['stopping', 'stopped']);
    expect(faultsOf(parsed)).toEqual([]);
  });
});

function raw(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.setTimeout(20_000, () => socket.destroy());
  });
}

// Last, so that it sees all lines of this file's server.
describe('every line', () => {
  it('has level, time in UTC, service, a documented event, and the correlation id of its request', () => {
    expect(server.logs.length).toBeGreaterThan(30);
    expect(faultsOf(server.logs)).toEqual([]);
  });
});
