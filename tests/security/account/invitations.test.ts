// Attack: taking over an account through its first password or a reset: an admin who knows it, a link used twice,
// replaced, too old or guessed. ASVS 5.0: 6.4.1, 6.4.6, 15.4.2.
import { describe, expect, it } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { createPerson, password } from '../../kit/seed.js';
import { meWith, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const chosen = 'vellum orbit cactus 5177';
const day = 86_400_000;

const server = await useServer();

let count = 0;
async function invite() {
  count += 1;
  const email = `invited-${count}@people.test`;
  const answer = await server.gql(
    `mutation($input: CreateUserInput!) {
      createUser(input: $input) { user { id } invitation { token expiresAt } }
    }`,
    { input: { email, name: `Invited ${count}`, role: 'VIEWER' } },
    await server.signIn(),
  );
  const { user, invitation } = answer.expectData().createUser;
  return { email, id: user.id as string, token: invitation.token as string, expiresAt: invitation.expiresAt };
}

const reset = async (id: string): Promise<string> =>
  (
    await server.gql(
      'mutation($id: ID!) { resetPassword(id: $id) { invitation { token } } }',
      { id },
      await server.signIn(),
    )
  ).expectData().resetPassword.invitation.token;

const setPassword = (token: string, newPassword: string) =>
  server.change('setPassword', { token, newPassword }, 'user { email } invitation { token }');

describe('an invitation', () => {
  it('lets its owner choose a password, once, and nothing opens the account before', async () => {
    const { email, token, expiresAt } = await invite();
    expect(token).toMatch(/^sti_[\w-]{43}$/);
    expect(Date.parse(expiresAt) - server.clock.now()).toBeLessThanOrEqual(day);
    for (const guess of ['', 'null', token])
      expect((await tryLogin(server, email, guess)).status).not.toBe(200);
    expect(await meWith(server, token)).toBe('401 UNAUTHENTICATED');
    expect((await setPassword(token, chosen)).expectData().setPassword).toEqual({
      user: { email },
      invitation: null,
    });
    expect((await tryLogin(server, email, chosen)).status).toBe(200);
    expect((await setPassword(token, `${chosen} again`)).expectError('UNAUTHENTICATED').message).toMatch(
      /used/,
    );
  });

  it('is used by one of fifty racing requests', async () => {
    const { token } = await invite();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => setPassword(token, `${chosen} number ${index}`)),
    );
    expect(answers.filter(({ body }) => body.data != null)).toHaveLength(1);
  });

  it('stays good after a weak password, and ends after a day', async () => {
    const { token } = await invite();
    expect(
      (await setPassword(token, 'passwordpassword')).expectError('VALIDATION_FAILED').extensions.fields,
    ).toEqual([{ path: 'input.newPassword', message: expect.any(String) }]);
    const other = await invite();
    server.clock.advance(day - 60_000);
    (await setPassword(token, chosen)).expectData();
    server.clock.advance(60_001);
    (await setPassword(other.token, chosen)).expectError('UNAUTHENTICATED');
  });

  it('is kept as a hash only, and never shown again', async () => {
    const { token, id } = await invite();
    const [row] = await server.sql<{ text: string }>(
      'SELECT string_agg(l::text, $1) AS text FROM (SELECT l::text FROM password_links l UNION ALL SELECT a::text FROM audit_events a) AS l',
      [' '],
    );
    expect(row?.text).not.toContain(token);
    expect(JSON.stringify(server.logs)).not.toContain(token);
    const user = await server.gql(
      'query($id: ID!) { user(id: $id) { id status } }',
      { id },
      await server.signIn(),
    );
    expect(user.expectData().user.status).toBe('INVITED');
  });

  it('works over REST too', async () => {
    const { email, token } = await invite();
    const body = { token, newPassword: chosen };
    expect(await server.rest('POST', '/api/v1/auth/password', { body })).toMatchObject({
      status: 200,
      body: { email },
    });
    expect((await server.rest('POST', '/api/v1/auth/password', { body })).status).toBe(401);
    const weak = { token: (await invite()).token, newPassword: 'short' };
    expect((await server.rest('POST', '/api/v1/auth/password', { body: weak })).body.errors[0].path).toBe(
      'newPassword',
    );
  });

  it.each(['sti_', `sti_${'A'.repeat(43)}`, 'eyJ.a.b', `stk_${'a'.repeat(32)}_${'A'.repeat(43)}`])(
    'is not %j',
    async (token) => {
      (await setPassword(token, chosen)).expectError('UNAUTHENTICATED');
    },
  );
});

describe('a reset by an admin', () => {
  it('takes no password, ends the sessions when it is used, and voids earlier ones', async () => {
    const { id, email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    const first = await reset(id);
    const second = await reset(id);
    expect((await tryLogin(server, email, password)).status).toBe(200);
    (await setPassword(first, chosen)).expectError('UNAUTHENTICATED');
    (await setPassword(second, chosen)).expectData();
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    expect((await tryLogin(server, email, password)).status).toBe(401);
    expect((await tryLogin(server, email, chosen)).status).toBe(200);
  });

  it('is for admins, and of no use to who is deactivated', async () => {
    const { id, token } = await createPerson(server, await server.signIn(), 'ANALYST');
    const mutation = 'mutation($id: ID!) { resetPassword(id: $id) { user { id } } }';
    (await server.gql(mutation, { id }, token)).expectError('FORBIDDEN');
    (await server.gql(mutation, { id })).expectError('UNAUTHENTICATED');
    const link = await reset(id);
    const off = 'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }';
    (await server.gql(off, { id }, await server.signIn())).expectData();
    (await setPassword(link, chosen)).expectError('UNAUTHENTICATED');
  });
});

describe('a password that an admin chose', () => {
  it('must be changed before anything else, when the configuration says so', async () => {
    const strict = await startTestServer({ PASSWORD_CHANGE_REQUIRED: 'true' });
    try {
      const adminToken = await strict.signIn();
      const person = await createPerson(strict, adminToken, 'ANALYST');
      const me = '{ me { id } }';
      const list = '{ executions(first: 1) { totalCount } }';
      (await strict.gql(me, {}, person.token)).expectData();
      (await strict.gql(list, {}, person.token)).expectError('PASSWORD_CHANGE_REQUIRED');
      (
        await strict.change(
          'changePassword',
          { currentPassword: password, newPassword: chosen },
          'user { id }',
          person.token,
        )
      ).expectData();
      (await strict.gql(list, {}, person.token)).expectData();
    } finally {
      await strict.close();
    }
  });
});
