// An identity provider for tests, and a browser that signs in there.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../network/free-port.js';

export const frontend = 'https://app.example.test';
export const callbackPage = `${frontend}/signed-in`;
const clientSecret = 'a-client-secret-of-the-tests-that-is-long';

/** What the provider is made to do. */
export interface Control {
  /** Who signs in next (null: the user refuses), and how the issuers lie. */
  set?: {
    sub?: string | null;
    lie?: {
      down?: boolean;
      hang?: boolean;
      discovery?: Record<string, unknown>;
      /** What the token endpoint refuses with. */
      tokenError?: string;
      shiftSeconds?: number;
      idToken?: { claims?: object; header?: object; alg?: 'none'; foreignKey?: boolean };
    };
  };
  account?: { sub: string; claims: Record<string, unknown> };
  /** Makes new keys for this issuer; the old ones are gone unless they are kept. */
  rotate?: number;
  keepKeys?: boolean;
  /** Signs a token with an issuer's key. */
  sign?: { issuer?: number; claims: object; header?: object; foreignKey?: boolean };
}

export interface TestProvider {
  issuers: [string, string];
  /** Port that the server under test must listen on. */
  serverPort: number;
  /** The entry of OIDC_PROVIDERS for an issuer. */
  settings: (id: string, issuer?: number, more?: object) => Record<string, unknown>;
  control: (order: Control) => Promise<string>;
  stop: () => Promise<void>;
}

/** Starts the provider; a client is registered for the providers of these ids. */
export async function startProvider(ids: readonly string[]): Promise<TestProvider> {
  const ports = [await freePort(), await freePort()] as const;
  const serverPort = await freePort();
  const base = `http://127.0.0.1:${serverPort}`;
  const client = {
    client_id: 'sec-tester',
    client_secret: clientSecret,
    redirect_uris: ids.map((id) => `${base}/api/v1/auth/oidc/${id}/callback`),
    post_logout_redirect_uris: [`${base}/goodbye`],
    backchannel_logout_uri: `${base}/api/v1/auth/oidc/${ids[0]}/backchannel-logout`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    application_type: 'native',
  };
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL('provider.mjs', import.meta.url))],
    {
      env: { PATH: process.env.PATH, OIDC_TEST: JSON.stringify({ ports, client }), NODE_NO_WARNINGS: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ready = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the provider ended with ${code}`)));
    child.stdout?.on('data', (line: Buffer) => {
      if (line.toString().includes('ready')) resolve();
    });
  });
  await ready;
  const issuers: [string, string] = [`http://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`];
  return {
    issuers,
    serverPort,
    settings: (id, issuer = 0, more = {}) => ({
      id,
      name: `Provider ${id}`,
      issuer: issuers[issuer],
      clientId: 'sec-tester',
      clientSecret,
      allowInsecure: true,
      ...more,
    }),
    async control(order) {
      const response = await fetch(`${issuers[0]}/control`, { method: 'POST', body: JSON.stringify(order) });
      return ((await response.json()) as { token?: string }).token ?? '';
    },
    async stop() {
      child.removeAllListeners('exit').kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** A browser: it keeps cookies by host and port, and follows redirects itself. */
export class TestBrowser {
  readonly cookies = new Map<string, Map<string, string>>();

  /** One request, without following a redirect. */
  async get(url: string, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url);
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, ...(cookie !== '' && { cookie }) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Follows redirects until one leads to `stop`, or the answer is none. @returns the last URL, and the answer if there is one */
  async follow(url: string, stop: string): Promise<{ url: URL; response?: Response }> {
    let next = url;
    for (let hop = 0; hop < 12; hop += 1) {
      if (next.startsWith(stop)) return { url: new URL(next) };
      const response = await this.get(next);
      const location = response.headers.get('location');
      if (location === null) return { url: new URL(next), response };
      await response.arrayBuffer();
      next = new URL(location, next).href;
    }
    throw new Error(`too many redirects, at ${next}`);
  }
}

/** A PKCE verifier and its challenge. */
export function createPkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}
