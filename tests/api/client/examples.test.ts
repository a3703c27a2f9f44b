// The examples as people run them: child processes against a server, targets and files of the tests' own.

import { spawn } from 'node:child_process';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createPerson, password } from '../../kit/seed.js';
import { atEnd, useServer } from '../../kit/use.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const resultFields =
  'title severity ruleId cweIds location { path startLine endColumn url host parameter component } evidence remediation references tags description fingerprint';

let token: string;
let user = { email: '', password: '' };
const listeners: Server[] = [];

const server = await useServer();
beforeEach(async () => {
  token = await server.signIn();
  const analyst = await createPerson(server, token, 'ANALYST');
  user = { email: analyst.email, password };
});
atEnd(() => {
  for (const listener of listeners) listener.close();
});

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

/** Runs an example to its end, signed in as the test's analyst unless told otherwise. */
function runExample(name: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'examples', `${name}.mjs`), ...args], {
      env: {
        PATH: process.env.PATH,
        SEC_TESTER_URL: server.url,
        SEC_TESTER_EMAIL: user.email,
        SEC_TESTER_PASSWORD: user.password,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const outcome: Outcome = { code: null, out: '', err: '' };
    child.stdout.on('data', (text) => {
      outcome.out += text;
    });
    child.stderr.on('data', (text) => {
      outcome.err += text;
    });
    child.on('error', reject).on('close', (code) => resolve({ ...outcome, code }));
  });
}

/** Serves a target of the test's own; its URL. */
async function listen(handle: RequestListener): Promise<string> {
  const target = createServer(handle);
  listeners.push(target);
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
}

/** The newest execution that the analyst made, with its results. */
async function latest() {
  const [found] = await executions();
  return found;
}

async function executions() {
  const me = await server.gql('{ me { id } }', {}, await server.signIn(user.email, user.password));
  const answer = await server.gql(
    `query($by: ID!) { executions(first: 5, filter: { createdById: $by }) { nodes { id name target kind status phase progress tool toolVersion
      branch commitSha errorMessage parameters severityCounts { total critical } results(first: 100) { nodes { ${resultFields} } } } } }`,
    { by: me.expectData().me.id },
    token,
  );
  return answer.expectData().executions.nodes;
}

// biome-ignore lint/suspicious/noExplicitAny: results have the shape of the query
const byRule = (results: any[]) => Object.fromEntries(results.map((result) => [result.ruleId, result]));

