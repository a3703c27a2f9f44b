// Forgotten passwords, and notes about sign-ins on new devices, locks and keys that end: who gets a mail, and what anonymous callers learn.
import { afterEach, describe, expect, it } from '@jest/globals';
import { admin, startTestServer } from '../../kit/harness.js';
import { mailSettings, startMailServer, tokenIn } from '../../kit/network/mail-server.js';
import { frontend, startProvider } from '../../kit/oidc/oidc.js';
import { signInAt } from '../../kit/oidc/visitor.js';
import { Authenticator } from '../../kit/passkeys/authenticator.js';
import { createOwner, proofOf, sendProof } from '../../kit/passkeys/passkeys.js';
import { until } from '../../kit/receiver.js';
import { createPerson, password } from '../../kit/seed.js';
import { tryLogin } from '../../kit/session.js';
import { atEnd, useServer } from '../../kit/use.js';

const chosen = 'vellum orbit cactus 5177';
const hour = 3_600_000;
const day = 24 * hour;
const browser = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0';

const box = await startMailServer();
atEnd(() => box.close());
const provider = await startProvider(['main']);
atEnd(() => provider.stop());
const { PUBLIC_URL: _, ...mail } = mailSettings(box.url);
const server = await useServer({
  ...mail,
  PASSWORD_LINK_URL: `${frontend}/choose#{token}`,
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  OIDC_PROVIDERS: JSON.stringify([provider.settings('main')]),
});

afterEach(() => box.answer(() => undefined));

const to = (email: string, subject: RegExp) =>
  box.mails.filter(
    ({ recipients, subject: given }) => recipients.includes(email) && subject.test(given ?? ''),
  );
const arrival = (email: string, subject: RegExp, count = 1) =>
  until(
    () => to(email, subject),
    ({ length }) => length >= count,
  );
/** Waits until no mail is on its way: one that was to come has come. */
const silence = () =>
  until(
    () => server.sql<{ count: number }>(`SELECT count(*)::int AS count FROM mails WHERE state = 'PENDING'`),
    ([row]) => row?.count === 0,
  );

const askOverRest = (email: string, on = server) =>
  on.rest('POST', '/api/v1/auth/password-reset', { body: { email } });
const askOverGraphQL = (email: string, on = server) =>
  on.gql('mutation($email: String!) { requestPasswordReset(email: $email) { isAccepted } }', { email });

async function invited(): Promise<string> {
  const email = `invited-${Math.random()}@people.test`;
  const input = { email, name: 'Invited', role: 'VIEWER' };
  (await server.change('createUser', input, 'mailedTo', await server.signIn())).expectData();
  await arrival(email, /account/);
  return email;
}

async function deactivated(): Promise<string> {
  const { id, email } = await createPerson(server, await server.signIn(), 'VIEWER');
  const off = 'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }';
  (await server.gql(off, { id }, await server.signIn())).expectData();
  return email;
}

async function program(): Promise<string> {
  const answer = await server.change(
    'createServiceAccount',
    { name: 'Nightly', role: 'VIEWER' },
    'user { email }',
    await server.signIn(),
  );
  return answer.expectData().createServiceAccount.user.email;
}

