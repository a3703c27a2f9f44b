// Rights hold while a stream is open: what ends them ends the stream, on every instance and over both transports.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { admin, hasRedis, type TestServer } from '../../kit/harness.js';
import {
  endOf,
  type Following,
  follow,
  report,
  sleep,
  startTwo,
  type Transport,
  transports,
  until,
  useTwo,
} from '../../kit/live.js';
import { createDirectory } from '../../kit/scim/directory.js';
import { createPerson, type Person, password, startExecution } from '../../kit/seed.js';

// Without a Redis the check of once a second is what ends streams on the other instance.
const [home, other] = await useTwo(hasRedis ? process.env.TEST_REDIS_URL : undefined);
const adminToken = await home.signIn();
const writer = await createPerson(home, adminToken, 'ANALYST');
const directory = await createDirectory(home, adminToken, { mayAdopt: true });

interface Case {
  name: string;
  code: string;
  /** Ends the rights of the person or key. */
  end: (person: Person, key: { id: string }) => Promise<unknown>;
  /** Streams are opened with an API key instead of the access token. */
  isKey?: boolean;
}

const mutate = (query: string, id: string, token = adminToken) =>
  home.gql(`mutation($id: ID!) { ${query} }`, { id }, token).then((answer) => answer.expectData());

async function sessionOf(person: Person): Promise<string> {
  const answer = await home.gql('{ me { sessions { id } } }', {}, person.token);
  return answer.expectData().me.sessions[0].id;
}

const cases: Case[] = [
  {
    name: 'signing out',
    code: 'TOKEN_REVOKED',
    end: ({ token }) => home.rest('POST', '/api/v1/auth/logout', { token, body: {} }),
  },
  {
    name: 'revoking the session',
    code: 'TOKEN_REVOKED',
    end: async (person) =>
      mutate('revokeSession(id: $id) { __typename }', await sessionOf(person), person.token),
  },
  {
    name: 'changing the password elsewhere',
    code: 'TOKEN_REVOKED',
    end: async (person) =>
      (
        await home.change(
          'changePassword',
          { currentPassword: password, newPassword: 'amber kettle 5521 walnut frost' },
          'user { id }',
          await home.signIn(person.email, password),
        )
      ).expectData(),
  },
  {
    name: 'deactivation',
    code: 'TOKEN_REVOKED',
    end: ({ id }) => mutate('deactivateUser(id: $id) { user { id } }', id),
  },
  {
    name: 'deactivation by a directory (SCIM)',
    code: 'TOKEN_REVOKED',
    end: async ({ email }) => {
      const { body } = await directory.call('POST', '/Users', { userName: email, active: true });
      await directory.patch(`/Users/${body.id}`, { op: 'Replace', path: 'active', value: 'False' });
    },
  },
  {
    name: 'demotion',
    code: 'FORBIDDEN',
    end: async ({ id }) =>
      (await home.change('updateUser', { id, role: 'VIEWER' }, 'user { id }', adminToken)).expectData(),
  },
  {
    name: 'deletion',
    code: 'TOKEN_REVOKED',
    end: ({ id }) => mutate('deleteUser(id: $id) { deletedId }', id),
  },
  {
    name: 'revoking the API key',
    code: 'TOKEN_REVOKED',
    isKey: true,
    end: (person, { id }) => mutate('revokeApiKey(id: $id) { apiKey { id } }', id, person.token),
  },
  {
    name: 'deactivation of the key’s owner',
    code: 'TOKEN_REVOKED',
    isKey: true,
    end: ({ id }) => mutate('deactivateUser(id: $id) { user { id } }', id),
  },
];

async function createKey(person: Person, lifetimeMs = 86_400_000): Promise<{ id: string; secret: string }> {
  const expiresAt = new Date(home.clock.now() + lifetimeMs).toISOString();
  const answer = await home.change(
    'createApiKey',
    { name: 'watcher', scopes: ['execution:read'], expiresAt },
    'apiKey { id } secret',
    person.token,
  );
  const { apiKey, secret } = answer.expectData().createApiKey;
  return { id: apiKey.id, secret };
}

/** Streams of one sign-in on both instances, and one of somebody else. */
async function open(transport: Transport, token: string): Promise<[Following, Following, Following, string]> {
  const id = await startExecution(home, writer.token);
  const streams: [Following, Following, Following] = [
    follow(transport, home, token, id),
    follow(transport, other, token, id),
    follow(transport, other, writer.token, id),
  ];
  await until(() => streams.every(({ events }) => events.length === 2), 'the beginnings');
  return [...streams, id];
}

