// Passkeys as a user has them: enrolled, listed, renamed, removed; instead of a password and as the second factor; by REST
// and GraphQL; on two instances.
import { describe, expect, it } from '@jest/globals';
import { type TOTP, URI } from 'otpauth';
import { startTestServer } from '../../kit/harness.js';
import { type Algorithm, Authenticator } from '../../kit/passkeys/authenticator.js';
import {
  createOwner,
  enrolmentOptions,
  loginOptions,
  outcomeOf,
  proofOf,
  sendProof,
  site,
  siteEnv,
  tryEnrol,
  tryPasskey,
} from '../../kit/passkeys/passkeys.js';
import { createPerson, password } from '../../kit/seed.js';
import { meWith } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer(siteEnv);
let adminToken = await server.signIn();

const login = (email: string, more: object = {}) =>
  server.rest('POST', '/api/v1/auth/login', { body: { email, password, ...more } });
const remove = (token: string, id: string) =>
  server.gql('mutation($id: ID!) { removePasskey(id: $id) { deletedId } }', { id }, token);
const auditOf = (userId: string) =>
  server.sql<{ action: string; outcome: string; changes: Record<string, unknown> | null }>(
    `SELECT action, outcome::text, changes FROM audit_events WHERE action LIKE 'passkey%' AND target_id = $1 ORDER BY number`,
    [userId.slice(4)],
  );

