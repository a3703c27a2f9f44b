// An issuer of workloads' tokens for tests, over http on this machine: discovery, keys, and GitHub's endpoint for ID tokens.

import type { JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

/** How the issuer answers. */
export interface Lies {
  /** Closes every connection. */
  down?: boolean;
  /** Never answers. */
  hang?: boolean;
  /** Replaces members of its metadata. */
  discovery?: Record<string, unknown>;
}

interface Key {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  jwk: JsonWebKey;
}

export type TestIssuer = Awaited<ReturnType<typeof startIssuer>>;

/** A key pair, and its public part as an issuer publishes it. */
export async function newKey(alg = 'RS256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = crypto.randomUUID();
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Claims of a push to the main branch, as GitHub Actions sends them. */
export const pushClaims = {
  sub: 'repo:acme/shop:ref:refs/heads/main',
  repository: 'acme/shop',
  repository_owner: 'acme',
  ref: 'refs/heads/main',
  event_name: 'push',
};

/** Starts an issuer. */
export async function startIssuer() {
  const state = { lies: {} as Lies, keys: [await newKey()], jobs: new Map<string, object>(), given: 0 };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  /** A token with these claims over those of a push, and with this header over that of the first key. */
  async function sign(
    claims: Record<string, unknown> = {},
    { key = state.keys[0] as Key, header = {} }: { key?: Key; header?: Record<string, unknown> } = {},
  ): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    const all = {
      iss: url,
      iat,
      nbf: iat,
      exp: iat + 300,
      jti: crypto.randomUUID(),
      ...pushClaims,
      ...claims,
    };
    return new SignJWT(JSON.parse(JSON.stringify(all)))
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
      .sign(key.privateKey);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    const { down, hang, discovery } = state.lies;
    if (down) return void request.socket.destroy();
    if (hang) return;
    const json = (body: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pathname === '/.well-known/openid-configuration')
      return json({ issuer: url, jwks_uri: `${url}/keys`, ...discovery });
    if (pathname === '/keys') return json({ keys: state.keys.map(({ jwk }) => jwk) });
    const job = state.jobs.get(request.headers.authorization?.replace('Bearer ', '') ?? '');
    if (pathname !== '/github/token' || job === undefined) return json({ message: 'no' }, 401);
    state.given += 1;
    json({ value: await sign({ aud: searchParams.get('audience'), ...job }) });
  }

  return {
    url,
    sign,
    /** Has the issuer lie from now on, or no more. */
    lie: (lies: Lies) => void Object.assign(state, { lies }),
    /** Puts new keys in place of the others. */
    useKeys: (...keys: Key[]) => void Object.assign(state, { keys }),
    /** The variables that GitHub gives a job with these claims. */
    githubJob(claims: object = {}): Record<string, string> {
      const secret = crypto.randomUUID();
      state.jobs.set(secret, claims);
      return {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/github/token?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
      };
    },
    /** How many ID tokens jobs have asked for. */
    given: () => state.given,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