/** What the transport says: a close code, or the last answer; one whose token has expired breaks off. */
async function expectEnd(transport: Transport, stream: Following, code: string): Promise<void> {
  const how = await endOf(stream);
  if (transport === 'WebSocket') expect(how).toBe('4403');
  else if (code === 'TOKEN_EXPIRED')
    expect([how, stream.errors]).toEqual([expect.stringContaining('Error'), []]);
  else expect([how, stream.errors.map((error) => error.code)]).toEqual(['complete', [code]]);
}

describe.each(transports)('by %s', (transport) => {
  it.each(cases)(
    '$name ends the streams, on either instance, and no others',
    async ({ end, code, isKey }) => {
      const person = await createPerson(home, adminToken, 'ANALYST');
      const key = await createKey(person);
      const [here, there, foreign, id] = await open(transport, isKey ? key.secret : person.token);
      await end(person, key);
      await Promise.all([here, there].map((stream) => expectEnd(transport, stream, code)));
      await report(home, writer.token, id, 50);
      await until(() => foreign.events.length === 3, 'an event for the others');
      expect([here.events.length, there.events.length]).toEqual([2, 2]);
      foreign.stop();
    },
  );

  it('a change of name ends nothing', async () => {
    const person = await createPerson(home, adminToken, 'VIEWER');
    const [here, there, foreign, id] = await open(transport, person.token);
    const input = { id: person.id, name: 'Another Name' };
    (await home.change('updateUser', input, 'user { id }', adminToken)).expectData();
    await sleep(200); // so that a check would have come by
    await report(home, writer.token, id, 50);
    const all = [here, there, foreign];
    await until(() => all.every(({ events }) => events.length === 3), 'the report for all');
    for (const stream of all) stream.stop();
    expect(all.map(({ errors }) => errors)).toEqual([[], [], []]);
  });
});

describe('without looking at the rights again', () => {
  let [first, second]: TestServer[] = [];
  beforeAll(async () => {
    const never = { checkEveryMs: 86_400_000 };
    [first, second] = await startTwo(hasRedis ? process.env.TEST_REDIS_URL : undefined, never);
  });
  afterAll(async () => {
    await second?.close();
    await first?.close();
  });

  it.each(transports)('a sign-out ends the streams by %s, as it is told of', async (transport) => {
    const servers = (hasRedis ? [first, second] : [first]) as TestServer[];
    const [own] = servers as [TestServer];
    const id = await startExecution(own, await own.signIn());
    // A message may be lost, as long as Redis is not subscribed to: then another sign-in is tried.
    for (let hasEnded = false; !hasEnded; ) {
      const token = await own.signIn();
      const streams = servers.map((server) => follow(transport, server, token, id));
      await until(() => streams.every(({ events }) => events.length === 2), 'the beginnings');
      await own.rest('POST', '/api/v1/auth/logout', { token, body: {} });
      const haveEnded = () => streams.every((stream) => stream.hasEnded());
      for (let tries = 0; tries < 200 && !haveEnded(); tries += 1) await sleep(10);
      hasEnded = haveEnded();
      for (const stream of streams) stream.stop();
    }
  });
});

// These turn the clock, so that nothing may come after them.
describe('with time', () => {
  it.each(transports)('a key that expires ends its streams by %s', async (transport) => {
    const person = await createPerson(home, adminToken, 'ANALYST');
    const key = await createKey(person, 60_000);
    const [here, there, foreign, id] = await open(transport, key.secret);
    home.clock.advance(61_000);
    other.clock.advance(61_000);
    await Promise.all([here, there].map((stream) => expectEnd(transport, stream, 'TOKEN_EXPIRED')));
    await report(home, writer.token, id, 50);
    await until(() => foreign.events.length === 3, 'an event for the others');
    expect([here.events.length, there.events.length]).toEqual([2, 2]);
    foreign.stop();
  });

  it.each(transports)('an access token that expires ends its streams by %s', async (transport) => {
    writer.token = await home.signIn(writer.email, password);
    const stale = await home.signIn(admin.email, admin.password);
    home.clock.advance(300_000);
    other.clock.advance(300_000);
    writer.token = await home.signIn(writer.email, password);
    const [here, there, foreign, id] = await open(transport, stale);
    home.clock.advance(601_000);
    other.clock.advance(601_000);
    await Promise.all([here, there].map((stream) => expectEnd(transport, stream, 'TOKEN_EXPIRED')));
    await report(home, writer.token, id, 50);
    await until(() => foreign.events.length === 3, 'an event for the others');
    expect([here.events.length, there.events.length]).toEqual([2, 2]);
    foreign.stop();
  });
});
