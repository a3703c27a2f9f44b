// What people met elsewhere: links that outlive their reason, owners who are locked out, keys that wake up, addresses that
// a locale or a script confuses. ASVS 5.0: 6.1.1, 6.3.1, 6.4.1, 7.4.2, 16.3.2.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { hasRedis, startTestServer, type TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createPerson, type Person, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const chosen = 'vellum orbit cactus 5177';
let adminToken: string;
const server = await useServer({ LOGIN_MAX_FAILURES: '3' });
beforeEach(async () => {
  server.clock.advance(61_000); // a new window for the address of all these sign-ins
  adminToken = await server.signIn();
});

const asAdmin = (query: string, variables: Record<string, unknown> = {}) =>
  server.gql(query, variables, adminToken);
const login = (input: Record<string, unknown>, at: TestServer = server) =>
  at.rest('POST', '/api/v1/auth/login', { body: input });

let count = 0;
async function invite(role = 'VIEWER') {
  count += 1;
  const email = `met-${count}@people.test`;
  const answer = await asAdmin(
    'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } invitation { token } } }',
    { input: { email, name: `Met ${count}`, role } },
  );
  const { user, invitation } = answer.expectData().createUser;
  return { email, id: user.id as string, token: invitation.token as string };
}
const setPassword = (token: string) =>
  server.change('setPassword', { token, newPassword: chosen }, 'user { email }');
const update = (input: Record<string, unknown>) =>
  asAdmin('mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', { input });
const statusOf = async (id: string) =>
  (await asAdmin('query($id: ID!) { user(id: $id) { status } }', { id })).expectData().user.status;

describe('a one-time link ends with what it was made for', () => {
  it.each([
    [
      'the address is corrected',
      (id: string) => update({ id, email: `corrected-${id.slice(-12)}@people.test` }),
    ],
    ['the role changes', (id: string) => update({ id, role: 'ANALYST' })],
    [
      'the user is deactivated and comes back',
      async (id: string) => {
        const change = (name: string) =>
          asAdmin(`mutation($id: ID!) { ${name}(id: $id) { user { id } } }`, { id });
        (await change('deactivateUser')).expectData();
        return change('activateUser');
      },
    ],
    [
      'it is revoked',
      (id: string) => asAdmin('mutation($id: ID!) { revokeInvitation(id: $id) { user { id } } }', { id }),
    ],
    [
      'it is sent again',
      (id: string) => asAdmin('mutation($id: ID!) { resendInvitation(id: $id) { user { id } } }', { id }),
    ],
  ])('when %s', async (_name, change) => {
    const { id, token } = await invite();
    (await change(id)).expectData();
    (await setPassword(token)).expectError('UNAUTHENTICATED');
  });

  it('and stays when only the name changes', async () => {
    const { id, token } = await invite();
    (await update({ id, name: 'Another name' })).expectData();
    (await setPassword(token)).expectData();
  });

  it('when the password changes, a reset is void', async () => {
    const person = await createPerson(server, adminToken, 'ANALYST');
    const reset = await asAdmin('mutation($id: ID!) { resetPassword(id: $id) { invitation { token } } }', {
      id: person.id,
    });
    const changed = await server.change(
      'changePassword',
      { currentPassword: password, newPassword: chosen },
      'user { id }',
      person.token,
    );
    changed.expectData();
    (await setPassword(reset.expectData().resetPassword.invitation.token)).expectError('UNAUTHENTICATED');
  });
});

