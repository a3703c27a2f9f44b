// Attack: answers of passkeys that are replayed, tampered with, made for other pages, users or sessions; copied authenticators;
// ways around locks, deactivation and the identity provider. WebAuthn Level 3, sections 7.1, 7.2 and 13.4.
// ASVS 5.0: 6.3.3, 6.5.1, 6.7.2, 6.8.2.
import { describe, expect, it } from '@jest/globals';
import { type RestAnswer, startTestServer } from '../../kit/harness.js';
import { Authenticator, type Deviation } from '../../kit/passkeys/authenticator.js';
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
import { comparable } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer(siteEnv);
let adminToken = await server.signIn();
const owner = await createOwner(server, adminToken);

const refusals = () =>
  server.logs.filter(({ event }) => event === 'passkey_refused').map(({ reason }) => String(reason));
/** A refusal of the answer, and why the server refused it. */
async function refused(answer: Promise<RestAnswer>, reason: RegExp) {
  const before = refusals().length;
  expect(outcomeOf(await answer)).toBe('INVALID_CREDENTIALS');
  expect(refusals().slice(before)).toEqual([expect.stringMatching(reason)]);
}

const elsewhere: [string, Deviation, RegExp][] = [
  ['for a page of another origin', { origin: 'https://sec.example.com.evil.test' }, /origin/],
  ['for a page of a subdomain that is not listed', { origin: 'https://evil.sec.example.com' }, /origin/],
  ['for a page without https', { origin: 'http://sec.example.com' }, /origin/],
  ['for another port', { origin: 'https://sec.example.com:8443' }, /origin/],
  ['for another relying party', { rpId: 'evil.test' }, /RP ID/],
  ['for another challenge', { challenge: 'A'.repeat(43) }, /challenge/],
  ['in a frame of another site', { crossOrigin: true }, /frame/],
  ['without verifying the user', { isUserVerified: false }, /[Uu]ser verification/],
  ['without the user', { isUserPresent: false, isUserVerified: false }, /not present/],
];

describe('A sign-in refuses an answer', () => {
  it.each([
    ...elsewhere,
    ['of an enrolment', { type: 'webauthn.create' }, /type/] as [string, Deviation, RegExp],
    ['under another user handle', { userHandle: 'A'.repeat(43) }, /another user/],
    ['without a user handle', { userHandle: null }, /another user/],
  ])('%s', async (_name, deviation, reason) => {
    await refused(tryPasskey(server, owner.authenticator, deviation), reason);
    expect(outcomeOf(await tryPasskey(server, owner.authenticator))).toBe('signed in');
  });

  it('that came before, the challenge being spent', async () => {
    const proof = await proofOf(server, owner.authenticator);
    expect(outcomeOf(await sendProof(server, proof))).toBe('signed in');
    await refused(sendProof(server, proof), /no sign-in with this state/);
  });

  it('that failed before: a challenge has one answer', async () => {
    const { state, options } = await loginOptions(server);
    const wrong = owner.authenticator.get(options, { origin: 'https://evil.test' });
    await refused(sendProof(server, { state, response: wrong }), /origin/);
    const right = owner.authenticator.get(options);
    await refused(sendProof(server, { state, response: right }), /no sign-in with this state/);
  });

  it('to the challenge of another sign-in: who overhears one has not the other’s state', async () => {
    const [one, other] = [await loginOptions(server), await loginOptions(server)];
    const response = owner.authenticator.get(one.options);
    await refused(sendProof(server, { state: other.state, response }), /challenge/);
    await refused(sendProof(server, { state: 'A'.repeat(43), response }), /no sign-in with this state/);
    expect(outcomeOf(await sendProof(server, { state: one.state, response }))).toBe('signed in');
  });

  it('that comes after five minutes', async () => {
    const proof = await proofOf(server, owner.authenticator);
    server.clock.advance(301_000);
    await refused(sendProof(server, proof), /no sign-in with this state/);
    adminToken = await server.signIn();
  });

  it.each(['signature', 'authenticatorData', 'clientDataJSON'] as const)(
    'whose %s was changed by one bit',
    async (part) => {
      const { state, response } = await proofOf(server, owner.authenticator);
      const bytes = Buffer.from(response.response[part], 'base64url');
      // The last byte: of the counter, of the signature’s number, of the closing brace.
      const at = bytes.length - 1;
      bytes[at] = (bytes[at] as number) ^ 1;
      const changed = { ...response.response, [part]: bytes.toString('base64url') };
      await refused(sendProof(server, { state, response: { ...response, response: changed } }), /./);
    },
  );

  it('signed by another key under a known id', async () => {
    const thief = new Authenticator(site.origin);
    const { options } = await enrolmentOptions(
      server,
      (await createPerson(server, adminToken, 'VIEWER')).token,
    );
    thief.create(options);
    const { state, options: request } = await loginOptions(server);
    const { userHandle } = owner.authenticator.get(request).response;
    const response = thief.get(request, { userHandle });
    const { credentialId: id } = owner.authenticator;
    await refused(sendProof(server, { state, response: { ...response, id, rawId: id } }), /signature/);
  });

  it('of an unknown passkey in the same words as a wrong signature', async () => {
    const unknown = await tryPasskey(server, new Authenticator(site.origin), { userHandle: 'A'.repeat(43) });
    const wrong = await tryPasskey(server, owner.authenticator, { origin: 'https://evil.test' });
    expect(comparable(unknown)).toEqual(comparable(wrong));
  });

  it('of nonsense, naming the fields', async () => {
    const { state, response } = await proofOf(server, owner.authenticator);
    const answer = await sendProof(server, {
      state,
      response: { ...response, response: { ...response.response, signature: 'not base64url!' } },
    });
    expect(answer).toMatchObject({
      status: 400,
      body: {
        errors: [{ path: 'response.response.signature', message: 'must be base64url without padding' }],
      },
    });
    for (const clientDataJSON of ['bnVsbA', 'e30', '_w'])
      await refused(
        sendProof(server, {
          ...(await proofOf(server, owner.authenticator)),
          response: { ...response, response: { ...response.response, clientDataJSON } },
        }),
        /./,
      );
  });
});

