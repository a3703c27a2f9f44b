// Trust rules and the exchange as their users meet them: admins in GraphQL, jobs by JSON or a form of RFC 8693.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { startIssuer } from '../../kit/oidc/issuer.js';
import {
  accessTokenOf,
  audience,
  createServiceAccount,
  createTrust,
  exchange,
  tryTrust,
} from '../../kit/oidc/workloads.js';
import { createProject } from '../../kit/projects.js';
import { atEnd, useServer } from '../../kit/use.js';

const issuer = await startIssuer();
atEnd(() => issuer.stop());
const server = await useServer({ WORKLOAD_PRIVATE_ISSUERS: 'true' });
const adminToken = await server.signIn();
const account = await createServiceAccount(server, adminToken);

const asAdmin = (query: string, variables: Record<string, unknown> = {}) =>
  server.gql(query, variables, adminToken);
const listed = async () =>
  (
    await asAdmin(`{ workloadTrusts { id name issuer audience claims { claim pattern } serviceAccount { id }
      project { key } scopes lifetimeSeconds isEnabled createdAt lastUsedAt } }`)
  ).expectData().workloadTrusts;
const remove = (id: string) =>
  asAdmin('mutation($id: ID!) { deleteWorkloadTrust(id: $id) { deletedId } }', { id });
const update = (input: Record<string, unknown>) =>
  asAdmin(
    `mutation($input: UpdateWorkloadTrustInput!) {
      updateWorkloadTrust(input: $input) { workloadTrust { name audience scopes lifetimeSeconds isEnabled } }
    }`,
    { input },
  );

describe('a trust rule', () => {
  it('is created, listed, changed, disabled and deleted, each with its event on the audit trail', async () => {
    const project = await createProject(server, adminToken);
    const id = await createTrust(server, adminToken, {
      ...{ name: 'shop on GitHub', issuer: issuer.url, serviceAccountId: account, project },
    });
    expect(await listed()).toEqual([
      {
        id,
        name: 'shop on GitHub',
        issuer: issuer.url,
        audience,
        claims: [{ claim: 'repository', pattern: 'acme/shop' }],
        serviceAccount: { id: account },
        project: { key: project },
        scopes: ['execution:read', 'execution:create'],
        lifetimeSeconds: 900,
        isEnabled: true,
        createdAt: expect.any(String),
        lastUsedAt: null,
      },
    ]);
    const accessToken = await accessTokenOf(server, await issuer.sign({ aud: audience }));
    // Versions that do not know the scopes of sessions take the audience sec-tester-api alone.
    expect(decodeJwt(accessToken).aud).toBe('sec-tester-api/workload');
    expect((await listed())[0].lastUsedAt).toEqual(expect.any(String));
    const changed = await update({ id, name: 'shop', scopes: ['execution:read'], lifetimeSeconds: 60 });
    expect(changed.expectData().updateWorkloadTrust.workloadTrust).toEqual({
      ...{ name: 'shop', audience, scopes: ['execution:read'], lifetimeSeconds: 60, isEnabled: true },
    });
    (await update({ id, scopes: ['user:read'] })).expectError('VALIDATION_FAILED'); // it has a project
    (await update({ id, isEnabled: false })).expectData();
    expect((await exchange(server, await issuer.sign({ aud: audience }))).status).toBe(400);
    expect((await remove(id)).expectData()).toEqual({ deleteWorkloadTrust: { deletedId: id } });
    (await remove(id)).expectError('NOT_FOUND');
    (await update({ id, name: 'x' })).expectError('NOT_FOUND');
    const events = await server.sql<{ action: string; ended: number | null }>(
      `SELECT action, (changes->>'revokedSessions')::int AS ended FROM audit_events
       WHERE action LIKE 'workload_trust.%' OR action = 'auth.token_exchange' ORDER BY id`,
    );
    expect(events).toEqual([
      { action: 'workload_trust.create', ended: null },
      { action: 'auth.token_exchange', ended: null },
      { action: 'workload_trust.update', ended: 1 },
      { action: 'workload_trust.update', ended: 0 },
      { action: 'auth.token_exchange', ended: null },
      { action: 'workload_trust.delete', ended: 0 },
    ]);
  });

  it('has a name of its own and names what exists', async () => {
    const input = { issuer: issuer.url, serviceAccountId: account };
    const id = await createTrust(server, adminToken, { ...input, name: 'one' });
    expect(
      (await tryTrust(server, adminToken, { ...input, name: 'one' })).expectError('CONFLICT').message,
    ).toContain('this name');
    (await tryTrust(server, adminToken, { ...input, project: 'nowhere' })).expectError('NOT_FOUND');
    (await tryTrust(server, adminToken, { ...input, scopes: ['root'] })).expectError('VALIDATION_FAILED');
    (await tryTrust(server, adminToken, { ...input, scopes: ['workload:manage'] })).expectError(
      'VALIDATION_FAILED',
    );
    (await tryTrust(server, adminToken, { ...input, issuer: 'no url' })).expectError('VALIDATION_FAILED');
    (await tryTrust(server, adminToken, { ...input, lifetimeSeconds: 3601 })).expectError(
      'VALIDATION_FAILED',
    );
    await remove(id);
  });

  it('goes with its service account', async () => {
    const own = await createServiceAccount(server, adminToken);
    await createTrust(server, adminToken, { issuer: issuer.url, serviceAccountId: own });
    await asAdmin('mutation($id: ID!) { deleteUser(id: $id) { deletedId } }', { id: own });
    expect(await listed()).toEqual([]);
  });
});