describe('an invited user', () => {
  it('shows as INVITED, is listed as such, and is ACTIVE once the password is chosen', async () => {
    const { id, token } = await invite();
    expect(await statusOf(id)).toBe('INVITED');
    const list = async (status: string) =>
      (
        await asAdmin('query($filter: UserFilter) { users(first: 100, filter: $filter) { nodes { id } } }', {
          filter: { status },
        })
      )
        .expectData()
        .users.nodes.map((node: { id: string }) => node.id);
    expect(await list('INVITED')).toContain(id);
    expect(await list('ACTIVE')).not.toContain(id);
    (await setPassword(token)).expectData();
    expect(await statusOf(id)).toBe('ACTIVE');
    expect(await list('INVITED')).not.toContain(id);
  });

  it('is the only one whose invitation can be sent again or revoked', async () => {
    const { id, token } = await invite();
    (await setPassword(token)).expectData();
    for (const mutation of ['resendInvitation', 'revokeInvitation'])
      (await asAdmin(`mutation($id: ID!) { ${mutation}(id: $id) { user { id } } }`, { id })).expectError(
        'CONFLICT',
      );
  });
});

it('API keys of a deactivated user stay revoked when the user comes back', async () => {
  const person = await createPerson(server, adminToken, 'ANALYST');
  const made = await server.change(
    'createApiKey',
    { name: 'ci', scopes: ['execution:read'], expiresAt: new Date(server.clock.now() + 86_400_000) },
    'secret',
    person.token,
  );
  const { secret } = made.expectData().createApiKey;
  const read = () => server.gql('{ executions { totalCount } }', {}, secret);
  (await read()).expectData();
  for (const mutation of ['deactivateUser', 'activateUser'])
    (
      await asAdmin(`mutation($id: ID!) { ${mutation}(id: $id) { user { id } } }`, { id: person.id })
    ).expectData();
  (await read()).expectError('UNAUTHENTICATED');
});

describe('an owner who is locked out by guesses of others', () => {
  const wrong = (email: string, more: Record<string, unknown> = {}) =>
    login({ email, password: 'wrong wrong wrong', ...more });
  const lock = async (email: string) => {
    for (let at = 0; at < 3; at += 1) expect((await wrong(email)).status).toBe(401);
  };

  it('gets in with the password of a valid reset link at once', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const reset = await asAdmin('mutation($id: ID!) { resetPassword(id: $id) { invitation { token } } }', {
      id: person.id,
    });
    await lock(person.email);
    expect((await login({ email: person.email, password })).status).toBe(401);
    (await setPassword(reset.expectData().resetPassword.invitation.token)).expectData();
    expect((await login({ email: person.email, password: chosen })).status).toBe(200);
  });

  it('gets in when an admin unlocks the account', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    await lock(person.email);
    expect((await login({ email: person.email, password })).status).toBe(401);
    (
      await asAdmin('mutation($id: ID!) { unlockUser(id: $id) { user { id } } }', { id: person.id })
    ).expectData();
    expect((await login({ email: person.email, password })).status).toBe(200);
  });

  it('gets in on a device that has signed in before; guesses with its token are limited alike', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const { deviceToken } = (await login({ email: person.email, password })).body;
    await lock(person.email);
    const again = await login({ email: person.email, password, deviceToken });
    expect(again.status).toBe(200);
    expect(again.body.deviceToken).not.toBe(deviceToken);
    for (let at = 0; at < 3; at += 1) expect((await wrong(person.email, { deviceToken })).status).toBe(401);
    expect((await login({ email: person.email, password, deviceToken })).status).toBe(401);
  });

  it('is not helped by the token of another user, a forged one, or one of another kind', async () => {
    const [owner, other] = [
      await createPerson(server, adminToken, 'VIEWER'),
      await createPerson(server, adminToken, 'VIEWER'),
    ];
    const foreign = (await login({ email: other.email, password })).body;
    const own = (await login({ email: owner.email, password })).body;
    await lock(owner.email);
    const [header, claims] = own.deviceToken.split('.');
    for (const deviceToken of [
      foreign.deviceToken,
      own.accessToken,
      own.refreshToken,
      `${header}.${claims}.${'A'.repeat(86)}`,
      'x',
    ])
      expect((await login({ email: owner.email, password, deviceToken })).status).toBe(401);
    expect((await server.gql('{ me { id } }', {}, own.deviceToken)).body.errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
  });
});

