// Attack: making a browser render, sniff, frame, cache or read across origins what the API answers; finding a status
// that forgets its headers. ASVS 3.2.1, 3.4.1, 3.4.2, 3.4.3, 3.4.4, 3.4.6, 4.1.1, 4.1.3, 13.4.2, 13.4.5, 14.3.2, 15.3.4.
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { admin, startTestServer } from '../../kit/harness.js';
import { sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const { kty, crv, x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JsonWebKey;
const production = {
  NODE_ENV: 'production',
  JWT_SIGNING_KEYS: JSON.stringify([{ kty, crv, x, d, kid: 'a' }]),
  ARGON2_MEMORY_KIB: '19456',
  ARGON2_ITERATIONS: '2',
  CORS_ORIGINS: 'https://app.example',
  TRUST_PROXY: '1',
};

const server = await useServer(production);
const token = await server.signIn();

/** Headers of an answer, by name; from fetch or from bytes. */
type Seen = { status: number; headers: Map<string, string>; body: string };
function read(text: string): Seen {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  const headers = new Map(
    lines.map((header) => [
      header.slice(0, header.indexOf(':')).toLowerCase(),
      header.slice(header.indexOf(':') + 1).trim(),
    ]),
  );
  return { status: Number(line.split(' ')[1]), headers, body: rest.join('\r\n\r\n') };
}
const raw = async (bytes: string) => read((await sendRaw(server, bytes)).text);
const request = (line: string, ...headers: string[]) =>
  raw(
    `${line} HTTP/1.1\r\nHost: x\r\nConnection: ${headers.some((header) => header.startsWith('Upgrade')) ? 'Upgrade' : 'close'}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`,
  );
const upgrade = [
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const post = (path: string, body: string, ...headers: string[]) =>
  raw(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`,
  );

/** What → its answer; every status that the server has, over every way out. */
const answers: Record<string, [status: number, answer: () => Promise<Seen>]> = {
  'a GraphQL answer': [200, () => post('/graphql', '{"query":"{ __typename }"}')],
  'a GraphQL answer to somebody signed in': [
    200,
    () => post('/graphql', '{"query":"{ me { id } }"}', `Authorization: Bearer ${token}`),
  ],
  'a REST answer': [200, () => request('GET /api/v1/auth/me', `Authorization: Bearer ${token}`)],
  'a probe': [200, () => request('GET /api/v1/health/live')],
  'the documentation': [200, () => request('GET /docs/')],
  'a file of the documentation': [200, () => request('GET /docs/swagger-ui.css')],
  'no content': [204, () => request('OPTIONS /api/v1/auth/login')],
  'a preflight': [
    204,
    () => request('OPTIONS /graphql', 'Origin: https://app.example', 'Access-Control-Request-Method: POST'),
  ],
  'no JSON over GraphQL': [400, () => post('/graphql', '{')],
  'no JSON over REST': [400, () => post('/api/v1/auth/login', '{')],
  'no HTTP at all': [400, () => raw('hello\r\n\r\n')],
  'a handshake without a key': [
    400,
    () =>
      request(
        'GET /graphql',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: graphql-transport-ws',
      ),
  ],
  'a handshake for another protocol': [
    400,
    () => request('GET /graphql', ...upgrade, 'Sec-WebSocket-Protocol: soap'),
  ],
  'nobody known': [401, () => request('GET /api/v1/auth/me')],
  'a handshake from a foreign origin': [
    403,
    () =>
      request(
        'GET /graphql',
        ...upgrade,
        'Sec-WebSocket-Protocol: graphql-transport-ws',
        'Origin: https://evil.example',
      ),
  ],
  'nothing there': [404, () => request('GET /nothing')],
  'GraphiQL where it is off': [404, () => request('GET /graphql', 'Accept: text/html')],
  'a handshake elsewhere': [404, () => request('GET /nothing', 'Connection: close', ...upgrade)],
  'another method on GraphQL': [405, () => request('PUT /graphql')],
  'another method on REST': [405, () => request('DELETE /api/v1/auth/login')],
  'a method nobody knows': [405, () => request('FOO /graphql')],
  'a tunnel': [405, () => request('CONNECT x:443')],
  'a body too large for GraphQL': [
    413,
    () =>
      raw(
        `POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n`,
      ),
  ],
  'a body too large for REST': [
    413,
    () =>
      raw(
        `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n`,
      ),
  ],
  'a form': [
    415,
    () =>
      raw(
        'POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b',
      ),
  ],
  'headers too large': [431, () => raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`)],
  '2,000 headers': [
    431,
    () => raw(`GET / HTTP/1.1\r\nHost: x\r\n${'X-Many: aaaaaaaa\r\n'.repeat(2000)}\r\n`),
  ],
};

describe.each(Object.entries(answers))('%s', (what, [status, answer]) => {
  it(`is ${status} with every header, and nothing that names the software`, async () => {
    const seen = await answer();
    const { headers } = seen;
    expect([what, seen.status]).toEqual([what, status]);
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    for (const directive of [
      "default-src 'none'",
      "object-src 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ])
      expect(headers.get('content-security-policy')).toContain(directive);
    expect(headers.get('content-security-policy')).not.toMatch(/script-src[^;]*unsafe|https?:|\*/);
    // The documentation is the same for everybody.
    expect(headers.get('cache-control')).toBe(what.includes('documentation') ? 'no-cache' : 'no-store');
    expect(headers.get('vary')?.toLowerCase()).toContain('origin');
    expect(headers.get('x-correlation-id')).toMatch(/^[\w-]{36}$/);
    expect(headers.get('api-version')).toBe('1.0');
    expect([headers.get('server'), headers.get('x-powered-by')]).toEqual([undefined, undefined]);
    expect(seen.body).not.toMatch(/\n\s+at |node_modules|SELECT /);
    if (seen.body !== '' && seen.body !== '0\r\n\r\n' && status !== 200)
      expect(headers.get('content-type')).toMatch(/^application\/(problem\+)?json; charset=utf-8$/);
    if (status === 405) expect(headers.get('allow')).toMatch(/[A-Z]/);
    if (status === 401) expect(headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
  });
});

describe('the type of an answer', () => {
  it('is JSON with its charset, even if a browser asks for HTML', async () => {
    for (const path of [
      '/api/v1/auth/me',
      '/api/v1/health',
      '/.well-known/jwks.json',
      '/graphql',
      '/nothing',
    ]) {
      const { headers } = await server.rest('GET', path, { headers: { accept: 'text/html' } });
      expect([path, headers.get('content-type')]).toEqual([
        path,
        expect.stringMatching(/^application\/([\w-]+\+)?json; charset=utf-8$/),
      ]);
    }
  });
});

describe('other origins', () => {
  it.each([
    'https://evil.example',
    'null',
    'https://app.example.evil.com',
    'http://app.example',
    'https://APP.example',
    'https://app.example:8443',
  ])('are not let in as %s', async (origin) => {
    for (const path of ['/graphql', '/api/v1/auth/login', '/nothing']) {
      for (const method of ['OPTIONS', 'POST']) {
        const { headers } = await server.rest(method, path, {
          headers: { origin, 'access-control-request-method': 'POST' },
        });
        expect([path, method, headers.get('access-control-allow-origin')]).toEqual([path, method, null]);
        expect(headers.get('vary')).toMatch(/Origin/i);
      }
    }
  });

  it('are let in when they are on the list, by name and without credentials', async () => {
    const { headers } = await server.rest('POST', '/graphql', {
      headers: { origin: 'https://app.example' },
      body: { query: '{ __typename }' },
    });
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });
});

describe('what is not for everybody', () => {
  it('is not shown by health: no versions, hosts or settings', async () => {
    const { body } = await server.rest('GET', '/api/v1/health');
    expect(Object.keys(body).sort()).toEqual(['components', 'status', 'uptimeSeconds']);
    for (const component of Object.values(body.components) as object[])
      expect(Object.keys(component).sort()).toEqual(['latencyMs', 'status']);
  });

  it('is not at the usual places', async () => {
    for (const path of [
      '/.env',
      '/.git/config',
      '/debug',
      '/console',
      '/graphiql',
      '/playground',
      '/altair',
      '/package.json',
      '/docs/../package.json',
      '/docs/%2e%2e/package.json',
      '/docs/..%2f..%2fpackage.json',
    ]) {
      const { status, body } = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(body).not.toMatch(/dependencies|DATABASE_URL|\[core\]/);
      if (!path.startsWith('/docs')) expect([path, status]).toEqual([path, 404]);
    }
  });
});

describe('the address of a client', () => {
  it('is what the trusted proxy says, not what the client says before it', async () => {
    await server.rest('POST', '/api/v1/auth/login', {
      headers: {
        'x-forwarded-for': '6.6.6.6, 203.0.113.9',
        'x-real-ip': '7.7.7.7',
        forwarded: 'for=8.8.8.8',
        'x-client-ip': '9.9.9.9',
      },
      body: { email: admin.email, password: 'wrong wrong wrong' },
    });
    const [event] = await server.sql<{ ip: string }>(
      'SELECT ip FROM audit_events WHERE ip IS NOT NULL ORDER BY id DESC LIMIT 1',
    );
    expect(event?.ip).toMatch(/^203\.0\.113\.9/);
  });

  it('is the socket where no proxy is trusted', async () => {
    const direct = await startTestServer();
    await direct.rest('POST', '/api/v1/auth/login', {
      headers: { 'x-forwarded-for': '6.6.6.6' },
      body: { email: admin.email, password: 'wrong wrong wrong' },
    });
    const [event] = await direct.sql<{ ip: string }>(
      'SELECT ip FROM audit_events WHERE ip IS NOT NULL ORDER BY id DESC LIMIT 1',
    );
    expect(event?.ip).toMatch(/^127\.0\.0\.1/);
    await direct.close();
  });
});