describe('A counter', () => {
  it('that goes back or stands still is a copied authenticator: refused, and on the audit trail', async () => {
    const { id, authenticator } = await createOwner(server, adminToken);
    for (const counter of [7, 8])
      expect(outcomeOf(await tryPasskey(server, authenticator, { counter }))).toBe('signed in');
    for (const counter of [8, 3, 0])
      await refused(tryPasskey(server, authenticator, { counter }), /counter went back/);
    const events = await server.sql<{ outcome: string; changes: { counter: number } }>(
      "SELECT outcome::text, changes FROM audit_events WHERE action = 'passkey.reuse' AND target_id = $1 ORDER BY number",
      [id.slice(4)],
    );
    expect(events.map(({ outcome, changes }) => [outcome, changes.counter])).toEqual([
      ['DENIED', 8],
      ['DENIED', 3],
      ['DENIED', 0],
    ]);
    expect(outcomeOf(await tryPasskey(server, authenticator, { counter: 9 }))).toBe('signed in');
  });

  it('is good for one of many answers at once', async () => {
    const { authenticator } = await createOwner(server, adminToken);
    const begun = await Promise.all([1, 2, 3, 4, 5].map(() => loginOptions(server)));
    const answers = await Promise.all(
      begun.map(({ state, options }) =>
        sendProof(server, { state, response: authenticator.get(options, { counter: 5 }) }),
      ),
    );
    expect(answers.map(outcomeOf).filter((outcome) => outcome === 'signed in')).toHaveLength(1);
  });
});

