// Attacks on workload identity: tokens that no rule may accept, rules that are too wide, and what ends the tokens that came of it.
import { createPublicKey } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import { generateSigningKey } from '../../../src/infra/credentials/jwt.js';
import { startTestServer } from '../../kit/harness.js';
import { endOf, follow, transports, until } from '../../kit/live.js';
import { newKey, pushClaims, startIssuer, type TestIssuer } from '../../kit/oidc/issuer.js';
import {
  accessTokenOf,
  audience,
  createServiceAccount,
  createTrust,
  exchange,
  tryTrust,
} from '../../kit/oidc/workloads.js';
import { createProject } from '../../kit/projects.js';
import { createExecution } from '../../kit/seed.js';
import { atEnd, useServer } from '../../kit/use.js';

const issuer = await startIssuer();
atEnd(() => issuer.stop());
const shared = {
  JWT_SIGNING_KEYS: JSON.stringify([await generateSigningKey()]),
  WORKLOAD_PRIVATE_ISSUERS: 'true',
};
const server = await useServer(shared);
/** Another instance on the same database, without Redis. */
const other = await useServer({ ...shared, DATABASE_URL: server.databaseUrl });
const adminToken = await server.signIn();
const account = await createServiceAccount(server, adminToken);
await createTrust(server, adminToken, { issuer: issuer.url, serviceAccountId: account });
beforeEach(() => issuer.lie({}));

const now = () => Math.floor(Date.now() / 1000);
const good = (claims: Record<string, unknown> = {}) => issuer.sign({ aud: audience, ...claims });
const list = (token: string, at = server) => at.gql('{ executions { nodes { id } } }', {}, token);

/** An issuer that nobody has asked yet, with a rule. */
async function fresh(...keys: Awaited<ReturnType<typeof newKey>>[]): Promise<TestIssuer> {
  const made = await startIssuer();
  if (keys.length > 0) made.useKeys(...keys);
  await createTrust(server, adminToken, { issuer: made.url, serviceAccountId: account });
  return made;
}

/** Why the last exchange was refused, by the audit trail. */
async function lastReason(): Promise<string | undefined> {
  const [row] = await server.sql<{ reason: string }>(
    `SELECT changes->>'reason' AS reason FROM audit_events
     WHERE action = 'auth.token_exchange' AND outcome = 'FAILURE' ORDER BY id DESC LIMIT 1`,
  );
  return row?.reason;
}

async function expectRefused(token: string, reason: string | RegExp, at = server): Promise<void> {
  const answer = await exchange(at, token);
  expect([answer.status, answer.body.code, answer.body.error]).toEqual([
    ...[400, 'SUBJECT_TOKEN_REFUSED', 'invalid_request'],
  ]);
  expect(await lastReason()).toMatch(reason);
}

