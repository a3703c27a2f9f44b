// Mails to users through a real mail server: invitations and resets, delivered at least once, and nothing held up by the server.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { freePort } from '../../kit/network/free-port.js';
import {
  guarded,
  type MailServer,
  mailSettings,
  mailUser,
  startMailServer,
  tokenIn,
} from '../../kit/network/mail-server.js';
import { until } from '../../kit/receiver.js';
import { createPerson } from '../../kit/seed.js';
import { tryLogin } from '../../kit/session.js';

const chosen = 'vellum orbit cactus 5177';
const hour = 3_600_000;

let count = 0;
async function invite(server: TestServer, name = 'Invited') {
  count += 1;
  const email = `invited-${count}@people.test`;
  const answer = await server.gql(
    `mutation($input: CreateUserInput!) {
      createUser(input: $input) { user { id } mailedTo invitation { token } }
    }`,
    { input: { email, name, role: 'VIEWER' } },
    await server.signIn(),
  );
  const { user, ...rest } = answer.expectData().createUser;
  return { email, id: user.id as string, ...rest };
}

const call = async (server: TestServer, field: string, id: string) =>
  (
    await server.gql(
      `mutation($id: ID!) { ${field}(id: $id) { mailedTo invitation { token } } }`,
      { id },
      await server.signIn(),
    )
  ).expectData()[field];

const choose = (server: TestServer, token: string) =>
  server.rest('POST', '/api/v1/auth/password', { body: { token, newPassword: chosen } });

async function undelivered(server: TestServer) {
  const answer = await server.gql(
    '{ undeliveredMails { totalCount nodes { id kind state attempts lastError nextAttemptAt user { email } } } }',
    {},
    await server.signIn(),
  );
  return answer.expectData().undeliveredMails.nodes as {
    kind: string;
    state: string;
    attempts: number;
    lastError: string | null;
    user: { email: string };
  }[];
}

const to = ({ mails }: MailServer, email: string) =>
  mails.filter(({ recipients }) => recipients.includes(email));
const arrival = (box: MailServer, email: string, number = 1) =>
  until(
    () => to(box, email),
    (found) => found.length >= number,
  );
const stateOf = async (server: TestServer, email: string) => {
  const [row] = await server.sql<{ state: string; last_error: string | null }>(
    'SELECT state, last_error FROM mails JOIN users ON users.id = user_id WHERE email = $1 ORDER BY mails.id DESC LIMIT 1',
    [email],
  );
  return row;
};
const reaches = (server: TestServer, email: string, state: string) =>
  until(
    () => stateOf(server, email),
    (row) => row?.state === state,
  );

