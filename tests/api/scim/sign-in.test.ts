// People whom a directory provisions sign in at its identity provider (a real one): they get the provisioned account.
import { expect, it } from '@jest/globals';
import { ownerUrlOf, withClient } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { frontend, startProvider } from '../../kit/oidc/oidc.js';
import { signInAt, tokensAt } from '../../kit/oidc/visitor.js';
import { createDirectory } from '../../kit/scim/directory.js';
import { atEnd, useServer } from '../../kit/use.js';

const provider = await startProvider(['main']);
atEnd(() => provider.stop());
const server = await useServer({
  PORT: String(provider.serverPort),
  CORS_ORIGINS: frontend,
  OIDC_PROVIDERS: JSON.stringify([
    provider.settings('main', 0, { roles: { analysts: 'ANALYST' }, postLogoutRedirectUri: undefined }),
  ]),
});
const directory = await createDirectory(server, await server.signIn(), { provider: 'main' });

it('joins the account whose external id is the subject, with the groups that the directory pushed', async () => {
  const user = await directory.user({ externalId: 'pushed' });
  const member = { displayName: 'analysts', members: [{ value: user.id }] };
  expect((await directory.call('POST', '/Groups', member)).status).toBe(201);
  const tokens = await tokensAt({ server, provider }, { sub: 'pushed' });
  expect(tokens.user.id).toBe(user.id);
  const [row] = await server.sql('SELECT role::text FROM users WHERE id = $1', [user.id.slice(4)]);
  expect(row).toEqual({ role: 'ANALYST' });
});

it('gives no role of a group that the directory takes away meanwhile', async () => {
  const user = await directory.user({ externalId: 'moved' });
  const id = user.id.slice(4);
  const [group] = await server.sql<{ id: string }>(
    `SELECT id FROM scim_groups WHERE display_name = 'analysts'`,
  );
  await server.sql('INSERT INTO scim_group_members (group_id, user_id) VALUES ($1, $2)', [group?.id, id]);
  await withClient(ownerUrlOf(server.databaseUrl), async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE', [id]);
    await client.query('DELETE FROM scim_group_members WHERE user_id = $1', [id]);
    await server.sql(
      'INSERT INTO user_identities (id, user_id, provider, issuer, subject, created_at) VALUES (gen_random_uuid(), $1, $2, $3, $4, now())',
      [id, 'main', provider.issuers[0], 'moved'],
    );
    const signedIn = signInAt({ server, provider }, { sub: 'moved' });
    await until(
      async () =>
        (
          await server.sql(
            `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          )
        ).length > 0,
      'the sign-in',
    );
    await client.query('COMMIT');
    expect((await signedIn).code).not.toBeNull();
  });
  expect(await server.sql('SELECT role::text FROM users WHERE id = $1', [id])).toEqual([{ role: 'VIEWER' }]);
});

it('joins one of two identities with its address that come at the same time', async () => {
  const { id, userName: email } = await directory.user();
  const waiting = async () =>
    (
      await server.sql(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
    ).length;
  await withClient(ownerUrlOf(server.databaseUrl), async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT id FROM users WHERE id = $1 FOR UPDATE', [id.slice(4)]);
    const first = signInAt({ server, provider }, { sub: 'twin', claims: { email } });
    await until(async () => (await waiting()) === 1, 'the first');
    const second = signInAt({ server, provider }, { sub: 'other twin', claims: { email } });
    await until(async () => (await waiting()) === 2, 'the second');
    await client.query('COMMIT');
    expect([(await first).error, (await second).error].sort()).toEqual(['account_exists', null]);
  });
});

it('is refused once the directory has deactivated the account', async () => {
  const user = await directory.user({ externalId: 'leaver' });
  await directory.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
  expect(await signInAt({ server, provider }, { sub: 'leaver' })).toMatchObject({ error: 'deactivated' });
});
