// The command-line client's commands on API keys, its time limits, and texts of a hostile server.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { admin as adminAccount } from '../../kit/harness.js';
import { act, until } from '../../kit/live.js';
import { cliAt } from '../../kit/programs/shell.js';
import { addResults, createPerson, password, startExecution } from '../../kit/seed.js';
import { useFolder, useServer } from '../../kit/use.js';

const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
const home = useFolder();

const cli = (args: string[], more: Record<string, string> = {}, isTerminal = false) =>
  cliAt(server, args, { env: { XDG_CONFIG_HOME: home, ...more }, isTerminal });
const entered = await cli(['login', '--email', analyst.email], { SEC_TESTER_PASSWORD: password });
expect(entered).toMatchObject({ code: 0 });

const create = async (...args: string[]) => cli(['keys', 'create', '--name', 'ci', ...args]);

describe('keys', () => {
  it('prints a new secret once, alone on standard output, and the key does what a CI job needs', async () => {
    const made = await create('--preset', 'ci', '--days', '30');
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^stk_[0-9a-f]{32}_[\w-]{43}\n$/) });
    const secret = made.out.trim();
    expect(made.err).toContain('execution:create');
    expect(made.err).not.toContain(secret);
    const asKey = { SEC_TESTER_TOKEN: secret };
    expect(await cli(['whoami'], asKey)).toMatchObject({ code: 0 });
    const run = ['run', '--target', 'https://ci.test', '--kind', 'dast', '--no-wait'];
    expect(await cli(run, asKey)).toMatchObject({ code: 0 });
    const id = await startExecution(server, secret);
    await addResults(server, secret, id, [{ title: 'Weak', severity: 'HIGH' }]);
    await act(server, secret, 'completeExecution', id);
    expect(await cli(['gate', id, '--fail-on', 'high'], asKey)).toMatchObject({ code: 1 });
    expect(await cli(['results', id], asKey)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Weak'),
    });

    const listed = await cli(['keys', 'list']);
    expect(listed).toMatchObject({ code: 0, out: expect.stringMatching(/active +ci +execution:read/) });
    expect(listed.out).not.toContain(secret);
    const [key] = JSON.parse((await cli(['keys', 'list', '--json'])).out).apiKeys;
    expect(await cli(['keys', 'revoke', key.id])).toMatchObject({ code: 0, out: `Revoked ${key.id}: ci\n` });
    expect((await cli(['keys', 'list'])).out).toContain('revoked');
    expect(await cli(['whoami'], asKey)).toMatchObject({ code: 3 });
  });

  it('rotates a key: the new secret is alone on standard output, and the old one goes on for the overlap', async () => {
    const { apiKey, secret: old } = JSON.parse((await create('--preset', 'read', '--json')).out);
    const made = await cli(['keys', 'rotate', apiKey.id, '--overlap', '5']);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^stk_[0-9a-f]{32}_[\w-]{43}\n$/) });
    expect(made.out.trim()).not.toBe(old);
    for (const secret of [old, made.out.trim()])
      expect(await cli(['whoami'], { SEC_TESTER_TOKEN: secret })).toMatchObject({ code: 0 });
    expect((await cli(['keys', 'list'])).out).toMatch(new RegExp(`${apiKey.id}.* replaced `));
    const again = await cli(['keys', 'rotate', apiKey.id]);
    expect(again).toMatchObject({ code: 3, err: expect.stringContaining('has been replaced') });
  });

  it('makes a key for a service account, and lists its keys, for an admin', async () => {
    const admin = mkdtempSync(join(tmpdir(), 'sec-tester-cli-'));
    const env = { XDG_CONFIG_HOME: admin, SEC_TESTER_PASSWORD: adminAccount.password };
    await cli(['login', '--email', adminAccount.email], env);
    const answer = await server.gql(
      'mutation { createServiceAccount(input: { name: "Bot", role: ANALYST, project: "default" }) { user { id } } }',
      {},
      await server.signIn(),
    );
    const { id } = answer.expectData().createServiceAccount.user;
    const made = await cli(['keys', 'create', '--name', 'bot', '--preset', 'ci', '--for', id], env);
    const asBot = { SEC_TESTER_TOKEN: made.out.trim() };
    expect((await cli(['whoami', '--json'], asBot)).out).toContain('Bot');
    expect((await cli(['keys', 'list', '--for', id], env)).out).toMatch(/active +bot/);
    rmSync(admin, { recursive: true, force: true });
  });

  it('binds a key to a project, takes scopes of its own, and prints JSON', async () => {
    const made = await create('--scopes', 'execution:read, result:read', '--project', 'default', '--json');
    expect(JSON.parse(made.out)).toMatchObject({
      secret: expect.stringMatching(/^stk_/),
      apiKey: { name: 'ci', scopes: ['execution:read', 'result:read'] },
    });
  });

  it('refuses wrong uses in words', async () => {
    expect(await create()).toMatchObject({ code: 2, err: expect.stringContaining('--preset or --scopes') });
    expect(await create('--preset', 'root')).toMatchObject({
      code: 2,
      err: expect.stringContaining('ci, runner'),
    });
    expect(await create('--preset', 'ci', '--days', '366')).toMatchObject({ code: 2 });
    expect(await create('--scopes', 'all')).toMatchObject({
      code: 3,
      err: expect.stringContaining('scopes'),
    });
    const secret = (await create('--preset', 'read')).out.trim();
    expect(await cli(['keys', 'revoke', secret])).toMatchObject({
      code: 2,
      err: expect.not.stringContaining(secret),
    });
    const asKey = await cli(['keys', 'list'], { SEC_TESTER_TOKEN: secret });
    expect(asKey).toMatchObject({ code: 3, err: expect.stringContaining('sec-tester login') });
  });
});

