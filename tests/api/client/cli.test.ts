// The command-line client against a real server: most in this process with streams of the test's, some as people run it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type TOTP, URI } from 'otpauth';
import { act, report, until } from '../../kit/live.js';
import { createTcpProxy } from '../../kit/network/tcp-proxy.js';
import { build } from '../../kit/programs/build.js';
import { type CliRun, cliAt, type Shell } from '../../kit/programs/shell.js';
import { addResults, createExecution, createPerson, password, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

let home: string;
await build();
const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sec-tester-cli-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const envOf = (env: Record<string, string> = {}) => ({
  ...{ PATH: process.env.PATH, XDG_CONFIG_HOME: home, SEC_TESTER_URL: server.url },
  ...env,
});
const file = () => join(home, 'sec-tester/credentials.json');
const kept = () => JSON.parse(readFileSync(file(), 'utf8')).servers[`${server.url}/`];

/** Runs the client in this process. */
const cli = (args: string[], { env, ...shell }: Shell = {}) =>
  cliAt(server, args, { env: { XDG_CONFIG_HOME: home, ...env }, ...shell });

/** Runs it as people do: a process of its own, without a terminal. */
function spawned(args: string[], { env, input = '' }: Shell = {}): Promise<CliRun> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['bin/sec-tester.mjs', ...args], { env: envOf(env) });
    const run = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (run.out += chunk));
    child.stderr.on('data', (chunk) => (run.err += chunk));
    child.on('close', (code) => resolve({ code: code ?? -1, ...run }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

const signIn = () => cli(['login', '--email', analyst.email], { env: { SEC_TESTER_PASSWORD: password } });
const withToken = (token = analyst.token) => ({ env: { SEC_TESTER_TOKEN: token } });

/** A finished execution with results of these severities. */
async function finished(...severities: string[]): Promise<string> {
  const id = await startExecution(server, analyst.token);
  if (severities.length > 0) {
    const results = severities.map((severity, index) => ({
      ...{ severity, title: `Finding ${index}`, ruleId: `rule-${index % 2}`, cweIds: [79 + (index % 2)] },
      location: { path: `src/${index}.ts`, startLine: 7 },
    }));
    await addResults(server, analyst.token, id, results);
  }
  await act(server, analyst.token, 'completeExecution', id);
  return id;
}

async function createKey(scopes: string[]): Promise<string> {
  const input = { name: 'ci', scopes, expiresAt: new Date(Date.now() + 86_400_000) };
  const answer = await server.change('createApiKey', input, 'secret', analyst.token);
  return answer.expectData().createApiKey.secret;
}

describe('signing in', () => {
  it('keeps the tokens in a file for its owner alone, and shows no secret', async () => {
    const login = await spawned(['login', '--email', analyst.email, '--password-stdin'], {
      input: `${password}\n`,
    });
    expect(login).toMatchObject({ code: 0, err: '' });
    expect(login.out).toContain(`<${analyst.email}>, ANALYST`);
    expect((statSync(file()).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(dirname(file())).mode & 0o777).toString(8)).toBe('700');
    const whoami = await spawned(['whoami', '--json']);
    expect(JSON.parse(whoami.out)).toMatchObject({
      ...{ server: `${server.url}/`, via: 'sign-in' },
      user: { id: analyst.id, email: analyst.email, role: 'ANALYST' },
    });
    const { refreshToken, accessToken } = kept();
    for (const secret of [password, refreshToken, accessToken])
      for (const text of [login.out, login.err, whoami.out, whoami.err]) expect(text).not.toContain(secret);

    const logout = await spawned(['logout']);
    expect(logout).toMatchObject({ code: 0, out: expect.stringContaining('Signed out') });
    expect(kept()).toBeUndefined();
    const answer = await server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken } });
    expect(answer.body.code).toBe('TOKEN_REVOKED');
    const nobody = await spawned(['whoami']);
    expect(nobody).toMatchObject({ code: 3, out: '', err: expect.stringContaining('sec-tester login') });
  });

  it('asks at a terminal, does not echo the password, and asks for the second factor when it is needed', async () => {
    const person = await createPerson(server, await server.signIn(), 'VIEWER');
    const enrolment = await server.gql('mutation { enrolSecondFactor { uri } }', {}, person.token);
    const app = URI.parse(enrolment.expectData().enrolSecondFactor.uri) as TOTP;
    const confirmation = 'mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes } }';
    const confirmed = await server.gql(
      confirmation,
      { code: app.generate({ timestamp: server.clock.now() }) },
      person.token,
    );
    const [first, second, third] = confirmed.expectData().confirmSecondFactor.recoveryCodes;
    const login = await cli(['login'], { isTerminal: true, typed: [person.email, password, first] });
    expect(login).toMatchObject({ code: 0, out: expect.stringContaining(`<${person.email}>, VIEWER`) });
    expect(login.err).toContain('Password: ');
    expect(login.err).not.toContain(password);
    const env = { SEC_TESTER_EMAIL: person.email, SEC_TESTER_PASSWORD: password };
    expect(await cli(['login'], { env })).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('SEC_TESTER_CODE') },
    });
    const inEnv = await cli(['login'], { env: { ...env, SEC_TESTER_CODE: second } });
    expect(inEnv).toMatchObject({ code: 0 });
    const piped = await cli(['login', '--email', person.email, '--password-stdin'], {
      input: `${password}\n${third}\n`,
    });
    expect(piped).toMatchObject({ code: 0 });
    // Other users of the machine see a process's arguments.
    expect(await cli(['login', '--code', second], { env })).toMatchObject({ code: 2 });
  });

  it('tells a wrong password with the correlation id, as JSON too, and keeps nothing', async () => {
    const env = { SEC_TESTER_PASSWORD: 'wrong in every way' };
    const words = await cli(['login', '--email', analyst.email], { env });
    expect(words).toMatchObject({ code: 3, out: '' });
    expect(words.err).toMatch(/^Error: .+ \(INVALID_CREDENTIALS\)\n {2}Correlation id.*: [0-9a-f-]{36}\n$/);
    const json = await cli(['login', '--email', analyst.email, '--json'], { env });
    expect(JSON.parse(json.err).error).toMatchObject({
      ...{ code: 'INVALID_CREDENTIALS', correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    expect(existsSync(file())).toBe(false);
    expect(await cli(['login', '--email', analyst.email])).toMatchObject({ code: 2 });
  });

  it('refreshes an expired token once, though several processes want it at a time', async () => {
    await signIn();
    const before = kept();
    // Overdue by the client's own clock, and, for those who do not look at it, by the server's.
    const text = readFileSync(file(), 'utf8').replace(/"expiresAt": \d+/, '"expiresAt": 1');
    writeFileSync(file(), text);
    const runs = await Promise.all([1, 2, 3].map(() => spawned(['whoami'])));
    expect(runs.map(({ code, err }) => [code, err])).toEqual(runs.map(() => [0, '']));
    const claims = (token: string) =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const rows = await server.sql<{ counter: number }>('SELECT counter FROM sessions WHERE id = $1', [
      claims(before.refreshToken).sid,
    ]);
    expect(rows).toEqual([{ counter: 1 }]);
    expect(kept().refreshToken).not.toBe(before.refreshToken);
    server.clock.advance(16 * 60_000);
    const later = kept().accessToken;
    expect(await cli(['whoami'])).toMatchObject({ code: 0 });
    expect(kept().accessToken).not.toBe(later);
    expect(existsSync(`${file()}.lock`)).toBe(false);
    analyst.token = await server.signIn(analyst.email, password);
  });

  it('passes a lock that a dead process left, forgets a session that has ended, and names a damaged file', async () => {
    await signIn();
    writeFileSync(`${file()}.lock`, '999999999');
    server.clock.advance(16 * 60_000);
    expect(await cli(['whoami'])).toMatchObject({ code: 0 });
    analyst.token = await server.signIn(analyst.email, password);
    await server.rest('POST', '/api/v1/auth/logout', { body: {}, token: kept().accessToken });
    writeFileSync(file(), readFileSync(file(), 'utf8').replace(/"expiresAt": \d+/, '"expiresAt": 1'));
    const ended = await cli(['whoami']);
    expect(ended).toMatchObject({ code: 3, err: expect.stringContaining('Your sign-in has ended') });
    expect(kept()).toBeUndefined();
    writeFileSync(file(), '{"servers": ');
    expect(await cli(['whoami'])).toMatchObject({ code: 3, err: expect.stringContaining('is damaged') });
  });
});

describe('the command line', () => {
  it('has help and a version, and answers a wrong use with 2', async () => {
    expect(await cli(['--version'])).toMatchObject({ code: 0, out: '0.1.0\n' });
    const help = await cli(['--help']);
    expect(help).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes:') });
    const wrong = [
      ...[
        ['nonsense'],
        ['gate', 'exe_1'],
        ['gate', 'exe_1', '--fail-on', 'awful'],
        ['run', '--kind', 'DAST'],
      ],
      ...[
        ['results', '--limit', '0'],
        ['run', '--target', 'x', '--kind', 'DAST', '--parameters', '[1]'],
      ],
      ...[
        ['whoami', '--server', 'ftp://x'],
        ['whoami', '--server', 'https://u:p@x'],
      ],
    ];
    for (const args of wrong) expect([args, (await cli(args)).code]).toEqual([args, 2]);
  });

  it('ends with 3 when the server cannot be reached, and warns of plain http to other machines', async () => {
    const env = { SEC_TESTER_PASSWORD: password };
    const args = ['login', '--email', analyst.email, '--server'];
    const closed = await cli([...args, 'http://127.0.0.1:9'], { env });
    expect(closed).toMatchObject({ code: 3, err: expect.stringContaining('(UNREACHABLE)') });
    expect(closed.err).not.toContain('Warning');
    const away = await cli([...args, 'http://sec-tester.invalid'], { env });
    expect(away).toMatchObject({ code: 3, err: expect.stringMatching(/^Warning: .* plain http/) });
  });

  it('leaves nothing behind when the key lacks a scope for what follows', async () => {
    const count = async () =>
      (await server.sql<{ n: number }>('SELECT count(*)::int AS n FROM test_executions'))[0]?.n;
    const before = await count();
    const create = withToken(await createKey(['execution:create', 'report:import']));
    const file = join(home, 'report.json');
    writeFileSync(file, '{"results":[]}');
    for (const args of [
      ['run', '--kind', 'dast', '--target', 'https://a.test'],
      ['import', file, '--target', 'https://a.test', '--format', 'generic-json'],
    ])
      expect(await cli(args, create)).toMatchObject({
        code: 3,
        err: expect.stringContaining('lacks the scope execution:read'),
      });
    expect(await count()).toBe(before);
  });

  it('works with an API key within its scopes', async () => {
    const id = await finished('HIGH');
    const key = await createKey(['execution:read']);
    expect(await cli(['gate', id, '--fail-on', 'critical'], withToken(key))).toMatchObject({ code: 0 });
    const refused = await cli(['results', id], withToken(key));
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('lacks the scope result:read') });
    expect(await cli(['whoami'], withToken(key))).toMatchObject({
      code: 0,
      out: expect.stringContaining('ANALYST'),
    });
    expect(refused.err).not.toContain(key);
    expect(await cli(['whoami'], withToken('stk_nonsense'))).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('UNAUTHENTICATED') },
    });
    expect(await cli(['logout'], withToken(key))).toMatchObject({ code: 2 });
    expect(existsSync(file())).toBe(false);
  });
});