describe('A passkey', () => {
  it.each<Algorithm>(['ES256', 'EdDSA', 'RS256'])(
    'with a key of %s signs in instead of a password, each time',
    async (algorithm) => {
      const authenticator = new Authenticator(site.origin, true, algorithm);
      const { id, email } = await createOwner(server, adminToken, authenticator);
      for (const _time of [1, 2]) {
        const { status, body } = await tryPasskey(server, authenticator);
        expect([status, body.user]).toEqual([200, expect.objectContaining({ id, email })]);
        expect(Object.keys(body).sort()).toEqual([
          'accessToken',
          'deviceToken',
          'expiresIn',
          'refreshExpiresIn',
          'refreshToken',
          'tokenType',
          'user',
        ]);
        expect(await meWith(server, body.accessToken)).toBe('200');
      }
      const events = await server.sql(
        `SELECT outcome::text, changes FROM audit_events WHERE action = 'auth.login' AND actor_id = $1 AND changes ? 'passkey'`,
        [id.slice(4)],
      );
      expect(events).toHaveLength(2);
    },
  );

  it('signs in from authenticators that count nothing, as those of phones', async () => {
    const { authenticator } = await createOwner(server, adminToken, new Authenticator(site.origin, false));
    expect(outcomeOf(await tryPasskey(server, authenticator))).toBe('signed in');
    expect(outcomeOf(await tryPasskey(server, authenticator))).toBe('signed in');
  });

  it('opens a session as a password does: it refreshes, and ends the session that came along', async () => {
    const { authenticator, token } = await createOwner(server, adminToken);
    const { body } = await sendProof(server, await proofOf(server, authenticator), { token });
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    const refreshed = await server.rest('POST', '/api/v1/auth/refresh', {
      body: { refreshToken: body.refreshToken },
    });
    expect(refreshed.status).toBe(200);
  });

  it('is enrolled and used over GraphQL alike', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    const authenticator = new Authenticator(site.origin);
    const begun = await server.gql('mutation { enrolPasskey { state options } }', {}, person.token);
    const { state, options } = begun.expectData().enrolPasskey;
    const confirmed = await server.gql(
      `mutation($input: ConfirmPasskeyInput!) {
        confirmPasskey(input: $input) { passkey { id name isSynced createdAt lastUsedAt } recoveryCodes }
      }`,
      { input: { state, name: '  Laptop ', response: authenticator.create(options) } },
      person.token,
    );
    const { passkey, recoveryCodes } = confirmed.expectData().confirmPasskey;
    expect(passkey).toMatchObject({ name: 'Laptop', isSynced: false, lastUsedAt: null });
    expect(recoveryCodes).toHaveLength(10);
    const start = (await server.gql('mutation { startPasskeyLogin { state options } }')).expectData();
    const answer = await server.gql(
      `mutation($input: PasskeyLoginInput!) {
        loginWithPasskey(input: $input) { accessToken deviceToken user { email passkeys { id lastUsedAt } } }
      }`,
      {
        input: {
          state: start.startPasskeyLogin.state,
          response: authenticator.get(start.startPasskeyLogin.options),
        },
      },
    );
    const { user } = answer.expectData().loginWithPasskey;
    expect(user).toEqual({
      email: person.email,
      passkeys: [{ id: passkey.id, lastUsedAt: expect.any(String) }],
    });
  });

  it('asks for nothing that tells users apart: sign-in options name no credentials', async () => {
    await createOwner(server, adminToken);
    const { state, options } = await loginOptions(server);
    expect(state).toMatch(/^[\w-]{43}$/);
    expect(options).toEqual({
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      rpId: site.rpId,
      timeout: 300_000,
      userVerification: 'required',
    });
  });

  it('is made under a random name that says nothing of the user and stays the same', async () => {
    const { token, email, id, authenticator } = await createOwner(server, adminToken);
    const { options } = await enrolmentOptions(server, token);
    const handle = Buffer.from(options.user.id, 'base64url');
    expect(handle).toHaveLength(32);
    expect(handle.toString('latin1')).not.toContain(email);
    expect(handle.toString('hex')).not.toContain(id.slice(4).replaceAll('-', ''));
    expect((await enrolmentOptions(server, token)).options.user.id).toBe(options.user.id);
    expect(options.excludeCredentials).toEqual([
      { type: 'public-key', id: authenticator.credentialId, transports: ['usb'] },
    ]);
    expect(options.attestation).toBe('none');
  });

  it('is enrolled by a fresh sign-in only, and removed by one', async () => {
    const { token, passkeyId } = await createOwner(server, adminToken);
    server.clock.advance(301_000);
    const answer = await server.rest('POST', '/api/v1/auth/passkeys/enrolment/options', { token });
    expect(answer).toMatchObject({ status: 403, body: { code: 'REAUTHENTICATION_REQUIRED' } });
    (await remove(token, passkeyId)).expectError('REAUTHENTICATION_REQUIRED');
    adminToken = await server.signIn();
  });

  it('is one of twenty at most, also when many are enrolled at once', async () => {
    const { token } = await createOwner(server, adminToken);
    for (let count = 1; count < 18; count += 1)
      expect((await tryEnrol(server, token, new Authenticator(site.origin))).status).toBe(200);
    const begun = [1, 2, 3, 4].map(async () => {
      const authenticator = new Authenticator(site.origin);
      const { state, options } = await enrolmentOptions(server, token);
      return { state, name: 'Key', response: authenticator.create(options) };
    });
    const answers = (await Promise.all(begun)).map((body) =>
      server.rest('POST', '/api/v1/auth/passkeys/enrolment/verify', { token, body }),
    );
    const statuses = (await Promise.all(answers)).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 200, 409, 409]);
    const refused = await server.rest('POST', '/api/v1/auth/passkeys/enrolment/options', { token });
    expect(refused.body.code).toBe('CONFLICT');
  });

  it('is listed, renamed and removed by its owner over REST, and by nobody else', async () => {
    const owner = await createOwner(server, adminToken);
    const other = await createPerson(server, adminToken, 'ANALYST');
    const path = `/api/v1/auth/passkeys/${owner.passkeyId}`;
    const renamed = (token: string) =>
      server.rest('POST', `${path}/rename`, { token, body: { name: 'Blue key' } });
    expect((await renamed(other.token)).status).toBe(404);
    expect((await renamed(adminToken)).status).toBe(404);
    expect((await renamed(owner.token)).body).toMatchObject({ id: owner.passkeyId, name: 'Blue key' });
    const list = await server.rest('GET', '/api/v1/auth/passkeys', { token: owner.token });
    expect(list.body.passkeys).toEqual([
      {
        id: owner.passkeyId,
        name: 'Blue key',
        isSynced: false,
        createdAt: expect.any(String),
        lastUsedAt: null,
      },
    ]);
    expect((await server.rest('POST', `${path}/remove`, { token: other.token })).status).toBe(404);
    const removed = await server.rest('POST', `${path}/remove`, { token: owner.token });
    expect(removed).toMatchObject({ status: 200, body: { deletedId: owner.passkeyId } });
    expect((await server.rest('POST', `${path}/remove`, { token: owner.token })).status).toBe(404);
    expect(outcomeOf(await tryPasskey(server, owner.authenticator))).toBe('INVALID_CREDENTIALS');
    expect((await auditOf(owner.id)).map(({ action }) => action)).toEqual([
      'passkey.create',
      'passkey.rename',
      'passkey.remove',
    ]);
  });

  it('is out of reach of API keys, to see and to change', async () => {
    const { token, passkeyId } = await createOwner(server, adminToken);
    const made = await server.gql(
      'mutation($at: DateTime!) { createApiKey(input: { name: "k", scopes: ["profile:read"], expiresAt: $at }) { secret } }',
      { at: new Date(server.clock.now() + 3_600_000).toISOString() },
      token,
    );
    const { secret } = made.expectData().createApiKey;
    expect((await server.rest('GET', '/api/v1/auth/passkeys', { token: secret })).status).toBe(403);
    (await server.gql('{ me { passkeys { id } } }', {}, secret)).expectError('FORBIDDEN');
    (await remove(secret, passkeyId)).expectError('FORBIDDEN');
  });
});