describe('a token', () => {
  it('that is good is exchanged, so that every refusal below has its own reason', async () => {
    expect((await list(await accessTokenOf(server, await good()))).expectData()).toBeDefined();
    expect(
      (await list(await accessTokenOf(server, await good({ aud: [audience] })))).expectData(),
    ).toBeDefined();
  });

  it.each<[string, () => Promise<string>, string | RegExp]>([
    ['for another audience', () => good({ aud: 'https://elsewhere.example' }), /audience/],
    [
      'for this audience and others',
      () => good({ aud: [audience, 'https://elsewhere.example'] }),
      /audience/,
    ],
    ['without an audience', () => good({ aud: undefined }), /audience/],
    ['for an audience that is no text', () => good({ aud: { [audience]: 1 } }), /audience/],
    ['of an issuer that no rule names', () => good({ iss: 'https://evil.example' }), /issuer/],
    ['of the issuer with a slash more', () => good({ iss: `${issuer.url}/` }), /issuer/],
    ['of an issuer that is no text', () => good({ iss: [issuer.url] }), /issuer/],
    ['that has expired', () => good({ exp: now() - 301, iat: now() - 600 }), 'expired'],
    ['that is not valid yet', () => good({ nbf: now() + 360 }), 'wrong claim nbf'],
    ['issued in the future', () => good({ iat: now() + 360 }), /future|iat/],
    [
      'issued a day ago that lasts for years',
      () => good({ iat: now() - 90_000, exp: now() + 10 ** 9 }),
      /too long ago/,
    ],
    ['without an end', () => good({ exp: undefined }), 'wrong claim exp'],
    ['without a time of issue', () => good({ iat: undefined }), 'wrong claim iat'],
    ['of another repository', () => good({ repository: 'acme/other' }), 'no rule matches the claims'],
    [
      'of a repository with a longer name',
      () => good({ repository: 'acme/shop-evil' }),
      'no rule matches the claims',
    ],
    [
      'of an owner before the name',
      () => good({ repository: 'evil/acme/shop' }),
      'no rule matches the claims',
    ],
    [
      'of a repository in another case',
      () => good({ repository: 'Acme/shop' }),
      'no rule matches the claims',
    ],
    ['of a list of repositories', () => good({ repository: ['acme/shop'] }), 'no rule matches the claims'],
    ['without the claim', () => good({ repository: undefined }), 'no rule matches the claims'],
    ['of a pull request of a fork', () => good({ event_name: 'pull_request' }), 'no rule matches the claims'],
    [
      'of pull_request_target',
      () => good({ event_name: 'pull_request_target' }),
      'no rule matches the claims',
    ],
    [
      'of a workflow that a pull request caused',
      () => good({ event_name: 'workflow_run' }),
      'no rule matches the claims',
    ],
    ['of a comment', () => good({ event_name: 'issue_comment' }), 'no rule matches the claims'],
    ['of a page of a wiki', () => good({ event_name: 'gollum' }), 'no rule matches the claims'],
    ['of a check of a pull request', () => good({ event_name: 'check_run' }), 'no rule matches the claims'],
    ['of a list of events', () => good({ event_name: ['pull_request'] }), 'no rule matches the claims'],
    [
      'of a merge request that says push beside it',
      () => good({ event_name: 'push', pipeline_source: 'merge_request_event' }),
      'no rule matches the claims',
    ],
    [
      'of no event whose subject is of a pull request',
      () => good({ event_name: '', sub: 'repo:acme/shop:pull_request' }),
      'no rule matches the claims',
    ],
    [
      'of a merge request',
      () => good({ event_name: undefined, pipeline_source: 'merge_request_event' }),
      'no rule matches the claims',
    ],
    [
      'whose subject is of a pull request',
      () => good({ event_name: undefined, sub: 'repo:acme/shop:pull_request' }),
      'no rule matches the claims',
    ],
    [
      'with a key id that nobody knows',
      () => issuer.sign({ aud: audience }, { header: { kid: 'unknown' } }),
      'no such key',
    ],
    ['that is no token', async () => 'not-a-token', 'malformed'],
    ['of 64 KiB and more', async () => `${'a'.repeat(70_000)}.b.c`, 'malformed'],
  ])('%s is refused', async (_name, make, reason) => {
    const token = await make();
    if (token.length > 65_536) {
      expect((await exchange(server, token)).body.code).toBe('VALIDATION_FAILED');
      return;
    }
    await expectRefused(token, reason);
  });

  it('of this server is no token of a workload', async () => {
    await expectRefused(adminToken, /issuer/);
    await expectRefused(await accessTokenOf(server, await good()), /issuer/);
  });

  it('without a signature is refused, also when its header says none', async () => {
    const claims = { ...pushClaims, iss: issuer.url, aud: audience, iat: now(), exp: now() + 300 };
    await expectRefused(new UnsecuredJWT(claims).encode(), 'malformed');
    await expectRefused(`${new UnsecuredJWT(claims).encode()}AAAA`, 'algorithm not allowed');
  });

  it('signed with the public key as a secret is refused (algorithm confusion)', async () => {
    const key = await newKey();
    const own = await fresh(key);
    const pem = createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const claims = { ...pushClaims, iss: own.url, aud: audience, iat: now(), exp: now() + 300 };
    for (const secret of [String(pem), String(pem).trim(), JSON.stringify(key.jwk)]) {
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: key.kid })
        .sign(new TextEncoder().encode(secret));
      await expectRefused(forged, 'algorithm not allowed');
    }
    await own.stop();
  });

  it('signed by others with the key id, the keys or the address of keys of their own is refused', async () => {
    const [theirs, ours] = [await newKey(), await newKey()];
    const own = await fresh(ours);
    await accessTokenOf(server, await own.sign({ aud: audience }));
    for (const header of [
      { kid: ours.kid },
      { kid: ours.kid, jwk: theirs.jwk },
      { kid: ours.kid, jku: 'https://evil.example/keys' },
      { kid: ours.kid, x5u: 'https://evil.example/cert' },
    ])
      await expectRefused(await own.sign({ aud: audience }, { key: theirs, header }), 'wrong signature');
    await own.stop();
  });

  it('of another issuer that has the same key is refused', async () => {
    const second = await startIssuer();
    await createTrust(server, adminToken, {
      ...{ issuer: second.url, serviceAccountId: account, audience: 'https://second.example' },
    });
    // The other's own keys stay; it signs with this one's and says to be this one.
    await expectRefused(await second.sign({ iss: issuer.url, aud: audience }), 'no such key');
    await expectRefused(await good({ iss: second.url, aud: 'https://second.example' }), 'no such key');
    await expectRefused(await second.sign({ aud: audience }), /audience/);
    await second.stop();
  });

  it.each(['ES256', 'PS256', 'EdDSA', 'RS512'])('signed with %s is good', async (alg) => {
    const own = await fresh(await newKey(alg));
    await accessTokenOf(server, await own.sign({ aud: audience }));
    await own.stop();
  });
});