describe('An enrolment refuses an answer', () => {
  it.each([...elsewhere, ['of a sign-in', { type: 'webauthn.get' }, /type/] as [string, Deviation, RegExp]])(
    '%s',
    async (_name, deviation, reason) => {
      const { token } = await createPerson(server, adminToken, 'VIEWER');
      await refused(tryEnrol(server, token, new Authenticator(site.origin), deviation), reason);
    },
  );

  it('in another session than the one that began it, of the same or another user', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const again = await server.signIn(person.email, password);
    const other = await createPerson(server, adminToken, 'VIEWER');
    const { state, options } = await enrolmentOptions(server, person.token);
    const body = { state, name: 'Key', response: new Authenticator(site.origin).create(options) };
    const send = (token: string) =>
      server.rest('POST', '/api/v1/auth/passkeys/enrolment/verify', { token, body });
    for (const token of [other.token, again]) await refused(send(token), /no enrolment of this session/);
    expect((await send(person.token)).status).toBe(200);
    await refused(send(person.token), /no enrolment of this session/);
  });

  it('to the challenge of a sign-in, and a sign-in one to that of an enrolment', async () => {
    const begun = await loginOptions(server);
    const own = await createOwner(server, adminToken);
    const { state, options } = await enrolmentOptions(server, own.token);
    const made = new Authenticator(site.origin).create({ ...options, challenge: begun.options.challenge });
    const body = { state: begun.state, name: 'Key', response: made };
    await refused(
      server.rest('POST', '/api/v1/auth/passkeys/enrolment/verify', { token: own.token, body }),
      /no enrolment of this session/,
    );
    const response = own.authenticator.get({ ...options, rpId: site.rpId });
    await refused(sendProof(server, { state, response }), /no sign-in with this state/);
  });

  it('with a credential that somebody has', async () => {
    const { token } = await createPerson(server, adminToken, 'VIEWER');
    const { authenticator } = await createOwner(server, adminToken);
    const answer = await tryEnrol(server, token, authenticator);
    expect(answer).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
  });

  it('with an attestation, whose certificates nobody asked for', async () => {
    const { token } = await createPerson(server, adminToken, 'VIEWER');
    const certified = new Map<string, unknown>([
      ['alg', -7],
      ['sig', Uint8Array.of(1)],
      ['x5c', [Uint8Array.of(1)]],
    ]);
    for (const format of ['packed', 'tpm', 'android-key', 'apple'])
      await refused(
        tryEnrol(server, token, new Authenticator(site.origin), {
          attestation: { format, statement: certified },
        }),
        /attestation that was not asked for/,
      );
  });

  it('and leaves each refusal on the audit trail', async () => {
    const { token, id } = await createPerson(server, adminToken, 'VIEWER');
    await tryEnrol(server, token, new Authenticator(site.origin), { origin: 'https://evil.test' });
    const events = await server.sql(
      "SELECT action, outcome::text FROM audit_events WHERE target_id = $1 AND action LIKE 'passkey%'",
      [id.slice(4)],
    );
    expect(events).toEqual([{ action: 'passkey.create', outcome: 'FAILURE' }]);
  });
});

describe('As the second factor', () => {
  it('only the user’s own passkey counts, whose challenge nobody has used', async () => {
    const other = await createOwner(server, adminToken);
    const login = (passkey: object) =>
      server.rest('POST', '/api/v1/auth/login', { body: { email: other.email, password, passkey } });
    expect(outcomeOf(await login(await proofOf(server, owner.authenticator)))).toBe('INVALID_CREDENTIALS');
    const spent = await proofOf(server, other.authenticator);
    await sendProof(server, spent);
    expect(outcomeOf(await login(spent))).toBe('INVALID_CREDENTIALS');
    expect(outcomeOf(await login(await proofOf(server, other.authenticator)))).toBe('signed in');
  });
});

