// People whom a directory provisions sign in at its identity provider (a real one): they get the provisioned account.
import { expect, it } from '@jest/globals';
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

it('is refused once the directory has deactivated the account', async () => {
  const user = await directory.user({ externalId: 'leaver' });
  await directory.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
  expect(await signInAt({ server, provider }, { sub: 'leaver' })).toMatchObject({ error: 'deactivated' });
});
