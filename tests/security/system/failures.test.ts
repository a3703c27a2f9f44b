// Attack: waiting for something to break, and reading or doing then what is not allowed otherwise.
// ASVS 16.5.1 (generic messages), 16.5.2 (secure without the database), 16.5.3 (fails closed).
import { expect, it, jest } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { openWire } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0' });
const token = await server.signIn();

const secret = 'relation "users" does not exist at /srv/app/secret.ts:7';

it('an unexpected error is reported as INTERNAL, with the id of the request and nothing else', async () => {
  const spy = jest.spyOn(server.services.executions, 'list').mockRejectedValue(new Error(secret));
  const answer = await server.gql('{ executions { totalCount } }', {}, token);
  spy.mockRestore();
  const error = answer.expectError('INTERNAL');
  expect(Object.keys(error.extensions).sort()).toEqual(['code', 'correlationId']);
  expect(JSON.stringify(answer.body)).not.toMatch(/users|secret\.ts|stack|at \//);
  const logged = server.logs.filter(({ event }) => event === 'internal_error');
  expect(logged).toHaveLength(1);
  expect(JSON.stringify(logged[0])).toContain('secret.ts');
});

it('when signing in cannot be checked, nobody is let in, over any transport', async () => {
  const spy = jest.spyOn(server.services.auth, 'authenticate').mockRejectedValue(new Error(secret));
  const answer = await server.gql('{ me { id } }', {}, token);
  expect(answer.body.data?.me ?? null).toBeNull();
  answer.expectError('INTERNAL');
  expect(JSON.stringify(answer.body)).not.toContain('secret.ts');
  const wire = await openWire(server);
  wire.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  expect([4403, 4500, 1013]).toContain(await wire.closed);
  spy.mockRestore();
  (await server.gql('{ me { id } }', {}, token)).expectData();
});

it('when the database refuses, sign-in is refused as unavailable or internal, and no token is given', async () => {
  const other = await startTestServer();
  await other.sql('ALTER TABLE sessions RENAME TO sessions_away');
  const answer = await other.rest('POST', '/api/v1/auth/login', {
    body: { email: 'admin@harness.test', password: 'kiwi lantern 7391 harbor moss' },
  });
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(JSON.stringify(answer.body)).not.toMatch(/sessions_|relation "|accessToken|SELECT|INSERT/);
  await other.close();
});