describe('a token that was used', () => {
  it('is refused by both instances, also in parallel, and exactly one exchange wins', async () => {
    const token = await good();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => exchange(n % 2 ? server : other, token)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'SUBJECT_TOKEN_REFUSED')).toHaveLength(11);
    await expectRefused(token, 'the token was used before', other);
  });

  it('is refused again with another signature of the same text, and without an id', async () => {
    const own = await fresh(await newKey('ES256'));
    const claims = { aud: audience, jti: undefined, iat: now() };
    const [one, two] = [await own.sign(claims), await own.sign(claims)];
    expect(one.split('.').slice(0, 2)).toEqual(two.split('.').slice(0, 2));
    expect(one).not.toBe(two); // ECDSA signs at random
    await accessTokenOf(server, one);
    await expectRefused(two, 'the token was used before');
    await own.stop();
  });

  it('is remembered until it could not be used any more', async () => {
    await accessTokenOf(server, await good({ exp: now() + 7200 }));
    const [row] = await server.sql<{ seconds: number }>(
      'SELECT max(extract(epoch FROM expires_at - now()))::int AS seconds FROM used_tokens',
    );
    expect(row?.seconds).toBeGreaterThan(7200);
  });

  it('does not count as used when the exchange failed', async () => {
    const token = await good();
    expect((await exchange(server, token, { scope: 'user:read' })).body).toMatchObject({
      error: 'invalid_scope',
    });
    expect((await exchange(server, token, { audience: 'https://x.example' })).body.error).toBe(
      'invalid_target',
    );
    await accessTokenOf(server, token);
  });
});

describe('an issuer', () => {
  it.each([
    ['another issuer', { issuer: 'https://evil.example' }],
    ['keys elsewhere, not by http', { jwks_uri: 'ftp://evil.example/keys' }],
    ['no keys', { jwks_uri: undefined }],
  ])('whose metadata names %s gives no token', async (_name, discovery) => {
    const lying = await fresh();
    lying.lie({ discovery });
    expect((await exchange(server, await lying.sign({ aud: audience }))).body).toMatchObject({
      ...{ code: 'UNAVAILABLE', error: 'temporarily_unavailable' },
    });
    await lying.stop();
  });

  it('that is down or hangs answers 503, and passwords and keys go on', async () => {
    for (const lies of [{ down: true }, { hang: true }]) {
      const lost = await fresh();
      lost.lie(lies);
      const answer = await exchange(server, await lost.sign({ aud: audience }));
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
      expect((await list(await server.signIn())).expectData()).toBeDefined();
      await lost.stop();
    }
  });

  it('has new keys found at once, and withdrawn ones forgotten', async () => {
    const turning = await fresh();
    await accessTokenOf(server, await turning.sign({ aud: audience }));
    const key = await newKey();
    const old = await turning.sign({ aud: audience });
    turning.useKeys(key);
    server.clock.advance(5 * 60_000 + 1000);
    await expectRefused(old, /no such key|expired/);
    server.clock.advance(-(5 * 60_000 + 1000));
    await turning.stop();
  });

  it('keeps its known keys while it is down and somebody asks for unknown ones', async () => {
    const failing = await fresh();
    await accessTokenOf(server, await failing.sign({ aud: audience }));
    failing.lie({ down: true });
    server.clock.advance(6000);
    const unknown = () => failing.sign({ aud: audience }, { header: { kid: crypto.randomUUID() } });
    expect((await exchange(server, await unknown())).status).toBe(503);
    await accessTokenOf(server, await failing.sign({ aud: audience }));
    failing.lie({});
    expect((await exchange(server, await unknown())).status).toBe(503); // asked just now
    server.clock.advance(6000);
    await expectRefused(await unknown(), 'no such key');
    server.clock.advance(-12_000);
    await failing.stop();
  });

  it('with several keys is not tried key by key: the token has to name one', async () => {
    const several = await fresh(await newKey(), await newKey());
    const token = await several.sign({ aud: audience }, { header: { kid: undefined } });
    await expectRefused(token, 'no key id, and the issuer has several keys');
    await several.stop();
  });

  it('is never asked when no rule names it: a token leads the server nowhere', async () => {
    const stranger = await startIssuer();
    stranger.lie({ hang: true });
    await expectRefused(await stranger.sign({ aud: audience }), /issuer/);
    await stranger.stop();
  });

  it('in the inner network or on http is out of reach unless the setting allows it', async () => {
    const strict = await startTestServer();
    const token = await strict.signIn();
    const serviceAccountId = await createServiceAccount(strict, token);
    for (const url of [
      'http://gitlab.example',
      'https://10.0.0.1',
      'https://localhost',
      'https://169.254.169.254/x',
    ])
      expect(
        (await tryTrust(strict, token, { issuer: url, serviceAccountId })).expectError('VALIDATION_FAILED')
          .extensions.fields,
      ).toEqual([{ path: 'input.issuer', message: expect.any(String) }]);
    await strict.close();
  });
});