describe('As the second factor', () => {
  it('a passkey is needed after the right password, and only then asked for', async () => {
    const { email, authenticator } = await createOwner(server, adminToken);
    expect(outcomeOf(await login(email))).toBe('SECOND_FACTOR_REQUIRED');
    expect(outcomeOf(await login(email, { password: 'wrong in every way' }))).toBe('INVALID_CREDENTIALS');
    const passkey = await proofOf(server, authenticator);
    expect(outcomeOf(await login(email, { passkey }))).toBe('signed in');
    expect(outcomeOf(await login(email, { passkey }))).toBe('INVALID_CREDENTIALS');
    const wrong = await proofOf(server, authenticator);
    expect(outcomeOf(await login(email, { passkey: wrong, password: 'wrong in every way' }))).toBe(
      'INVALID_CREDENTIALS',
    );
    const answer = await server.change(
      'login',
      { email, password, passkey: await proofOf(server, authenticator) },
      'expiresIn',
    );
    answer.expectData();
  });

  it('recovery codes come with the first one, and stand in for it once', async () => {
    const { email, token, recoveryCodes } = await createOwner(server, adminToken);
    expect(new Set(recoveryCodes).size).toBe(10);
    const second = await tryEnrol(server, token, new Authenticator(site.origin));
    expect(second.body.recoveryCodes).toEqual([]);
    const [code = ''] = recoveryCodes;
    expect(outcomeOf(await login(email, { code }))).toBe('signed in');
    expect(outcomeOf(await login(email, { code }))).toBe('INVALID_CREDENTIALS');
  });

  it('it stands beside an app: either is enough, and each is removed by itself', async () => {
    const { email, token, authenticator, passkeyId, recoveryCodes } = await createOwner(server, adminToken);
    const enrolled = await server.gql('mutation { enrolSecondFactor { uri } }', {}, token);
    const app = URI.parse(enrolled.expectData().enrolSecondFactor.uri) as TOTP;
    const codeNow = () => {
      server.clock.advance(30_000);
      return app.generate({ timestamp: server.clock.now() });
    };
    const confirm = 'mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes } }';
    const confirmed = (await server.gql(confirm, { code: codeNow() }, token)).expectData();
    const [fresh = ''] = confirmed.confirmSecondFactor.recoveryCodes as string[];
    expect(outcomeOf(await login(email, { code: recoveryCodes[0] }))).toBe('INVALID_CREDENTIALS'); // replaced
    expect(outcomeOf(await login(email, { code: codeNow() }))).toBe('signed in');
    expect(outcomeOf(await login(email, { passkey: await proofOf(server, authenticator) }))).toBe(
      'signed in',
    );
    (await remove(token, passkeyId)).expectData();
    expect(outcomeOf(await login(email))).toBe('SECOND_FACTOR_REQUIRED');
    expect(outcomeOf(await login(email, { code: fresh }))).toBe('signed in');
    const removal =
      'mutation($code: String) { removeSecondFactor(code: $code) { user { hasSecondFactor } } }';
    const removed = (await server.gql(removal, { code: codeNow() }, token)).expectData();
    expect(removed.removeSecondFactor.user.hasSecondFactor).toBe(false);
    expect(outcomeOf(await login(email))).toBe('signed in');
  });

  it('the last one takes the recovery codes along', async () => {
    const { id, email, token, passkeyId } = await createOwner(server, adminToken);
    (await remove(token, passkeyId)).expectData();
    expect(outcomeOf(await login(email))).toBe('signed in');
    const rows = await server.sql('SELECT id FROM recovery_codes WHERE user_id = $1', [id.slice(4)]);
    expect(rows).toEqual([]);
  });

  it('it is what roles need that must have one', async () => {
    const strict = await startTestServer({ ...siteEnv, REQUIRE_SECOND_FACTOR_ROLES: 'ADMIN' });
    try {
      const token = await strict.signIn();
      const users = '{ users(first: 1) { totalCount } }';
      (await strict.gql(users, {}, token)).expectError('SECOND_FACTOR_ENROLMENT_REQUIRED');
      const authenticator = new Authenticator(site.origin);
      expect((await tryEnrol(strict, token, authenticator)).status).toBe(200);
      (await strict.gql(users, {}, token)).expectData();
      const { body } = await tryPasskey(strict, authenticator);
      (await strict.gql(users, {}, body.accessToken)).expectData();
    } finally {
      await strict.close();
    }
  });
});