describe('an exchange', () => {
  let rule: string;
  beforeAll(async () => {
    rule = await createTrust(server, adminToken, { issuer: issuer.url, serviceAccountId: account });
  });

  const form = async (fields: Record<string, string>) => {
    const response = await fetch(`${server.url}/api/v1/auth/token-exchange`, {
      method: 'POST',
      body: new URLSearchParams(fields),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const fields = async (more: Record<string, string> = {}) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await issuer.sign({ aud: audience }),
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    ...more,
  });

  it('by a form is spelled as the RFC has it, and its answer is not stored', async () => {
    const answer = await form(
      await fields({ scope: ' execution:read ', audience, resource: 'https://ignored.example' }),
    );
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'execution:read',
    });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { me } = (await server.gql('{ me { id name } }', {}, answer.body.access_token)).expectData();
    expect(me).toEqual({ id: account, name: 'CI' });
  });

  it.each<[string, Record<string, string>, string, string | undefined]>([
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type', 'grant_type'],
    [
      'another kind of token',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
      'subject_token_type',
    ],
    [
      'a refresh token wanted',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
      'requested_token_type',
    ],
    ['no token', { subject_token: '' }, 'invalid_request', 'subject_token'],
    ['an actor', { actor_token: 'x' }, 'invalid_request', 'actor_token'],
    ['a scope that the rule lacks', { scope: 'user:read' }, 'invalid_scope', 'scope'],
    ['an audience that is not the token’s', { audience: 'x' }, 'invalid_target', 'audience'],
    ['no good token', { subject_token: 'a.b.c' }, 'invalid_request', undefined],
  ])('with %s names its error and field as the RFC does', async (_name, more, error, field) => {
    const answer = await form(await fields(more));
    expect([answer.status, answer.body.error, answer.body.status]).toEqual([400, error, 400]);
    expect(answer.body.errors?.[0].path).toBe(field);
    if (field !== undefined) expect(answer.body.detail).toMatch(`${field}: `);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('tells the audit trail who acts by which rule, and admins see the session', async () => {
    await accessTokenOf(
      server,
      await issuer.sign({ aud: audience, ref: `refs/heads/${'x'.repeat(400)}\u0000` }),
    );
    const answer = await asAdmin(
      `query($id: ID!) { user(id: $id) { sessions { id expiresAt } lastLoginAt }
        auditEvents(first: 1, filter: { action: "auth.token_exchange" }) { nodes { actorLabel changes } } }`,
      { id: account },
    );
    const { user, auditEvents } = answer.expectData();
    expect(user.sessions.length).toBeGreaterThan(0);
    expect(user.lastLoginAt).toEqual(expect.any(String));
    expect(auditEvents.nodes[0]).toMatchObject({
      actorLabel: expect.stringContaining('@service-account.invalid'),
      changes: {
        rule: expect.stringMatching(/^rule /),
        scopes: ['execution:read', 'execution:create'],
        issuer: issuer.url,
        claims: { sub: 'repo:acme/shop:ref:refs/heads/main', repository: 'acme/shop' },
      },
    });
  });

  it('forgets sessions that have expired, and waits when a rule has too many', async () => {
    await server.sql(
      `UPDATE sessions SET created_at = now() - interval '1 hour', expires_at = now() - interval '1 minute' WHERE workload_trust_id IS NOT NULL`,
    );
    await accessTokenOf(server, await issuer.sign({ aud: audience }));
    const count = async () =>
      (
        await server.sql('SELECT count(*)::int AS count FROM sessions WHERE workload_trust_id IS NOT NULL')
      )[0];
    expect(await count()).toEqual({ count: 1 });
    await server.sql(
      `INSERT INTO sessions (id, user_id, counter, rotated_at, created_at, last_used_at, idle_expires_at, expires_at, workload_trust_id, scopes)
       SELECT gen_random_uuid(), user_id, 0, now(), now(), now(), expires_at, expires_at, workload_trust_id, scopes
       FROM sessions, generate_series(1, 999) WHERE workload_trust_id = $1`,
      [rule.slice(4)],
    );
    const answer = await exchange(server, await issuer.sign({ aud: audience }));
    expect([answer.status, answer.body.code, answer.body.error]).toEqual([
      429,
      'RATE_LIMITED',
      'temporarily_unavailable',
    ]);
  });
});