describe('a rule', () => {
  const refusal = async (input: Record<string, unknown>) =>
    (
      await tryTrust(server, adminToken, { issuer: issuer.url, serviceAccountId: account, ...input })
    ).expectError('VALIDATION_FAILED').extensions.fields;
  const claims = (...pairs: [string, string][]) => ({
    claims: pairs.map(([claim, pattern]) => ({ claim, pattern })),
  });

  it.each(['*', '*/*', '*/shop', 'acme*/shop', '*acme/shop', ':*'])(
    'for the repository %s is too wide',
    async (pattern) => {
      expect(await refusal(claims(['repository', pattern]))).toEqual([
        { path: 'input.claims.0.pattern', message: expect.stringContaining('too wide') },
      ]);
    },
  );

  it.each([
    'repo:*',
    'repo:*/shop:ref:refs/heads/main',
    'repo:acme*/shop:ref:refs/heads/main',
    'project_path:*/shop:ref_type:branch:ref:main',
    'system:serviceaccount:*:default',
    'system:*:ci:default',
    '*:acme/shop',
    'spiffe://*/ci',
  ])('for the subject %s is too wide', async (pattern) => {
    expect(await refusal(claims(['sub', pattern]))).toEqual([
      { path: 'input.claims.0.pattern', message: expect.stringContaining('too wide') },
    ]);
  });

  it('that names no owner is too wide, even if it names a branch', async () => {
    const fields = await refusal(claims(['ref', 'refs/heads/main'], ['event_name', 'push']));
    expect(fields).toEqual([
      { path: 'input.claims', message: expect.stringContaining('must name an owner') },
    ]);
    expect(await refusal({ claims: [] })).toEqual([{ path: 'input.claims', message: expect.any(String) }]);
    for (const [claim, pattern] of [
      ['repository_owner', 'ac*'],
      ['repository_id', '1*'],
      ['constructor', 'x'],
    ] as const)
      expect(await refusal(claims([claim, pattern]))).toHaveLength(1);
  });

  it('with a pattern that would take long to match is refused', async () => {
    const fields = await refusal(claims(['repository', 'acme/shop'], ['ref', `${'a*'.repeat(200)}b`]));
    expect(fields).toEqual([
      { path: 'input.claims.1.pattern', message: expect.stringContaining('at most one *') },
    ]);
  });

  it('for an audience that platforms give by themselves is refused', async () => {
    for (const named of ['https://github.com/acme', issuer.url, `${issuer.url}/`])
      expect(await refusal({ audience: named })).toEqual([
        { path: 'input.audience', message: expect.any(String) },
      ]);
  });

  it('that becomes too wide by a change stays as it was', async () => {
    const id = await createTrust(server, adminToken, { issuer: issuer.url, serviceAccountId: account });
    const change = (input: object) =>
      server.change('updateWorkloadTrust', { id, ...input }, 'workloadTrust { audience }', adminToken);
    (await change(claims(['repository', '*/*']))).expectError('VALIDATION_FAILED');
    (await change({ audience: 'https://github.com/acme' })).expectError('VALIDATION_FAILED');
    (await change({ lifetimeSeconds: 3601 })).expectError('VALIDATION_FAILED');
    (
      await server.gql(
        'mutation($id: ID!) { deleteWorkloadTrust(id: $id) { deletedId } }',
        { id },
        adminToken,
      )
    ).expectData();
  });

  it('accepts pull requests only when it names the event itself, and wildcards within one segment only', async () => {
    const named = 'https://pulls.example';
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: account, audience: named },
      ...claims(['repository', 'acme/*'], ['event_name', 'pull_request'], ['ref', 'refs/pull/*/merge']),
    });
    const pull = { aud: named, event_name: 'pull_request', ref: 'refs/pull/7/merge' };
    await accessTokenOf(server, await good(pull));
    await expectRefused(
      await good({ ...pull, event_name: 'pull_request_target' }),
      'no rule matches the claims',
    );
    await expectRefused(await good({ ...pull, ref: 'refs/pull/7/8/merge' }), 'no rule matches the claims');
    await expectRefused(await good({ ...pull, repository: 'acme/' }), 'no rule matches the claims');
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: account, audience: 'https://any.example' },
      ...claims(['repository', 'acme/shop'], ['event_name', 'pull_*']),
    });
    const event = { aud: 'https://any.example', event_name: 'pull_request' };
    await expectRefused(await good(event), 'no rule matches the claims');
  });

  it('is made by admins only, after a fresh sign-in, for service accounts only', async () => {
    const { me } = (await server.gql('{ me { id } }', {}, adminToken)).expectData();
    const input = { issuer: issuer.url, serviceAccountId: account };
    (await tryTrust(server, adminToken, { ...input, serviceAccountId: me.id })).expectError('NOT_FOUND');
    (await tryTrust(server, await accessTokenOf(server, await good()), input)).expectError('FORBIDDEN');
    server.clock.advance(6 * 60_000);
    (await tryTrust(server, adminToken, input)).expectError('REAUTHENTICATION_REQUIRED');
    server.clock.advance(-6 * 60_000);
  });
});