describe('Who lost everything', () => {
  it('gets it removed by an admin: one passkey, or app and passkeys together', async () => {
    const owner = await createOwner(server, adminToken);
    await tryEnrol(server, owner.token, new Authenticator(site.origin));
    (await remove(adminToken, owner.passkeyId)).expectData();
    expect(outcomeOf(await login(owner.email))).toBe('SECOND_FACTOR_REQUIRED');
    const reset = 'mutation($id: ID) { removeSecondFactor(userId: $id) { user { passkeys { id } } } }';
    const answer = (await server.gql(reset, { id: owner.id }, adminToken)).expectData();
    expect(answer.removeSecondFactor.user.passkeys).toEqual([]);
    expect(outcomeOf(await login(owner.email))).toBe('signed in');
    const [event] = await server.sql(
      "SELECT changes FROM audit_events WHERE action = 'second_factor.remove' AND target_id = $1",
      [owner.id.slice(4)],
    );
    expect(event).toEqual({ changes: { passkeys: ['Key'] } });
  });

  it('keeps a passkey that is the only way to sign in, until an admin removes it', async () => {
    const owner = await createOwner(server, adminToken);
    await server.sql('UPDATE users SET password_hash = NULL WHERE id = $1', [owner.id.slice(4)]);
    (await remove(owner.token, owner.passkeyId)).expectError('CONFLICT');
    const second = await tryEnrol(server, owner.token, new Authenticator(site.origin));
    const answers = await Promise.all(
      [owner.passkeyId, second.body.passkey.id].map((id) => remove(owner.token, id)),
    );
    expect(answers.filter(({ body }) => body.errors === undefined)).toHaveLength(1);
    const [left] = await server.sql<{ id: string }>('SELECT id FROM passkeys WHERE user_id = $1', [
      owner.id.slice(4),
    ]);
    (await remove(adminToken, `pky_${left?.id}`)).expectData();
  });
});

describe('On two instances without Redis', () => {
  it('what one begins the other ends, and of the same answer on both one wins', async () => {
    const other = await startTestServer({ ...siteEnv, DATABASE_URL: server.databaseUrl });
    try {
      const { authenticator } = await createOwner(server, adminToken, new Authenticator(site.origin, false));
      const proof = await proofOf(server, authenticator);
      expect(outcomeOf(await sendProof(other, proof))).toBe('signed in');
      const raced = await proofOf(server, authenticator);
      const answers = await Promise.all([server, other, server, other].map((to) => sendProof(to, raced)));
      expect(answers.map(outcomeOf).sort()).toEqual([
        ...Array.from({ length: 3 }, () => 'INVALID_CREDENTIALS'),
        'signed in',
      ]);
    } finally {
      await other.close();
    }
  });
});