describe('with a mail server', () => {
  let box: MailServer;
  let server: TestServer;
  beforeAll(async () => {
    box = await startMailServer();
    server = await startTestServer(mailSettings(box.url), { timing: { mailMs: 2000 } });
  });
  afterAll(async () => {
    await server.close();
    await box.close();
  });
  afterEach(() => box.answer(() => undefined));

  it('an invitation is mailed instead of shown, and its link opens the account once', async () => {
    const { email, invitation, mailedTo } = await invite(server, 'Änne O’Hara');
    expect({ invitation, mailedTo }).toEqual({ invitation: null, mailedTo: email });
    const [mail] = await arrival(box, email);
    if (mail === undefined) throw new Error('no mail');
    expect(mail.from?.text).toBe('"SEC-TESTER" <sec-tester@example.test>');
    expect(mail.subject).toBe('Your account at https://sec.example.test/tools');
    expect(mail.text).toContain('Hello Änne O’Hara,');
    expect(mail.text).toMatch(/^https:\/\/sec\.example\.test\/tools\/password#sti_[\w-]{43}$/m);
    expect(mail.text).toMatch(/until \d{4}-\d\d-\d\d \d\d:\d\d UTC\./);
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail.messageId).toMatch(/^<[\w-]+@example\.test>$/);
    expect((await choose(server, tokenIn(mail))).status).toBe(200);
    expect((await choose(server, tokenIn(mail))).status).toBe(401);
    expect((await tryLogin(server, email, chosen)).status).toBe(200);
  });

  it('the token of a link is in the mail and nowhere else', async () => {
    const { email } = await invite(server);
    const [mail] = await arrival(box, email);
    await reaches(server, email, 'SENT');
    const [row] = await server.sql<{ text: string }>(
      `SELECT string_agg(t, ' ') AS text FROM (SELECT m::text FROM mails m UNION ALL SELECT l::text FROM password_links l
        UNION ALL SELECT a::text FROM audit_events a) AS all_rows(t)`,
    );
    const token = tokenIn(mail as never);
    for (const place of [row?.text ?? '', JSON.stringify(server.logs)])
      for (const secret of [token, token.slice(4)]) expect(place).not.toContain(secret);
  });

  it('a reset by an admin is mailed to a user with a password', async () => {
    const { id, email } = await createPerson(server, await server.signIn(), 'VIEWER');
    expect(await call(server, 'resetPassword', id)).toEqual({ invitation: null, mailedTo: email });
    const [mail] = await arrival(box, email);
    expect(mail?.subject).toBe('Choose a new password');
    expect((await choose(server, tokenIn(mail as never))).status).toBe(200);
  });

  it('a name cannot add headers, recipients or lines', async () => {
    box.answer(() => 451);
    const { email, id } = await invite(server);
    const name = 'Eve\r\nBcc: victim@evil.test\r\n\r\nforged\u2028\u202Egnp.exe\u2066\0'.replace('\0', '');
    await server.sql('UPDATE users SET name = $1 WHERE email = $2', [name, email]);
    box.answer(() => undefined);
    await call(server, 'resendInvitation', id);
    const [mail] = await arrival(box, email);
    expect(mail?.recipients).toEqual([email]);
    expect(mail?.headers.has('bcc')).toBe(false);
    expect(mail?.text).toContain('Hello Eve Bcc: victim@evil.test forged gnp.exe,\n');
    expect(mail?.raw).not.toMatch(/^bcc:/im);
    expect(mail?.text).not.toMatch(/\p{Bidi_Control}/u);
  });

  it('a refusal for now is tried again, and one for good is given up and shown to admins', async () => {
    box.answer((recipient) => (recipient.startsWith('invited-') ? 451 : undefined));
    const later = await invite(server);
    await until(
      () => undelivered(server),
      (list) => list.some(({ user, lastError }) => user.email === later.email && lastError !== null),
    );
    box.answer(() => 550);
    const never = await invite(server);
    await reaches(server, never.email, 'FAILED');
    const list = await undelivered(server);
    expect(list.find(({ user }) => user.email === never.email)).toMatchObject({
      kind: 'INVITATION',
      state: 'FAILED',
      attempts: 1,
      nextAttemptAt: null,
      lastError: expect.stringMatching(/550$/),
    });
    expect(list.find(({ user }) => user.email === later.email)).toMatchObject({
      state: 'PENDING',
      lastError: expect.stringMatching(/451$/),
    });
    const logged = server.logs.filter(({ event }) => event === 'mail_given_up' || event === 'mail_failed');
    expect(logged.length).toBeGreaterThan(1);
    expect(JSON.stringify(logged)).not.toContain('@people.test');
    box.answer(() => undefined);
    server.clock.advance(60_000);
    await arrival(box, later.email);
    await reaches(server, later.email, 'SENT');
    expect(to(box, never.email)).toHaveLength(0);
  });

  it('a mail server that hangs is given up in time and holds up no other mail', async () => {
    box.answer((recipient) => (recipient.startsWith('invited-') ? 'hang' : undefined));
    const [one, two, three] = [await invite(server), await invite(server), await invite(server)];
    await until(box.hanging, (hanging) => hanging >= 3);
    const { id, email } = await createPerson(server, await server.signIn(), 'VIEWER');
    await call(server, 'resetPassword', id);
    await reaches(server, email, 'SENT');
    const reason = async () =>
      (await undelivered(server)).find(({ user }) => user.email === one.email)?.lastError;
    expect(await until(reason, (text) => text != null)).toBe('no answer within 2 s');
    box.answer(() => undefined);
    server.clock.advance(60_000);
    for (const person of [one, two, three]) {
      await reaches(server, person.email, 'SENT');
      // At least once: the server had the first one already, and the link in each opens the account.
      const mails = to(box, person.email);
      expect(mails.length).toBe(2);
      expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(1);
      expect((await choose(server, tokenIn(mails[0] as never))).status).toBe(200);
      expect((await choose(server, tokenIn(mails[1] as never))).status).toBe(401);
    }
  });

  it.each([
    ['revoked', (id: string) => call(server, 'revokeInvitation', id)],
    ['replaced', (id: string) => call(server, 'resendInvitation', id)],
    [
      'of a deactivated user',
      async (id: string) =>
        (
          await server.gql(
            'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }',
            { id },
            await server.signIn(),
          )
        ).expectData(),
    ],
    ['too old', async () => server.clock.advance(25 * hour)],
  ])('an invitation that is %s before it was sent is not sent any more', async (_how, end) => {
    box.answer(() => 451);
    const { email, id } = await invite(server);
    await until(
      () => stateOf(server, email),
      (row) => row?.last_error != null, // only then is the next attempt set, which the clock must pass
    );
    const [mail] = await server.sql<{ id: string }>('SELECT id FROM mails ORDER BY id DESC LIMIT 1');
    await end(id);
    box.answer(() => undefined);
    server.clock.advance(60_000);
    await until(
      () => server.sql<{ state: string }>('SELECT state FROM mails WHERE id = $1', [mail?.id]),
      ([row]) => row?.state === 'OBSOLETE',
    );
    expect(to(box, email).filter(({ messageId }) => messageId?.includes(mail?.id as string))).toEqual([]);
  });

  it('a full queue refuses invitations, and the user is not created', async () => {
    await server.sql(
      `INSERT INTO mails (id, user_id, kind, created_at, next_attempt_at)
       SELECT gen_random_uuid(), (SELECT id FROM users LIMIT 1), 'NEW_DEVICE', now(), now() + interval '10 years' FROM generate_series(1, 10000)`,
    );
    const input = { email: 'too-many@people.test', name: 'Too Many', role: 'VIEWER' };
    const create = async () => server.change('createUser', input, 'user { id }', await server.signIn());
    (await create()).expectError('UNAVAILABLE');
    await server.sql(`DELETE FROM mails WHERE kind = 'NEW_DEVICE'`);
    (await create()).expectData();
  });
});

