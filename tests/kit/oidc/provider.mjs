// A certified identity provider (oidc-provider) as a process of its own, with two issuers and a way to make them lie. Tests talk
// to /control of the first one.
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { Provider } from 'oidc-provider';

const { ports, client } = JSON.parse(process.env.OIDC_TEST);
const accounts = new Map();
/** Who signs in next, and how the issuers lie. */
const state = { sub: undefined, lie: {} };

const newKey = async () => {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: crypto.randomUUID(), alg: 'RS256', use: 'sig' };
};

function createProvider(issuer, keys) {
  const provider = new Provider(issuer, {
    clients: ['', '-2', '-3'].map((suffix) => ({ ...client, client_id: client.client_id + suffix })),
    jwks: { keys },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    claims: {
      openid: ['sub', 'groups', 'realm_access', '_claim_names'],
      profile: ['name'],
      email: ['email', 'email_verified'],
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = `${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">yes</button>`;
        },
      },
      deviceFlow: { enabled: true },
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }),
    // back-channel requests go to the server under test, on this machine
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
    cookies: { keys: ['test'] },
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      IdToken: 600,
      Interaction: 600,
      Grant: 600,
      Session: 600,
    },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
    if (prompt.name === 'login') {
      const denied = { error: 'access_denied', error_description: 'the user said no' };
      const login = { login: { accountId: state.sub } };
      return provider.interactionFinished(ctx.req, ctx.res, state.sub === undefined ? denied : login);
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope('openid profile email');
    const consent = { consent: { grantId: await grant.save() } };
    return provider.interactionFinished(ctx.req, ctx.res, consent, { mergeWithLastSubmission: true });
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider;
}

const issuers = await Promise.all(
  ports.map(async (port) => {
    const issuer = `http://127.0.0.1:${port}`;
    const keys = [await newKey()];
    return { issuer, port, keys, provider: createProvider(issuer, keys) };
  }),
);

/** Sends what the lie makes of a JSON body. */
function rewrite(response, change) {
  const pieces = [];
  const end = response.end.bind(response);
  response.write = (piece) => pieces.push(Buffer.from(piece));
  response.end = (piece) => {
    if (piece) pieces.push(Buffer.from(piece));
    change(JSON.parse(Buffer.concat(pieces).toString())).then((body) => {
      response.removeHeader('content-length');
      end(JSON.stringify(body));
    });
  };
}

const withoutNulls = (body) => Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));

async function lieInToken(body, own) {
  const { claims, header, alg, foreignKey } = state.lie.idToken;
  const [, payload] = body.id_token.split('.');
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims };
  for (const name of ['iat', 'exp']) changed[name] += state.lie.shiftSeconds ?? 0;
  if (alg === 'none') return { ...body, id_token: new UnsecuredJWT(changed).encode() };
  const key = foreignKey ? await newKey() : own.keys[0];
  const signer = new SignJWT(changed).setProtectedHeader({ alg: 'RS256', kid: own.keys[0].kid, ...header });
  return { ...body, id_token: await signer.sign(await importJWK(key, 'RS256')) };
}

async function control(request, response) {
  let text = '';
  for await (const piece of request) text += piece;
  const { set, account, rotate, sign, keepKeys } = text === '' ? {} : JSON.parse(text);
  Object.assign(state, set);
  if (set && 'sub' in set) state.sub = set.sub ?? undefined;
  if (account) accounts.set(account.sub, account.claims);
  if (rotate !== undefined) {
    const own = issuers[rotate];
    own.keys = [await newKey(), ...(keepKeys ? own.keys : [])];
    own.provider = createProvider(own.issuer, own.keys);
  }
  let token;
  if (sign) {
    const own = issuers[sign.issuer ?? 0];
    const key = sign.foreignKey ? await newKey() : own.keys[0];
    const header = { alg: 'RS256', kid: own.keys[0].kid, ...sign.header };
    token = await new SignJWT(sign.claims).setProtectedHeader(header).sign(await importJWK(key, 'RS256'));
  }
  response.end(JSON.stringify({ token }));
}

for (const own of issuers) {
  const server = createServer((request, response) => {
    const path = request.url.split('?')[0];
    if (path === '/control') return void control(request, response);
    const { down, discovery, hang } = state.lie;
    if (down) return void request.socket.destroy();
    if (hang) return undefined;
    if (discovery && path === '/.well-known/openid-configuration')
      rewrite(response, async (body) => withoutNulls({ ...body, ...discovery }));
    if (state.lie.tokenError && path === '/token') {
      response.writeHead(400, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify({ error: state.lie.tokenError }));
    }
    if (state.lie.idToken && path === '/token')
      rewrite(response, async (body) => (body.id_token ? lieInToken(body, own) : body));
    return void own.provider.callback()(request, response);
  });
  await new Promise((resolve) => server.listen(own.port, '127.0.0.1', resolve));
}
console.log('ready');
