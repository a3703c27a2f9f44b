// A certified identity provider (oidc-provider) for the bench, a process of its own. A browser signs in there as the user whom its
// cookie `who` names, and stays signed in. Stores are in memory; the one that oidc-provider brings holds 1,000 entries only.
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const { port, client } = JSON.parse(process.env.BENCH_OIDC);
const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: 'bench', alg: 'RS256', use: 'sig' };
const scope = 'openid profile email';

/** Stores of entries by name, for oidc-provider. */
function createStore() {
  const entries = new Map();
  const sessions = new Map();
  return {
    upsert: async (id, payload) => {
      if (payload.uid) sessions.set(payload.uid, id);
      entries.set(id, payload);
    },
    find: async (id) => entries.get(id),
    findByUid: async (uid) => entries.get(sessions.get(uid)),
    findByUserCode: async () => undefined,
    destroy: async (id) => void entries.delete(id),
    consume: async (id) => {
      entries.get(id).consumed = Math.floor(Date.now() / 1000);
    },
    revokeByGrantId: async () => {},
  };
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: createStore,
  clients: [client],
  jwks: { keys: [key] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: sub, email: `${sub}@bench.test`, email_verified: true }),
  }),
  cookies: { keys: ['bench'] },
  ttl: {
    AccessToken: 600,
    AuthorizationCode: 60,
    IdToken: 600,
    Interaction: 600,
    Grant: 3600,
    Session: 3600,
  },
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login')
    return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: ctx.cookies.get('who') } });
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(scope);
  const consent = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(ctx.req, ctx.res, consent, { mergeWithLastSubmission: true });
});
provider.on('server_error', (_ctx, error) => console.error(error));
createServer(provider.callback()).listen(port, '127.0.0.1', () => process.send('ready'));
process.on('disconnect', () => process.exit(0));