describe('results and gate', () => {
  it('lists the worst first, filters, and reads as many pages as the limit asks for', async () => {
    const id = await finished(...Array.from({ length: 230 }, (_, index) => (index < 5 ? 'CRITICAL' : 'LOW')));
    const table = await cli(['results', id, '--limit', '6'], withToken());
    expect(table.code).toBe(0);
    expect(
      table.out
        .split('\n')
        .slice(0, 2)
        .map((row) => row.split(/ {2,}/)),
    ).toEqual([
      ['Severity', 'Title', 'Rule', 'CWE', 'Where'],
      ['CRITICAL', 'Finding 4', 'rule-0', '79', 'src/4.ts:7'],
    ]);
    expect(table.out.match(/^(CRITICAL|LOW)/gm)).toEqual([...Array(5).fill('CRITICAL'), 'LOW']);
    expect(table.err).toContain('more than these 6');
    const read = async (...args: string[]) =>
      JSON.parse((await cli(['results', id, '--json', ...args], withToken())).out);
    const all = await read('--limit', '1000');
    expect(all).toMatchObject({ hasMore: false, results: { length: 230 } });
    expect(new Set(all.results.map((row: { id: string }) => row.id)).size).toBe(230);
    expect(await read('--limit', '150')).toMatchObject({ hasMore: true, results: { length: 150 } });
    const some = await read('--severity', 'critical,high', '--rule', 'rule-1', '--cwe', 'CWE-80');
    expect(some.results.map((row: { title: string }) => row.title)).toEqual(['Finding 3', 'Finding 1']);
    expect((await read('--search', 'finding 22', '--newest')).results).toHaveLength(11);
  });

  it('shows across executions where results come from, orders by CVSS, and gives all fields as JSON', async () => {
    const id = await startExecution(server, analyst.token, { target: 'https://across.test' });
    const vector = (impact: string) => `CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:${impact}/I:${impact}/A:${impact}`;
    await addResults(server, analyst.token, id, [
      {
        title: 'Across one',
        severity: 'HIGH',
        cvssVector: vector('L'),
        evidence: 'the evidence',
        tags: ['a'],
      },
      { title: 'Across two', severity: 'LOW', cvssVector: vector('H') },
    ]);
    const table = await cli(['results', '--search', 'across', '--cvss'], withToken());
    const rows = table.out
      .trim()
      .split('\n')
      .map((row) => row.split(/ {2,}/));
    expect(rows[0]).toEqual([
      'Severity',
      'CVSS',
      'Title',
      'Rule',
      'CWE',
      'Where',
      'Target',
      'Execution',
      'Date',
    ]);
    const today = new Date(server.clock.now()).toISOString().slice(0, 10);
    expect(rows[1]).toEqual(['LOW', '9.8', 'Across two', 'https://across.test', id, today]);
    expect(rows[2]?.[1]).toBe('7.3');
    const json = await cli(['results', id, '--json'], withToken());
    expect(JSON.parse(json.out).results[0]).toMatchObject({
      ...{ title: 'Across one', evidence: 'the evidence', tags: ['a'], cvssVector: vector('L') },
      execution: { id, target: 'https://across.test' },
    });
    expect(await cli(['results', '--cvss', '--newest'], withToken())).toMatchObject({ code: 2 });
  });

  it('shows what scanners say without obeying it, in colours only at a terminal that wants them', async () => {
    const id = await finished('HIGH');
    // Whatever way it got there: the API refuses it.
    await server.sql('UPDATE test_results SET title = $1 WHERE execution_id = $2', [
      '\u001b]0;owned\u0007\u001b[2Jred \u202egnp.exe\u009b2J',
      id.slice(4),
    ]);
    const terminal = await cli(['results', id], { ...withToken(), isTerminal: true });
    expect(terminal.out).toContain('\u001b[31mHIGH');
    for (const order of ['\u001b[2J', '\u001b]0', '\u0007', '\u202e'])
      expect(terminal.out).not.toContain(order);
    const json = await cli(['results', id, '--json'], withToken());
    expect(json.out).toMatch(/^[\x20-\x7e\n]+$/);
    expect(json.out).toContain('\\u009b2J');
    const { env } = withToken();
    const bare = await cli(['results', id], { env: { ...env, NO_COLOR: '1' }, isTerminal: true });
    expect(bare.out).not.toContain('\u001b');
    expect(await cli(['results', id, '--severity', 'info'], withToken())).toMatchObject({ code: 0, out: '' });
  });

  it('passes only what completed without results of the severity or above', async () => {
    const id = await finished('MEDIUM', 'HIGH', 'LOW');
    const gate = (...args: string[]) => spawned(['gate', ...args], withToken());
    const failed = await gate(id, '--fail-on', 'high');
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('1 result of HIGH or above') });
    expect(await gate(id, '--fail-on', 'CRITICAL')).toMatchObject({ code: 0 });
    const json = await gate(id, '--fail-on', 'low', '--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({ passed: false, failOn: 'LOW', found: 3, execution: { id } });
    const running = await startExecution(server, analyst.token);
    expect(await cli(['gate', running, '--fail-on', 'critical'], withToken())).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('is RUNNING, not COMPLETED') },
    });
    const waiting = cli(['gate', running, '--fail-on', 'critical', '--wait'], withToken());
    await act(server, analyst.token, 'completeExecution', running);
    expect(await waiting).toMatchObject({ code: 0 });
    const unknown = await cli(
      ['gate', 'exe_019a0000-0000-7000-8000-000000000000', '--fail-on', 'low'],
      withToken(),
    );
    expect(unknown).toMatchObject({ code: 3, err: expect.stringContaining('NOT_FOUND') });
  });

  describe('filters', () => {
    let runs: string[];
    beforeAll(async () => {
      runs = [];
      for (const [index, tool] of ['zap', 'trivy', 'semgrep'].entries()) {
        const id = await startExecution(server, analyst.token, {
          ...{ target: `https://filter-${index}.test`, tool, kind: ['DAST', 'SCA', 'SAST'][index] },
          ...{ branch: `filter/${index}`, commitSha: `abcdef${index}` },
        });
        await addResults(server, analyst.token, id, [
          {
            ...{
              title: `Filtered ${index}`,
              severity: 'LOW',
              ruleId: `filter,${index}`,
              cweIds: [900 + index],
            },
            cveIds: [`CVE-2031-000${index}`],
            location: { path: `filter/${index}.lock`, host: `filter-${index}.test` },
          },
        ]);
        runs.push(id);
      }
    });

    it.each([
      [
        ['--rule', 'filter,0', '--rule', 'filter,2'],
        [2, 0],
      ],
      [
        ['--cwe', '900,CWE-901'],
        [1, 0],
      ],
      [
        ['--cwe', '900', '--cwe', '902'],
        [2, 0],
      ],
      [['--cve', 'cve-2031-0001'], [1]],
      [['--path', 'filter/2.lock'], [2]],
      [['--host', 'filter-0.test'], [0]],
      [['--target', 'https://filter-1.test'], [1]],
      [['--tool', 'semgrep', '--search', 'filtered'], [2]],
      [
        ['--kind', 'dast,sast', '--search', 'filtered'],
        [2, 0],
      ],
      [['--branch', 'filter/1'], [1]],
      [
        ['--since', '2020-01-01', '--search', 'filtered'],
        [2, 1, 0],
      ],
      [['--before', '2020-01-01T00:00:00+02:00', '--search', 'filtered'], []],
      [['--tool', 'zap', '--branch', 'filter/1'], []],
    ])('results by %j', async (args, wanted) => {
      const { out } = await cli(['results', '--json', '--newest', ...args], withToken());
      const titles = JSON.parse(out).results.map(({ title }: { title: string }) => title);
      expect(titles).toEqual(wanted.map((index) => `Filtered ${index}`));
    });

    it.each([
      [['--tool', 'trivy', '--search', 'filter-'], [1]],
      [['--branch', 'filter/2'], [2]],
      [['--commit', 'abcdef0'], [0]],
      [
        ['--since', '2020-01-01', '--search', 'filter-'],
        [2, 1, 0],
      ],
      [['--before', '2020-01-01', '--search', 'filter-'], []],
      [['--tool', 'zap', '--commit', 'abcdef2'], []],
    ])('executions by %j', async (args, wanted) => {
      const { out } = await cli(['executions', '--json', ...args], withToken());
      const ids = JSON.parse(out).executions.map(({ id }: { id: string }) => id);
      expect(ids).toEqual(wanted.map((index) => runs[index]));
    });

    it.each([
      ['results', '--cwe', '79,x'],
      ['results', '--cwe', '0'],
      ['results', '--kind', 'dast,all'],
      ['executions', '--since', 'yesterday'],
      ['executions', '--before', '2026-13-01'],
      ['findings', '--since', '2026'],
    ])('refuses %s %s %s as a wrong command line', async (...args) => {
      const { code, err } = await cli(args, withToken());
      expect(err).toMatch(/Expected (a|dast)/);
      expect(code).toBe(2);
    });
  });

  it('lists executions by status and kind', async () => {
    const id = await createExecution(server, analyst.token, { kind: 'IAC', name: 'Plan of the network' });
    const args = ['executions', '--status', 'queued,cancel-requested', '--kind', 'iac'];
    const json = JSON.parse((await cli([...args, '--json'], withToken())).out);
    expect(json).toMatchObject({ hasMore: false, executions: [{ id, status: 'QUEUED', kind: 'IAC' }] });
    expect((await cli(args, withToken())).out).toMatch(new RegExp(`${id} .* QUEUED .* Plan of the network`));
  });
});