(hasRedis ? describe : describe.skip)('with Redis', () => {
  it('a lock outlives FLUSHALL, and holds on an instance without Redis', async () => {
    const env = {
      LOGIN_MAX_FAILURES: '3',
      REDIS_URL: process.env.TEST_REDIS_URL as string,
      DATABASE_URL: server.databaseUrl,
    };
    const shared = await startTestServer(env);
    const person = await createPerson(server, adminToken, 'VIEWER');
    for (let at = 0; at < 3; at += 1)
      expect((await login({ email: person.email, password: 'wrong wrong wrong' }, shared)).status).toBe(401);
    const { Redis } = await import('ioredis');
    const redis = new Redis(env.REDIS_URL);
    await redis.flushall();
    await redis.quit();
    const alone = await startTestServer({ LOGIN_MAX_FAILURES: '3', DATABASE_URL: server.databaseUrl });
    for (const at of [shared, alone])
      expect((await login({ email: person.email, password }, at)).status).toBe(401);
    await Promise.all([shared.close(), alone.close()]);
  });
});

describe('an e-mail address', () => {
  const create = (email: string) =>
    asAdmin('mutation($input: CreateUserInput!) { createUser(input: $input) { user { id email } } }', {
      input: { email, name: 'Domain', role: 'VIEWER', password },
    });

  it('may have an international domain, which is stored and shown in ASCII, and signs in in any spelling', async () => {
    const { email } = (await create('Max@B\u00fccher.test')).expectData().createUser.user;
    expect(email).toBe('Max@xn--bcher-kva.test');
    for (const spelling of ['max@b\u00fccher.test', 'MAX@B\u00dcCHER.TEST', 'max@xn--bcher-kva.test'])
      expect((await login({ email: spelling, password })).status).toBe(200);
    (await create('max@b\u00fccher.test')).expectError('CONFLICT');
  });

  it('of a look-alike domain is another address', async () => {
    (await create('eve@paypal.test')).expectData();
    const { email } = (await create('eve@p\u0430ypal.test')).expectData().createUser.user; // Cyrillic а
    expect(email).toMatch(/^eve@xn--/);
  });

  it('is compared without the database’s locale', async () => {
    (await create('LINI@people.test')).expectData();
    (await create('lini@people.test')).expectError('CONFLICT');
    expect((await login({ email: 'LiNi@people.test', password })).status).toBe(200);
    const [row] = await server.sql<{ email_key: string }>(
      "SELECT email_key FROM users WHERE email = 'LINI@people.test'",
    );
    expect(row?.email_key).toBe('lini@people.test');
  });

  it.each(['max@', '@b\u00fccher.test', 'max@b\u00fc cher.test', 'max@-.test', 'no at sign'])(
    '%j is refused',
    async (email) => {
      expect((await create(email)).expectError('VALIDATION_FAILED').extensions.fields?.[0]?.path).toBe(
        'input.email',
      );
    },
  );
});

describe('the audit trail', () => {
  const eventsOf = (person: Person, action: string) =>
    server.sql<{ outcome: string; changes: { where?: string } }>(
      'SELECT outcome::text, changes FROM audit_events WHERE actor_label = $1 AND action = $2',
      [person.email, action],
    );

  it('has what was refused to whom, once a minute for each place', async () => {
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    for (let at = 0; at < 5; at += 1)
      (await server.gql('{ users { nodes { id } } }', {}, viewer.token)).expectError('FORBIDDEN');
    (await server.gql('{ auditEvents { nodes { id } } }', {}, viewer.token)).expectError('FORBIDDEN');
    await until(async () => (await eventsOf(viewer, 'access.deny')).length >= 2, 'two events');
    expect(
      (await eventsOf(viewer, 'access.deny')).map(({ outcome, changes }) => [outcome, changes.where]),
    ).toEqual([
      ['DENIED', 'users'],
      ['DENIED', 'auditEvents'],
    ]);
  });

  it('has the enrolment of a second factor', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    (await server.gql('mutation { enrolSecondFactor { secret } }', {}, person.token)).expectData();
    expect(await eventsOf(person, 'second_factor.enrol')).toHaveLength(1);
  });
});