describe('A passkey is no way around', () => {
  it('deactivation, or its own removal', async () => {
    const { id, authenticator, passkeyId } = await createOwner(server, adminToken);
    const change = (name: string) =>
      server.gql(`mutation($id: ID!) { ${name}(id: $id) { user { status } } }`, { id }, adminToken);
    (await change('deactivateUser')).expectData();
    expect(outcomeOf(await tryPasskey(server, authenticator))).toBe('INVALID_CREDENTIALS');
    (await change('activateUser')).expectData();
    const proof = await proofOf(server, authenticator);
    const removal = 'mutation($id: ID!) { removePasskey(id: $id) { deletedId } }';
    (await server.gql(removal, { id: passkeyId }, adminToken)).expectData();
    await refused(sendProof(server, proof), /unknown passkey/);
  });

  it('a lock, which it meets and causes like a password; known devices pass', async () => {
    const strict = await startTestServer({ ...siteEnv, LOGIN_MAX_FAILURES: '3', LOGIN_LOCK_SECONDS: '60' });
    try {
      const token = await strict.signIn();
      const { email, authenticator } = await createOwner(strict, token);
      const { deviceToken } = (await tryPasskey(strict, authenticator)).body;
      for (const _time of [1, 2, 3]) await tryPasskey(strict, authenticator, { origin: 'https://evil.test' });
      expect(outcomeOf(await tryPasskey(strict, authenticator))).toBe('INVALID_CREDENTIALS');
      const login = { email, password, passkey: await proofOf(strict, authenticator) };
      expect(outcomeOf(await strict.rest('POST', '/api/v1/auth/login', { body: login }))).toBe(
        'INVALID_CREDENTIALS',
      );
      const known = { ...(await proofOf(strict, authenticator)), deviceToken };
      expect(outcomeOf(await sendProof(strict, known))).toBe('signed in');
      strict.clock.advance(3_600_000);
      expect(outcomeOf(await tryPasskey(strict, authenticator))).toBe('signed in');
    } finally {
      await strict.close();
    }
  });

  it('the limit on failures of an address', async () => {
    const strict = await startTestServer({ ...siteEnv, LOGIN_MAX_FAILURES: '1' });
    try {
      const outcomes: string[] = [];
      for (let count = 0; count < 11; count += 1)
        outcomes.push(
          outcomeOf(await tryPasskey(strict, new Authenticator(site.origin), { userHandle: 'A' })),
        );
      expect(outcomes).toEqual([...Array.from({ length: 10 }, () => 'INVALID_CREDENTIALS'), 'RATE_LIMITED']);
    } finally {
      await strict.close();
    }
  });

  it('the identity provider: where passwords are off, only the break-glass admin signs in with one alone', async () => {
    const provider = {
      ...{ id: 'gone', name: 'Gone', issuer: 'https://idp.invalid', clientId: 'c', clientSecret: 's' },
    };
    const closed = await startTestServer({
      ...siteEnv,
      DATABASE_URL: server.databaseUrl,
      OIDC_PROVIDERS: JSON.stringify([provider]),
      PASSWORD_SIGN_IN: 'false',
      BREAK_GLASS_ADMIN: 'admin@harness.test',
    });
    try {
      const ways = await closed.rest('GET', '/api/v1/auth/providers');
      expect(ways.body.passwords).toBe(false);
      expect(outcomeOf(await tryPasskey(closed, owner.authenticator))).toBe('INVALID_CREDENTIALS');
      const authenticator = new Authenticator(site.origin);
      expect((await tryEnrol(closed, await closed.signIn(), authenticator)).status).toBe(200);
      expect(outcomeOf(await tryPasskey(closed, authenticator))).toBe('signed in');
    } finally {
      await closed.close();
    }
  });
});

describe('Sign-ins that begin', () => {
  it('are bounded: beyond the limit the oldest make room, so that a flood holds nobody up', async () => {
    await server.sql(
      `INSERT INTO passkey_ceremonies (state_hash, expires_at)
       SELECT 'flood ' || n, to_timestamp($1) + n * interval '1 microsecond' FROM generate_series(1, 100001) n`,
      [server.clock.now() / 1000 + 200],
    );
    expect((await server.rest('POST', '/api/v1/auth/passkeys/login/options')).status).toBe(200);
    const gone = await server.sql(
      `SELECT n FROM generate_series(1, 100001) n WHERE NOT EXISTS
         (SELECT FROM passkey_ceremonies WHERE state_hash = 'flood ' || n) ORDER BY n DESC LIMIT 1`,
    );
    expect(gone).toEqual([{ n: 20 }]);
    await server.sql(`DELETE FROM passkey_ceremonies WHERE state_hash LIKE 'flood %'`);
  });

  it('leave nothing in the database or the log that ends them', async () => {
    const { state, options } = await loginOptions(server);
    const rows = JSON.stringify(
      await server.sql('SELECT * FROM passkey_ceremonies ORDER BY expires_at DESC LIMIT 5'),
    );
    const lines = JSON.stringify(server.logs);
    for (const secret of [state, options.challenge]) {
      expect(rows).not.toContain(secret);
      expect(lines).not.toContain(secret);
    }
  });
});