describe('what a token reaches', () => {
  it('does not grow: neither beyond the rule, nor beyond the account', async () => {
    const reader = await createServiceAccount(server, adminToken, { role: 'VIEWER' });
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: reader, audience: 'https://reader.example' },
      scopes: ['execution:read', 'execution:create', 'user:read'],
    });
    const token = await accessTokenOf(server, await good({ aud: 'https://reader.example' }));
    expect((await list(token)).expectData()).toBeDefined();
    const create =
      'mutation { createExecution(input: { name: "n", target: "t", kind: DAST }) { execution { id } } }';
    (await server.gql(create, {}, token)).expectError('FORBIDDEN'); // a scope, but a VIEWER
    (await server.gql('{ users { totalCount } }', {}, token)).expectError('FORBIDDEN');
    const narrow = await accessTokenOf(server, await good(), { scope: 'execution:read' });
    expect((await list(narrow)).expectData()).toBeDefined();
    expect((await server.gql(create, {}, narrow)).expectError('FORBIDDEN').message).toContain(
      'This token lacks the scope execution:create',
    );
    for (const query of [
      'mutation { createApiKey(input: { name: "k", scopes: ["execution:read"], expiresAt: "2030-01-01T00:00:00Z" }) { secret } }',
      'mutation { changePassword(input: { currentPassword: "x", newPassword: "y" }) { user { id } } }',
      'mutation { logout { revokedSessions } }',
      '{ workloadTrusts { id } }',
      '{ me { sessions { id } } }',
    ])
      expect([query, (await server.gql(query, {}, narrow)).body.errors?.[0]?.extensions.code]).toEqual([
        ...[query, 'FORBIDDEN'],
      ]);
    expect((await exchange(server, await good(), { scope: 'execution:read user:read' })).body.error).toBe(
      'invalid_scope',
    );
    expect(await lastReason()).toMatch('scope: names a permission that the trust rule does not give');
  });

  it('is one project where the rule or the account has one, and no private project of others', async () => {
    const [own, secret] = [
      await createProject(server, adminToken),
      await createProject(server, adminToken, { visibility: 'PRIVATE' }),
    ];
    const inOwn = await createExecution(server, adminToken, { project: own });
    const inSecret = await createExecution(server, adminToken, { project: secret });
    const inDefault = await createExecution(server, adminToken);
    const bound = await createServiceAccount(server, adminToken, { project: own });
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: bound, audience: 'https://bound.example' },
    });
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: account, audience: 'https://rule.example', project: own },
    });
    for (const aud of ['https://bound.example', 'https://rule.example']) {
      const token = await accessTokenOf(server, await good({ aud }));
      const seen = (await list(token)).expectData().executions.nodes.map(({ id }: { id: string }) => id);
      expect(seen).toEqual([inOwn]);
      for (const id of [inSecret, inDefault])
        (await server.gql('query($id: ID!) { execution(id: $id) { id } }', { id }, token)).expectError(
          'NOT_FOUND',
        );
    }
    const wide = await accessTokenOf(server, await good());
    const seen = (await list(wide)).expectData().executions.nodes.map(({ id }: { id: string }) => id);
    expect(seen).toEqual(expect.arrayContaining([inOwn, inDefault]));
    expect(seen).not.toContain(inSecret);
    (
      await tryTrust(server, adminToken, {
        ...{
          issuer: issuer.url,
          serviceAccountId: bound,
          audience: 'https://b.example',
          scopes: ['user:read'],
        },
      })
    ).expectError('VALIDATION_FAILED');
  });
});