describe('header-scan', () => {
  it('records what is wrong with a page and completes the execution', async () => {
    const target = await listen((request, response) => {
      if (request.url === '/') {
        return response
          .writeHead(302, { Location: '/shop?item=1', 'Set-Cookie': 'visit=1; HttpOnly; SameSite=Lax' })
          .end();
      }
      response
        .setHeader('Content-Type', 'text/html')
        .setHeader('Server', 'Sample/1.2')
        .setHeader('Content-Security-Policy', "script-src 'self' 'unsafe-inline'")
        .setHeader('Set-Cookie', ['session=s3cr3t; Path=/', 'theme=dark; Secure; HttpOnly; SameSite=Lax']);
      if (request.headers.origin !== undefined) {
        response.setHeader('Access-Control-Allow-Origin', request.headers.origin);
        response.setHeader('Access-Control-Allow-Credentials', 'true');
      }
      response.end('<p>Shop</p>');
    });
    const outcome = await runExample('header-scan', [target, '--branch', 'main', '--commit', 'abcdef0']);
    expect(outcome).toMatchObject({ code: 0, err: '' });
    expect(outcome.out).toMatch(/^\[ 40 %\] Checking headers and cookies of .*\/shop\?item=1$/m);
    const execution = await latest();
    expect(execution).toMatchObject({
      ...{ target: `${target}/`, kind: 'DAST', status: 'COMPLETED', progress: 100, tool: 'header-scan' },
      ...{ branch: 'main', commitSha: 'abcdef0', phase: expect.stringMatching(/^Recording \d+ findings$/) },
    });
    const found = byRule(execution.results.nodes);
    expect(Object.keys(found).sort()).toEqual([
      ...[
        'cookie-no-samesite',
        'cookie-not-httponly',
        'cookie-not-secure',
        'cors-reflected-origin',
        'csp-weak',
      ],
      ...['framing-allowed', 'no-tls', 'nosniff-missing', 'referrer-leaks', 'software-disclosed'],
    ]);
    expect(found['cookie-not-httponly']).toMatchObject({
      ...{ severity: 'LOW', cweIds: [1004], evidence: 'Set-Cookie: session=…; Path=/' },
      location: { url: `${target}/shop?item=1`, parameter: 'session', host: new URL(target).host },
      remediation: expect.stringContaining('HttpOnly'),
    });
    const insecure = execution.results.nodes.filter(
      ({ ruleId }: { ruleId: string }) => ruleId === 'cookie-not-secure',
    );
    const cookies = insecure.map(({ location }: { location: { parameter: string } }) => location.parameter);
    expect(cookies.sort()).toEqual(['session', 'visit']);
    expect(found['cors-reflected-origin']).toMatchObject({ severity: 'HIGH', cweIds: [942] });
    expect(found['cookie-not-httponly'].references).not.toEqual([]);
    expect(JSON.stringify(execution)).not.toContain('s3cr3t');
  });

  it('finds no fault in headers that are right', async () => {
    const target = await listen((_request, response) => {
      response
        .setHeader('Content-Type', 'text/html')
        .setHeader(
          'Content-Security-Policy',
          "default-src 'none'; script-src 'nonce-abc' 'unsafe-inline'; frame-ancestors 'none'",
        )
        .setHeader('X-Content-Type-Options', 'nosniff')
        .setHeader('Referrer-Policy', 'no-referrer')
        .setHeader('Set-Cookie', 'gone=; Max-Age=0')
        .end();
    });
    expect(await runExample('header-scan', [target])).toMatchObject({ code: 0, err: '' });
    expect(byRule((await latest()).results.nodes)).toEqual({
      'no-tls': expect.objectContaining({ severity: 'INFO' }),
    });
  });

  it('can be pointed at the server itself', async () => {
    const outcome = await runExample('header-scan', [`${server.url}/api/v1/health`]);
    expect(outcome).toMatchObject({ code: 0, err: '' });
    expect((await latest()).status).toBe('COMPLETED');
  });

  it('fails the execution when the target cannot be reached', async () => {
    const target = await listen((request) => request.socket.destroy());
    const outcome = await runExample('header-scan', [target]);
    expect(outcome.code).toBe(1);
    expect(outcome.err).toMatch(/^http:.* cannot be fetched: .*\n$/);
    expect(await latest()).toMatchObject({
      status: 'FAILED',
      errorMessage: expect.stringContaining('cannot be fetched'),
    });
  });

  it('stops and acknowledges when someone asks to cancel', async () => {
    const target = await listen(async (_request, response) => {
      const { id } = await latest();
      const cancel = 'mutation($id: ID!) { cancelExecution(id: $id) { execution { status } } }';
      (await server.gql(cancel, { id }, token)).expectData();
      response.end();
    });
    const outcome = await runExample('header-scan', [target]);
    expect(outcome).toMatchObject({ code: 3, err: 'Stopped: someone asked to cancel the execution.\n' });
    expect(await latest()).toMatchObject({ status: 'CANCELLED', severityCounts: { total: 0 } });
  });

  it('refreshes its token when that expires during the scan', async () => {
    let isFirst = true;
    const target = await listen((_request, response) => {
      if (isFirst) server.clock.advance(16 * 60_000);
      isFirst = false;
      response.end();
    });
    expect(await runExample('header-scan', [target])).toMatchObject({ code: 0, err: '' });
    token = await server.signIn();
    expect((await latest()).status).toBe('COMPLETED');
  });

  it('creates nothing with a key that may not run what it creates', async () => {
    const input = {
      name: 'create',
      scopes: ['execution:create'],
      expiresAt: new Date(server.clock.now() + 86_400_000).toISOString(),
    };
    const made = await server.change('createApiKey', input, 'secret', token);
    const count = () => server.sql('SELECT count(*)::int AS n FROM test_executions');
    const before = await count();
    const outcome = await runExample('header-scan', ['http://x.test'], {
      SEC_TESTER_TOKEN: made.expectData().createApiKey.secret,
    });
    expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining('execution:run') });
    expect(await count()).toEqual(before);
  });

  it('tells a wrong password, a wrong server and wrong options in words', async () => {
    const wrong = await runExample('header-scan', ['http://x.test'], {
      SEC_TESTER_PASSWORD: 'not the password',
    });
    expect(wrong).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^Signing in failed: INVALID_CREDENTIALS: .*\n$/),
    });
    const away = await runExample('header-scan', ['http://x.test'], { SEC_TESTER_URL: 'http://127.0.0.1:9' });
    expect(away).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^http:\/\/127.0.0.1:9 cannot be reached: .*\n$/),
    });
    const other = await runExample('header-scan', ['http://x.test'], {
      SEC_TESTER_URL: await listen((_, to) => to.end('hi')),
    });
    expect(other.err).toMatch(/answered 200 and no JSON/);
    const misused = [[], ['--nope', 'x'], ['ftp://x.test'], ['http://me:secret@x.test'], ['a', 'b']];
    const outcomes = await Promise.all(misused.map((args) => runExample('header-scan', args)));
    expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    const help = await runExample('header-scan', ['--help'], { SEC_TESTER_EMAIL: '' });
    expect(help).toMatchObject({ code: 0, out: expect.stringContaining('--server URL') });
  });
});
