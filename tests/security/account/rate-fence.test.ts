// Attack: a stolen admin's token that changes or deletes all users within a minute, by aliases, in parallel, by API keys and
// WebSockets. ASVS 2.4.1.
import { describe, expect, it } from '@jest/globals';
import { buildSchema } from '../../../src/api/schema.js';
import { rateFences } from '../../../src/graphql/plugins/rate-fence.js';
import { type GqlAnswer, startTestServer } from '../../kit/harness.js';
import { openSignedInWire } from '../../kit/network/wire.js';
import { createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RATE_LIMIT_PER_MINUTE: '100000' });
const token = await server.signIn();

const [{ max }] = rateFences;
const nobody = 'usr_0198aaaa-0000-7000-8000-000000000000';
const call = (alias: number, field: string) => `a${alias}: ${field}(id: "${nobody}") { user { id } }`;
/** A mutation that calls a field of user administration so many times. */
const mutationOf = (times: number, field: string) =>
  `mutation { ${Array.from({ length: times }, (_, index) => call(index, field)).join(' ')} }`;
const codesOf = ({ body }: GqlAnswer) => [...new Set(body.errors?.map(({ extensions }) => extensions.code))];
/** Uses up what a user may call in a minute but for `left`; the document is the same each time, as clients send it. */
async function useUp(field: string, bearer: string, left = 0): Promise<void> {
  const size = 20;
  for (let used = 0; used < max - left; used += size) {
    const answer = await server.gql(mutationOf(Math.min(size, max - left - used), field), {}, bearer);
    expect(codesOf(answer)).toEqual(['NOT_FOUND']);
  }
}
function expectFenced(answer: GqlAnswer): void {
  const error = answer.expectError('RATE_LIMITED');
  expect([answer.status, answer.body.data ?? null]).toEqual([429, null]);
  expect(answer.body.errors).toHaveLength(1);
  const seconds = Number(answer.headers.get('retry-after'));
  expect(error.extensions.retryAfterSeconds).toBe(seconds);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(60);
}

describe('the fence around user administration', () => {
  it('stops one user at one field; others, and other fields, go on', async () => {
    const other = await createPerson(server, token, 'ADMIN');
    await useUp('deactivateUser', other.token);
    expectFenced(await server.gql(mutationOf(1, 'deactivateUser'), {}, other.token));
    expectFenced(await server.gql(mutationOf(1, 'deactivateUser'), {}, other.token));
    expect(codesOf(await server.gql(mutationOf(1, 'activateUser'), {}, other.token))).toEqual(['NOT_FOUND']);
    expect((await server.gql('{ me { id } }', {}, other.token)).body.errors).toBeUndefined();
    expect(codesOf(await server.gql(mutationOf(1, 'deactivateUser'), {}, token))).toEqual(['NOT_FOUND']);
  });

  it('counts each alias, and runs none of an operation that it refuses', async () => {
    const other = await createPerson(server, token, 'ADMIN');
    await useUp('resetPassword', other.token, 1);
    const victim = await createPerson(server, token, 'VIEWER');
    const both = `mutation { one: deactivateUser(id: "${victim.id}") { user { id } } ${[0, 1].map((alias) => call(alias, 'resetPassword').replace('user { id }', '__typename')).join(' ')} }`;
    expectFenced(await server.gql(both, {}, other.token));
    const { data } = (await server.gql(`{ user(id: "${victim.id}") { status } }`, {}, token)).body;
    expect(data.user.status).toBe('ACTIVE');
  });

  it('lets no more through when calls come at once', async () => {
    const other = await createPerson(server, token, 'ADMIN');
    await useUp('resetPassword', other.token, 10);
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => server.gql(mutationOf(1, 'resetPassword'), {}, other.token)),
    );
    const codes = answers.map((answer) => codesOf(answer)[0]);
    expect(codes.filter((code) => code === 'NOT_FOUND')).toHaveLength(10);
    expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(30);
  });

  it('counts the keys and the WebSockets of a user together with their sessions', async () => {
    const other = await createPerson(server, token, 'ADMIN');
    await useUp('unlockUser', other.token);
    const again = await server.signIn(other.email, password);
    expectFenced(await server.gql(mutationOf(1, 'unlockUser'), {}, again));
    const input = { name: 'k', scopes: ['user:update'], expiresAt: new Date(Date.now() + 86_400_000) };
    const create = 'mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }';
    const made = await server.gql(create, { input }, other.token);
    const { secret } = made.expectData().createApiKey;
    expectFenced(await server.gql(mutationOf(1, 'unlockUser'), {}, secret));
    const wire = await openSignedInWire(server, other.token);
    wire.send({ id: '1', type: 'subscribe', payload: { query: mutationOf(1, 'unlockUser') } });
    const message = await wire.next();
    expect([message.type, (message.payload.errors ?? message.payload)[0].extensions.code]).toEqual([
      expect.stringMatching(/^(next|error)$/),
      'RATE_LIMITED',
    ]);
    wire.end();
  });

  it('is up in documents with fragments and directives too', async () => {
    const other = await createPerson(server, token, 'ADMIN');
    await useUp('activateUser', other.token);
    for (const query of [
      `mutation { ...F } fragment F on Mutation { ${call(1, 'activateUser')} }`,
      `mutation { ... on Mutation @include(if: true) { ${call(1, 'activateUser')} } }`,
      `mutation($id: ID!) { activateUser(id: $id) { user { id } } }`,
    ])
      expectFenced(await server.gql(query, { id: nobody }, other.token));
  });
});

it('without a limit on requests there is no fence', async () => {
  const unlimited = await startTestServer();
  const admin = await unlimited.signIn();
  for (let used = 0; used < max + 20; used += 20)
    expect(codesOf(await unlimited.gql(mutationOf(20, 'deactivateUser'), {}, admin))).toEqual(['NOT_FOUND']);
  await unlimited.close();
});

it('each fenced field is in the schema', () => {
  const schema = buildSchema();
  const roots = { Query: schema.getQueryType(), Mutation: schema.getMutationType() };
  for (const { type, fields } of rateFences)
    expect(Object.keys(roots[type]?.getFields() ?? {})).toEqual(expect.arrayContaining([...fields]));
});