describe('a token ends', () => {
  const ended = (token: string, at = server) =>
    until(
      async () => (await list(token, at)).body.errors?.[0]?.extensions.code === 'TOKEN_REVOKED',
      'the end',
    );
  const ways: [string, (rule: string, account: string) => Promise<unknown>][] = [
    [
      'with the rule',
      (id) =>
        server.gql('mutation($id: ID!) { deleteWorkloadTrust(id: $id) { deletedId } }', { id }, adminToken),
    ],
    [
      'with a change of the rule',
      (id) =>
        server.gql(
          'mutation($id: ID!) { updateWorkloadTrust(input: { id: $id, isEnabled: false }) { workloadTrust { id } } }',
          { id },
          adminToken,
        ),
    ],
    [
      'with the account',
      (_rule, id) =>
        server.gql('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id }, adminToken),
    ],
    [
      'with the deleted account',
      (_rule, id) =>
        server.gql('mutation($id: ID!) { deleteUser(id: $id) { deletedId } }', { id }, adminToken),
    ],
  ];

  it.each(ways)('%s, on both instances and on open streams, and no more come', async (_name, end) => {
    const own = await createServiceAccount(server, adminToken);
    const aud = `https://${crypto.randomUUID()}.example`;
    const rule = await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: own, audience: aud },
    });
    const token = await accessTokenOf(server, await good({ aud }));
    const id = await createExecution(server, adminToken);
    const streams = [server, other].flatMap((at) =>
      transports.map((transport) => follow(transport, at, token, id)),
    );
    await until(() => streams.every(({ events }) => events.length > 0), 'the beginnings');
    expect(await end(rule, own)).toMatchObject({ body: { data: expect.anything() } });
    const ends = await Promise.all(
      streams.map(async (stream) =>
        [await endOf(stream), ...stream.errors.map(({ code }) => code)].join(' '),
      ),
    );
    expect([...new Set(ends)].sort()).toEqual(['4403', 'complete TOKEN_REVOKED']);
    await Promise.all([ended(token), ended(token, other)]);
    await expectRefused(await good({ aud }), /no rule|no enabled rule/);
  });

  it('after the lifetime of the rule, and cannot be refreshed', async () => {
    const aud = 'https://short.example';
    await createTrust(server, adminToken, {
      ...{ issuer: issuer.url, serviceAccountId: account, audience: aud, lifetimeSeconds: 60 },
    });
    const { body } = await exchange(server, await good({ aud }));
    expect(body).toEqual({
      accessToken: expect.any(String),
      issuedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
      tokenType: 'Bearer',
      expiresIn: 60,
      scope: 'execution:read execution:create',
    });
    const refresh = await server.rest('POST', '/api/v1/auth/refresh', {
      body: { refreshToken: body.accessToken },
    });
    expect(refresh.status).toBe(401);
    server.clock.advance(61_000);
    (await list(body.accessToken)).expectError('TOKEN_EXPIRED');
    server.clock.advance(-61_000);
  });
});

it('guesses are limited by address, and the answer gives no reason', async () => {
  const limited = await startTestServer({ LOGIN_MAX_FAILURES: '1' });
  const codes = new Set<string>();
  for (let n = 0; n < 65; n += 1) codes.add((await exchange(limited, await good())).body.code);
  expect([...codes]).toEqual(['SUBJECT_TOKEN_REFUSED', 'RATE_LIMITED']);
  await limited.close();
});