describe('run and watch', () => {
  const newest = async () => {
    const [row] = await server.sql<{ id: string }>('SELECT id FROM test_executions ORDER BY id DESC LIMIT 1');
    return `exe_${row?.id}`;
  };
  const makeOne = async (target: string) => {
    const isThere = async () =>
      (await server.sql('SELECT FROM test_executions WHERE target = $1', [target])).length > 0;
    await until(isThere, 'the execution');
    const id = await newest();
    (
      await server.gql(
        'mutation($id: ID!) { startExecution(id: $id) { execution { id } } }',
        { id },
        analyst.token,
      )
    ).expectData();
    await report(server, analyst.token, id, 40, 'crawling');
    await addResults(server, analyst.token, id, [{ severity: 'HIGH', title: 'Bad' }]);
    await act(server, analyst.token, 'completeExecution', id);
    return id;
  };

  it('makes an execution, waits for its end and judges it, with a bar at a terminal', async () => {
    const args = ['run', '--target', 'https://one.test', '--kind', 'dast', '--branch', 'main'];
    const running = cli([...args, '--fail-on', 'high', '--json'], withToken());
    const id = await makeOne('https://one.test');
    const first = await running;
    expect(first.code).toBe(1);
    expect(JSON.parse(first.out)).toMatchObject({ id, status: 'COMPLETED', severityCounts: { high: 1 } });
    expect(first.err).toMatch(/ 40 % {2}PROGRESS {2}0 results {2}crawling\n/);
    expect(first.err).not.toContain('█');

    const shown = cli(
      ['run', '--target', 'https://two.test', '--kind', 'dast', '--parameters', '{"depth":2}'],
      { ...withToken(), isTerminal: true },
    );
    await makeOne('https://two.test');
    const second = await shown;
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/: COMPLETED, 1 result \(/) });
    expect(second.err).toContain(`${'█'.repeat(12)}${'░'.repeat(18)}  40 %  PROGRESS`);

    const repeat = () =>
      cli(
        ['run', '--target', 'https://k.test', '--kind', 'SCA', '--key', 'build-7', '--no-wait'],
        withToken(),
      );
    const [once, twice] = [await repeat(), await repeat()];
    expect([once.code, once.out]).toEqual([0, `${await newest()}\n`]);
    expect(twice.out).toBe(once.out);
  });

  it('goes on behind the last event when the connection is lost, and gives up when its patience ends', async () => {
    await until(() => server.services.streams.size() === 0, 'no open stream');
    const proxy = await createTcpProxy(server.url);
    const id = await startExecution(server, analyst.token);
    const env = { SEC_TESTER_TOKEN: analyst.token, SEC_TESTER_URL: proxy.url };
    const isFollowed = () => until(() => server.services.streams.size() === 1, 'the stream');
    const watching = cli(['watch', id, '--json'], { env });
    await isFollowed();
    await proxy.cut();
    await report(server, analyst.token, id, 60, 'missed');
    await proxy.restore();
    await act(server, analyst.token, 'completeExecution', id);
    const watched = await watching;
    expect(watched).toMatchObject({ code: 0, err: expect.stringContaining('Connection lost') });
    const types = watched.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(types).toEqual(['CREATED', 'STARTED', 'PROGRESS', 'COMPLETED']);

    await until(() => server.services.streams.size() === 0, 'the end of the stream');
    const other = await startExecution(server, analyst.token);
    const impatient = cli(['watch', other, '--patience', '0'], { env });
    await isFollowed();
    await proxy.cut();
    expect(await impatient).toMatchObject({ code: 3, err: expect.stringContaining('UNREACHABLE') });
  });

  it('tells how an execution ended that did not complete', async () => {
    const id = await createExecution(server, analyst.token);
    await act(server, analyst.token, 'cancelExecution', id);
    expect(await cli(['watch', id], withToken())).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('is CANCELLED, not COMPLETED') },
    });
    const failed = await startExecution(server, analyst.token);
    (
      await server.gql(
        'mutation($id: ID!) { failExecution(id: $id, errorMessage: "out of memory") { execution { id } } }',
        { id: failed },
        analyst.token,
      )
    ).expectData();
    const run = await cli(['watch', failed], withToken());
    expect(run).toMatchObject({ code: 1, err: expect.stringContaining('out of memory') });
  });

  it('goes on with a new token when the stream outlives the old one', async () => {
    await signIn();
    const id = await startExecution(server, analyst.token);
    await until(() => server.services.streams.size() === 0, 'no open stream');
    const watching = cli(['watch', id, '--json']);
    await until(() => server.services.streams.size() === 1, 'the stream');
    const before = kept().accessToken;
    server.clock.advance(16 * 60_000);
    analyst.token = await server.signIn(analyst.email, password);
    await until(() => kept().accessToken !== before, 'a new token');
    await act(server, analyst.token, 'completeExecution', id);
    expect(await watching).toMatchObject({ code: 0, err: expect.not.stringContaining('Connection lost') });
  });
});

it('needs the folder of the sign-ins to be writable', async () => {
  mkdirSync(join(home, 'sec-tester'));
  mkdirSync(file());
  expect(await cli(['whoami'])).toMatchObject({ code: 3, err: expect.stringContaining('cannot be read') });
});