describe('a forgotten password', () => {
  it('is chosen again with the link that is mailed, over REST and GraphQL', async () => {
    const person = await createPerson(server, await server.signIn(), 'ANALYST');
    expect(await askOverRest(person.email.toUpperCase())).toMatchObject({
      status: 200,
      body: { isAccepted: true },
    });
    const [mail] = await arrival(person.email, /Choose a new password/);
    const body = { token: tokenIn(mail as never), newPassword: chosen };
    expect((await server.rest('POST', '/api/v1/auth/password', { body })).status).toBe(200);
    expect((await tryLogin(server, person.email, chosen)).status).toBe(200);
    expect((await tryLogin(server, person.email, password)).status).toBe(401);

    expect((await askOverGraphQL(person.email)).expectData()).toEqual({
      requestPasswordReset: { isAccepted: true },
    });
    await arrival(person.email, /Choose a new password/, 2);
    const [event] = await server.sql<{ outcome: string; actor_label: string }>(
      `SELECT outcome, actor_label FROM audit_events WHERE action = 'auth.request_reset' ORDER BY number LIMIT 1`,
    );
    expect(event).toEqual({ outcome: 'SUCCESS', actor_label: person.email });
  });

  it.each([
    ['REST', askOverRest],
    ['GraphQL', askOverGraphQL],
  ])(
    'looks and costs the same for every address, over %s, and only owners of passwords get a mail',
    async (_way, ask) => {
      const owner = (await createPerson(server, await server.signIn(), 'VIEWER')).email;
      const others = ['nobody@people.test', await invited(), await deactivated(), await program()];
      const before = box.mails.length;
      const seen = new Set<string>();
      for (const email of [owner, ...others]) {
        const { status, headers, body } = await ask(email);
        const id = headers.get('x-correlation-id');
        const line = await until(
          () => server.logs.find((entry) => entry.event === 'request' && entry.correlationId === id),
          (found) => found !== undefined,
        );
        const shown = [...headers].filter(
          ([name]) => !['x-correlation-id', 'date', 'server-timing'].includes(name),
        );
        seen.add(JSON.stringify({ status, shown, body, statements: line?.dbQueries }));
      }
      expect([...seen]).toEqual([expect.stringMatching(/"statements":[3-9]/)]);
      await arrival(owner, /Choose a new password/);
      await silence();
      expect(box.mails.slice(before).map(({ recipients }) => recipients)).toEqual([[owner]]);
    },
  );

  it('brings a user three mails an hour at most', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    const answers = await Promise.all(Array.from({ length: 20 }, () => askOverRest(email)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await arrival(email, /Choose a new password/, 3);
    await silence();
    expect(to(email, /Choose a new password/)).toHaveLength(3);
    server.clock.advance(hour + 1000);
    await askOverRest(email);
    await arrival(email, /Choose a new password/, 4);
  });

  it('is not mailed any more when the password was changed before', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    box.answer((recipient) => (recipient === email ? 451 : undefined));
    await askOverRest(email);
    await until(
      () => server.sql<{ last_error: string | null }>(`SELECT last_error FROM mails WHERE state = 'PENDING'`),
      ([row]) => row?.last_error != null,
    );
    (
      await server.change(
        'changePassword',
        { currentPassword: password, newPassword: chosen },
        'user { id }',
        token,
      )
    ).expectData();
    box.answer(() => undefined);
    server.clock.advance(60_000);
    await silence();
    expect(to(email, /Choose a new password/)).toEqual([]);
  });

  it('is asked for five times a minute from an address at most', async () => {
    const strict = await startTestServer({ ...mailSettings(box.url), LOGIN_MAX_FAILURES: '5' });
    try {
      const statuses = [];
      for (let number = 0; number < 6; number += 1)
        statuses.push((await askOverRest(`nobody-${number}@people.test`, strict)).status);
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
      (await askOverGraphQL('nobody@people.test', strict)).expectError('RATE_LIMITED');
    } finally {
      await strict.close();
    }
  });

  it('is refused to everybody alike where the server sends no mail', async () => {
    const silent = await startTestServer();
    try {
      const { email } = await createPerson(silent, await silent.signIn(), 'VIEWER');
      for (const address of [email, 'nobody@people.test']) {
        (await askOverGraphQL(address, silent)).expectError('FORBIDDEN');
        expect(await askOverRest(address, silent)).toMatchObject({
          status: 403,
          body: { detail: 'This server sends no mail: ask an admin for a reset.' },
        });
      }
      expect(await silent.sql('SELECT FROM mails')).toEqual([]);
    } finally {
      await silent.close();
    }
  });
});