describe('--timeout', () => {
  it('ends the wait for an execution that does not end, with 3 and a way on', async () => {
    const run = ['run', '--target', 'https://slow.test', '--kind', 'dast', '--timeout', '1'];
    expect(await cli(run)).toMatchObject({ code: 3, err: expect.stringMatching(/within 1 s \(TIMEOUT\)/) });
    const id = await startExecution(server, analyst.token);
    expect(await cli(['watch', id, '--timeout', '1'])).toMatchObject({ code: 3 });
    const gate = await cli(['gate', id, '--fail-on', 'high', '--wait', '--timeout', '1', '--json']);
    expect([gate.code, JSON.parse(gate.err.trim().split('\n').at(-1) as string).error.code]).toEqual([
      3,
      'TIMEOUT',
    ]);
    await until(() => server.services.streams.size() === 0, 'no open stream');
  });

  it('does not disturb an execution that ends in time', async () => {
    const id = await startExecution(server, analyst.token);
    const watching = cli(['watch', id, '--timeout', '600']);
    await until(() => server.services.streams.size() === 1, 'the stream');
    await act(server, analyst.token, 'completeExecution', id);
    expect(await watching).toMatchObject({ code: 0 });
  });

  it('ends the wait for a server that is not there', async () => {
    const env = { SEC_TESTER_URL: 'http://127.0.0.1:9', SEC_TESTER_TOKEN: 'stk_x' };
    const gone = await cli(['watch', 'exe_1', '--timeout', '1', '--patience', '600'], env);
    expect(gone).toMatchObject({ code: 3, err: expect.stringContaining('(TIMEOUT)') });
  });
});

describe('texts of a hostile server', () => {
  /** Copies to the clipboard, rings, moves the cursor, hides, reorders. */
  const evil = '\u001b]52;c;aGk=\u0007\u001b[2J\u001b[8m\u0007\u009b31m\u202egnp.exe\u2066\u200b\u2028x';
  const counts = { total: 1, critical: 1, high: 0, medium: 0, low: 0, info: 0 };
  const execution = {
    ...{ id: evil, name: evil, target: evil, kind: evil, status: evil, progress: 1, phase: evil },
    ...{ errorMessage: evil, createdAt: evil, finishedAt: evil, severityCounts: counts },
  };
  const result = {
    ...{ id: evil, severity: evil, title: evil, ruleId: evil, cweIds: [evil], cveIds: [], cvssScore: null },
    ...{ location: { path: evil, startLine: evil }, fingerprint: evil, createdAt: evil, execution },
  };
  const key = {
    ...{ id: evil, name: evil, prefix: evil, scopes: [evil], createdAt: evil, expiresAt: evil },
    ...{ lastUsedAt: evil, revokedAt: null },
  };
  const error = {
    message: evil,
    extensions: {
      code: evil,
      correlationId: evil,
      fields: [{ path: evil, message: evil }],
      retryAfterSeconds: evil,
    },
  };
  const user = { id: evil, name: evil, email: evil, role: evil, apiKeys: [key] };

  let url: string;
  const fake = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const query: string = JSON.parse(body).query ?? '';
      const isFollowed = query.includes('subscription');
      response.setHeader('Content-Type', isFollowed ? 'text/event-stream' : 'application/json');
      const page = (node: object) => ({
        page: { nodes: [node], pageInfo: { hasNextPage: false, endCursor: null } },
      });
      if (isFollowed) {
        const event = { id: evil, type: evil, at: evil, execution };
        const last = { ...event, type: 'COMPLETED' };
        for (const executionEvents of [event, last])
          response.write(`event: next\ndata: ${JSON.stringify({ data: { executionEvents } })}\n\n`);
        response.end();
      } else if (query.includes('query Executions')) response.end(JSON.stringify({ data: page(execution) }));
      else if (query.includes('query Results')) response.end(JSON.stringify({ data: page(result) }));
      else if (query.includes('me {')) response.end(JSON.stringify({ data: { me: user } }));
      else response.end(JSON.stringify({ errors: [error] }));
    });
  });
  beforeAll(async () => {
    fake.listen(0, '127.0.0.1');
    await once(fake, 'listening');
    url = `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    fake.close();
  });

  it.each([
    ['whoami'],
    ['executions'],
    ['results'],
    ['keys', 'list'],
    ['watch', 'exe_1'],
    ['gate', 'exe_1', '--fail-on', 'high'],
    ['keys', 'revoke', 'key_1'],
  ])('reach no terminal: %s %s', async (...args) => {
    for (const isTTY of [true, false])
      for (const json of [[], ['--json']]) {
        const env = { SEC_TESTER_URL: url, SEC_TESTER_TOKEN: 'given', NO_COLOR: '1' };
        const { out, err } = await cli([...args, ...json], env, isTTY);
        // The progress bar itself begins its line again and clears it.
        const text = (out + err).replaceAll('\r\u001b[K', '');
        expect(text.length).toBeGreaterThan(0);
        expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
  });
});
