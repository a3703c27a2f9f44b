// The command-line client in CI jobs without a secret: it exchanges the job's token by itself, once for all steps.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { startIssuer } from '../../kit/oidc/issuer.js';
import { createServiceAccount, createTrust } from '../../kit/oidc/workloads.js';
import { cliAt } from '../../kit/programs/shell.js';
import { atEnd, useServer } from '../../kit/use.js';

let home: string;
const report = fileURLToPath(new URL('../../fixtures/reports/eslint.sarif', import.meta.url));
const issuer = await startIssuer();
atEnd(() => issuer.stop());
const server = await useServer({ WORKLOAD_PRIVATE_ISSUERS: 'true' });
const adminToken = await server.signIn();
await createTrust(server, adminToken, {
  issuer: issuer.url,
  audience: server.url,
  serviceAccountId: await createServiceAccount(server, adminToken),
  scopes: ['report:import', 'execution:read', 'execution:create', 'finding:read', 'result:read'],
});
beforeEach(() => {
  if (home !== undefined) rmSync(home, { recursive: true, force: true });
  home = mkdtempSync(join(tmpdir(), 'sec-tester-ci-'));
});

const cli = (args: string[], more: Record<string, string> = {}) =>
  cliAt(server, args, { env: { XDG_CONFIG_HOME: home, ...more } });

const importing = ['import', report, '--target', 'acme/shop', '--json'];
const exchanges = async () =>
  (
    await server.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM audit_events WHERE action = 'auth.token_exchange' AND outcome = 'SUCCESS'`,
    )
  )[0]?.count ?? 0;

describe('in GitHub Actions', () => {
  it('imports and judges without a token, and exchanges one for both steps', async () => {
    const job = issuer.githubJob();
    const [before, asked] = [await exchanges(), issuer.given()];
    const imported = await cli(importing, job);
    expect(imported).toMatchObject({ code: 0 });
    const { id } = JSON.parse(imported.out).imports[0].execution;
    expect((await cli(['gate', id, '--fail-on', 'critical', '--json'], job)).code).toBeLessThan(2);
    expect(JSON.parse((await cli(['whoami', '--json'], job)).out)).toMatchObject({
      ...{ user: { name: 'CI' }, via: 'workload identity' },
    });
    expect([(await exchanges()) - before, issuer.given() - asked]).toEqual([1, 1]);
    const kept = readFileSync(join(home, 'sec-tester', 'credentials.json'), 'utf8');
    expect(kept).not.toContain(job.ACTIONS_ID_TOKEN_REQUEST_TOKEN);
  });

  it('exchanges again for another job on the same machine, and once for steps at the same time', async () => {
    await cli(['whoami'], issuer.githubJob());
    const [job, before] = [issuer.githubJob(), await exchanges()];
    const answers = await Promise.all([1, 2, 3, 4].map(() => cli(['whoami'], job)));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect((await exchanges()) - before).toBe(1);
  });

  it('takes a new token when the old one has ended', async () => {
    const job = issuer.githubJob();
    await cli(['whoami'], job);
    const before = await exchanges();
    server.clock.advance(16 * 60_000);
    const kept = join(home, 'sec-tester', 'credentials.json');
    expect((await cli(['whoami'], job)).code).toBe(3); // the clocks of the tests differ: GitHub's token is too old here
    server.clock.advance(-16 * 60_000);
    expect(existsSync(kept)).toBe(true);
    writeFileSync(kept, readFileSync(kept, 'utf8').replace(/"expiresAt": \d+/, '"expiresAt": 1'));
    expect(await cli(['whoami'], job)).toMatchObject({ code: 0 });
    expect((await exchanges()) - before).toBe(1);
  });

  it('works in a container whose files cannot be written', async () => {
    const folder = join(home, 'sec-tester');
    writeFileSync(folder, ''); // a file where the folder would be, which stops the superuser too
    chmodSync(folder, 0o400);
    expect(await cli(['whoami'], issuer.githubJob())).toMatchObject({ code: 0 });
  });

  it('prefers a given token', async () => {
    const answer = await cli(['whoami'], { ...issuer.githubJob(), SEC_TESTER_TOKEN: 'stk_wrong' });
    expect(answer).toMatchObject({ code: 3, err: expect.stringContaining('API key') });
  });

  it('says which token was refused, and for which audience', async () => {
    const fork = await cli(importing, issuer.githubJob({ event_name: 'pull_request_target' }));
    expect(fork).toMatchObject({
      code: 3,
      err: expect.stringContaining(`refused the token of GitHub Actions (audience ${server.url})`),
    });
    const elsewhere = await cli(['whoami'], {
      ...issuer.githubJob(),
      SEC_TESTER_AUDIENCE: 'https://x.example',
    });
    expect(elsewhere).toMatchObject({ code: 3, err: expect.stringContaining('https://x.example') });
    const wrong = { ...issuer.githubJob(), ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'wrong' };
    expect(await cli(['whoami'], wrong)).toMatchObject({
      code: 3,
      err: expect.stringContaining('status 401'),
    });
    expect(await cli(['logout'], issuer.githubJob())).toMatchObject({
      code: 2,
      err: expect.stringContaining('workload identity'),
    });
  });
});

describe('in GitLab CI', () => {
  const claims = {
    sub: 'project_path:acme/shop:ref_type:branch:ref:main',
    project_path: 'acme/shop',
    repository: undefined,
    event_name: undefined,
    pipeline_source: 'push',
  };

  it('imports and judges with the one token of the job, although it can be exchanged once only', async () => {
    const adminToken = await server.signIn();
    await createTrust(server, adminToken, {
      issuer: issuer.url,
      audience: server.url,
      claims: [{ claim: 'project_path', pattern: 'acme/*' }],
      serviceAccountId: await createServiceAccount(server, adminToken),
      scopes: ['report:import', 'execution:read', 'execution:create', 'finding:read', 'result:read'],
    });
    const job = { SEC_TESTER_ID_TOKEN: await issuer.sign({ ...claims, aud: server.url }) };
    const imported = await cli(importing, job);
    expect(imported).toMatchObject({ code: 0 });
    const { id } = JSON.parse(imported.out).imports[0].execution;
    expect((await cli(['gate', id, '--fail-on', 'critical', '--json'], job)).code).toBeLessThan(2);
  });
});

describe('in Kubernetes', () => {
  it('reads the token from its file, which the platform renews', async () => {
    const file = join(home, 'token');
    const pod = { SEC_TESTER_ID_TOKEN_FILE: file };
    expect(await cli(['whoami'], pod)).toMatchObject({
      code: 3,
      err: expect.stringContaining('SEC_TESTER_ID_TOKEN_FILE cannot be read'),
    });
    writeFileSync(file, `${await issuer.sign({ aud: server.url })}\n`);
    expect(await cli(['whoami'], pod)).toMatchObject({ code: 0 });
  });
});