describe('a sign-in', () => {
  const signIn = async (email: string, userAgent: string, deviceToken?: string): Promise<string> => {
    const body = { email, password, ...(deviceToken !== undefined && { deviceToken }) };
    const answer = await server.rest('POST', '/api/v1/auth/login', {
      body,
      headers: { 'user-agent': userAgent },
    });
    expect(answer.status).toBe(200);
    return answer.body.deviceToken;
  };
  const subject = /new device/;

  it('on a new device is mailed, but not the first one, nor on a device that is known', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER'); // signs in, for the first time
    await silence();
    expect(to(email, subject)).toEqual([]);
    const deviceToken = await signIn(email, browser);
    const [mail] = await arrival(email, subject);
    expect(mail?.text).toMatch(/Time: {4}\d{4}-\d\d-\d\d \d\d:\d\d UTC\nAddress: 127\.0\.0\.1\n/);
    expect(mail?.text).not.toContain('Mozilla');
    await signIn(email, browser); // by address and program
    await signIn(email, 'another program', deviceToken); // by the token
    await silence();
    expect(to(email, subject)).toHaveLength(1);
    const stranger = await createPerson(server, await server.signIn(), 'VIEWER');
    const strangersToken = await signIn(stranger.email, browser);
    await signIn(email, 'a third program', strangersToken);
    await arrival(email, subject, 2);
  });

  it('with a passkey on a new device is mailed too', async () => {
    const authenticator = new Authenticator(`http://localhost:${provider.serverPort}`);
    const { email } = await createOwner(server, await server.signIn(), authenticator);
    const signInWith = async (userAgent: string, deviceToken?: string): Promise<string> => {
      const proof = { ...(await proofOf(server, authenticator)), deviceToken };
      const answer = await sendProof(server, proof, { headers: { 'user-agent': userAgent } });
      expect(answer.status).toBe(200);
      return answer.body.deviceToken;
    };
    const deviceToken = await signInWith(browser);
    await arrival(email, subject);
    await signInWith('another program', deviceToken);
    await silence();
    expect(to(email, subject)).toHaveLength(1);
  });

  it('at an identity provider on a new device is mailed too, but not the first one', async () => {
    const email = 'ann@idp.test';
    // The provider's clock is set as that of the server.
    const shiftSeconds = Math.round((server.clock.now() - Date.now()) / 1000);
    await provider.control({ set: { lie: { idToken: {}, shiftSeconds } } });
    const signInFrom = async (userAgent: string, deviceToken?: string): Promise<string> => {
      const { browser: own, code } = await signInAt({ server, provider }, { sub: 'ann' });
      const answer = await own.get(`${server.url}/api/v1/auth/oidc/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': userAgent },
        body: JSON.stringify({ code, deviceToken }),
      });
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { deviceToken: string }).deviceToken;
    };
    const first = await signInFrom('the first program');
    await signInFrom('the first program'); // by address and program
    await signInFrom('another program', first); // by the token
    await silence();
    expect(to(email, subject)).toEqual([]);
    await signInFrom(browser);
    await arrival(email, subject);
    const { deviceToken: strangers } = (await tryLogin(server, admin.email, admin.password)).body;
    await signInFrom('a third program', strangers);
    await arrival(email, subject, 2);
  });

  it('with a wrong password is not mailed, and right ones bring ten mails a day at most', async () => {
    const { email } = await createPerson(server, await server.signIn(), 'VIEWER');
    expect((await tryLogin(server, email, 'wrong')).status).toBe(401);
    await silence();
    expect(to(email, subject)).toEqual([]);
    for (let number = 0; number < 12; number += 1) await signIn(email, `program ${number}`);
    await arrival(email, subject, 10);
    await silence();
    expect(to(email, subject)).toHaveLength(10);
    server.clock.advance(day + 1000);
    await signIn(email, 'program of the next day');
    await arrival(email, subject, 11);
  });
});

it('a lock is mailed to the owner of the account once a day, and anonymous callers see no difference', async () => {
  const strict = await startTestServer({
    ...mailSettings(box.url),
    LOGIN_MAX_FAILURES: '2',
    LOGIN_LOCK_SECONDS: '1',
    MAIL_LANGUAGE: 'de',
  });
  try {
    const { email } = await createPerson(strict, await strict.signIn(), 'VIEWER');
    const fail = async (address: string) => {
      const { status, headers } = await tryLogin(strict, address, 'wrong');
      expect(status).toBe(401);
      const id = headers.get('x-correlation-id');
      const line = await until(
        () => strict.logs.find((entry) => entry.event === 'request' && entry.correlationId === id),
        (found) => found !== undefined,
      );
      return line?.dbQueries;
    };
    const costs = [];
    for (let number = 0; number < 2; number += 1) await fail('first@people.test'); // which also sweeps old locks
    for (const address of [email, 'nobody@people.test'])
      costs.push([await fail(address), await fail(address)]);
    expect(costs[0]).toEqual(costs[1]);
    const subject = /kurzzeitig gesperrt/;
    const [mail] = await arrival(email, subject);
    expect(mail?.subject).toBe('Ihr Konto war kurzzeitig gesperrt');
    expect(mail?.text).toContain('spätestens nach 15 Minuten');
    strict.clock.advance(60_000);
    await fail(email);
    const locks = () => strict.sql(`SELECT FROM audit_events WHERE action = 'auth.lock'`);
    expect(await locks()).toHaveLength(4);
    expect(await strict.sql(`SELECT FROM mails WHERE kind = 'ACCOUNT_LOCKED'`)).toHaveLength(1);
    strict.clock.advance(day);
    await fail(email);
    await fail(email);
    await arrival(email, subject, 2);
    expect(box.mails.some(({ recipients }) => recipients.includes('nobody@people.test'))).toBe(false);
  } finally {
    await strict.close();
  }
});

it('an API key that ends soon is mailed to its owner, and one of a program to nobody', async () => {
  const person = await createPerson(server, await server.signIn(), 'ANALYST');
  const expiresAt = new Date(server.clock.now() + 10 * day).toISOString();
  const create = (input: object, token: string) =>
    server.change(
      'createApiKey',
      { scopes: ['execution:read'], expiresAt, ...input },
      'apiKey { id prefix }',
      token,
    );
  const { apiKey } = (await create({ name: 'nightly' }, person.token)).expectData().createApiKey;
  const account = await server.change(
    'createServiceAccount',
    { name: 'Nightly', role: 'VIEWER' },
    'user { id }',
    await server.signIn(),
  );
  const serviceAccountId = account.expectData().createServiceAccount.user.id;
  (await create({ name: 'program', serviceAccountId }, await server.signIn())).expectData();
  server.clock.advance(4 * day);
  // The job of the server may report them before.
  await server.services.apiKeys.noticeExpiring();
  const [mail] = await arrival(person.email, /API key nightly ends soon/);
  expect(mail?.text).toContain(`(${apiKey.prefix.slice(0, 12)}…)`);
  expect(mail?.text).toContain(`ends at ${expiresAt.slice(0, 16).replace('T', ' ')} UTC.`);
  await silence();
  expect(box.mails.filter(({ subject }) => /ends soon/.test(subject ?? ''))).toHaveLength(1);
  expect(box.mails.some(({ recipients }) => recipients.some((address) => address.endsWith('.invalid')))).toBe(
    false,
  );
});