describe('a mail server that asks for a password', () => {
  const settings = (box: MailServer) => ({
    ...mailSettings(box.url.replace('//', `//${encodeURIComponent(mailUser.name)}@`)),
    SMTP_PASSWORD: mailUser.password,
  });

  it('gets it over STARTTLS', async () => {
    const box = await startMailServer(guarded);
    const server = await startTestServer(settings(box));
    try {
      const { email } = await invite(server);
      const [mail] = await arrival(box, email);
      expect(mail).toMatchObject({ isEncrypted: true, user: mailUser.name });
      expect(JSON.stringify(server.logs)).not.toContain(mailUser.password);
    } finally {
      await server.close();
      await box.close();
    }
  });

  it.each([
    ['whose certificate nobody vouches for', guarded, /self-signed certificate/],
    ['without STARTTLS', {}, /^ETLS STARTTLS/],
  ])('gets none %s, where TLS is required', async (_which, options, reason) => {
    const box = await startMailServer(options);
    const server = await startTestServer({ ...settings(box), SMTP_TLS: 'required' });
    try {
      await invite(server);
      const [mail] = await until(
        () => undelivered(server),
        ([first]) => first?.lastError != null,
      );
      expect(mail?.lastError).toMatch(reason);
      expect(box.mails).toEqual([]);
      expect(box.passwords).toEqual([]);
    } finally {
      await server.close();
      await box.close();
    }
  });
});

it('a mail server that is down gets each mail once when it is back', async () => {
  const port = await freePort();
  const server = await startTestServer(mailSettings(`smtp://127.0.0.1:${port}`));
  try {
    const people = [await invite(server), await invite(server)];
    await until(
      () => undelivered(server),
      (list) => list.length === 2 && list.every(({ lastError }) => lastError !== null),
    );
    const box = await startMailServer({}, port);
    try {
      server.clock.advance(60_000);
      for (const { email } of people) await reaches(server, email, 'SENT');
      expect(await undelivered(server)).toEqual([]);
      expect(box.mails.flatMap(({ recipients }) => recipients).sort()).toEqual(
        people.map(({ email }) => email).sort(),
      );
    } finally {
      await box.close();
    }
  } finally {
    await server.close();
  }
});

it('two instances send each mail once', async () => {
  const box = await startMailServer();
  const one = await startTestServer(mailSettings(box.url));
  const two = await startTestServer({ ...mailSettings(box.url), DATABASE_URL: one.databaseUrl });
  try {
    const people = [];
    for (let number = 0; number < 30; number += 1) people.push(await invite(number % 2 === 0 ? one : two));
    for (const { email } of people) await reaches(one, email, 'SENT');
    expect(box.mails.flatMap(({ recipients }) => recipients).sort()).toEqual(
      people.map(({ email }) => email).sort(),
    );
    const sent = [one, two].map(({ services }) => services.mails.attempts().sent);
    expect(sent.reduce((sum, number) => sum + number)).toBe(30);
  } finally {
    await two.close();
    await one.close();
    await box.close();
  }
});
