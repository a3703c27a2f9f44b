// What every answer has: correlation id, API version, security headers, CORS for those on the list.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const origin = 'https://app.example.com';
const server = await useServer({ CORS_ORIGINS: `${origin},http://localhost:5173` });
const token = await server.signIn();

const json = { 'content-type': 'application/json' };
const send = (path: string, init: RequestInit = {}): Promise<Response> => fetch(server.url + path, init);

/** One request for each status that is met without breaking the server. */
const requests: [status: number, path: string, init: RequestInit][] = [
  [200, '/api/v1/health/live', {}],
  [200, '/graphql', { method: 'POST', headers: json, body: '{"query":"{ __typename }"}' }],
  [200, '/api/v1/graphql', { method: 'POST', headers: json, body: '{"query":"{ __typename }"}' }],
  [200, '/docs/', {}],
  [200, '/.well-known/jwks.json', {}],
  [204, '/api/v1/auth/login', { method: 'OPTIONS' }],
  [400, '/graphql', { method: 'POST', headers: json, body: '{' }],
  [400, '/api/v1/auth/login', { method: 'POST', headers: json, body: '{' }],
  [401, '/api/v1/auth/me', {}],
  [
    401,
    '/graphql',
    { method: 'POST', headers: { ...json, authorization: 'Bearer x' }, body: '{"query":"{ __typename }"}' },
  ],
  [404, '/nothing/here', {}],
  [404, '/api/v1/auth/login/', { method: 'POST', headers: json, body: '{}' }],
  [404, '/API/v1/health', {}],
  [405, '/api/v1/health', { method: 'DELETE' }],
  [405, '/graphql', { method: 'DELETE' }],
  [413, '/api/v1/auth/login', { method: 'POST', headers: json, body: `"${'x'.repeat(200_000)}"` }],
  [415, '/api/v1/auth/login', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }],
  [415, '/graphql', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }],
];

describe('every answer', () => {
  it.each(requests)(
    'with the status %i of %s has the id, the version and the security headers',
    async (status, path, init) => {
      const response = await send(path, init);
      await response.arrayBuffer();
      expect(response.status).toBe(status);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'x-correlation-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
        'api-version': '1.0',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'content-security-policy': expect.stringMatching(/^default-src 'none'.*frame-ancestors 'none'/),
      });
      expect(response.headers.get('x-powered-by')).toBeNull();
      expect(response.headers.get('server')).toBeNull();
      expect(response.headers.get('etag') === null || path.startsWith('/docs')).toBe(true);
      const hasBody = ![204].includes(status);
      if (hasBody) expect(response.headers.get('content-type')).toMatch(/charset=utf-8/i);
      if (status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
      if (status === 405) expect(response.headers.get('allow')).toMatch(/GET/);
    },
  );

  it('that may hold something personal is not to be stored', async () => {
    for (const [path, init] of [
      ['/api/v1/auth/me', { headers: { authorization: `Bearer ${token}` } }],
      ['/api/v1/auth/login', { method: 'POST', headers: json, body: '{}' }],
      ['/graphql', { method: 'POST', headers: json, body: '{"query":"{ __typename }"}' }],
      ['/graphql', { method: 'POST', headers: json, body: '{' }],
    ] as const) {
      expect((await send(path, init)).headers.get('cache-control')).toBe('no-store');
    }
  });
});

describe('the correlation id', () => {
  const idOf = async (given: string, path = '/api/v1/health/live'): Promise<string | null> =>
    (await send(path, { headers: { 'x-correlation-id': given } })).headers.get('x-correlation-id');

  it('of a request is kept when it is valid, on every path', async () => {
    for (const path of ['/api/v1/health/live', '/graphql', '/docs/', '/nothing']) {
      expect(await idOf('Order-66_b.7', path)).toBe('Order-66_b.7');
    }
    expect(await idOf('x'.repeat(128))).toBe('x'.repeat(128));
  });

  it('of a request is replaced when it is not', async () => {
    for (const given of ['', 'a b', 'a"b', 'x'.repeat(129), 'a,b', 'é', '<script>', 'a/b']) {
      expect(await idOf(given)).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('stands in the body of an error and in the log line of the request', async () => {
    const headers = { 'x-correlation-id': 'find-me-1' };
    const rest = await server.rest('GET', '/nothing', { headers });
    expect(rest.body.correlationId).toBe('find-me-1');
    const graphql = await server.gql('query Findable { me { id } }', {}, undefined, {
      'x-correlation-id': 'find-me-2',
    });
    graphql.expectError('UNAUTHENTICATED');
    const lineOf = (id: string) =>
      server.logs.filter(({ correlationId, event }) => correlationId === id && event === 'request');
    await until(() => lineOf('find-me-2').length > 0, 'the line');
    expect(lineOf('find-me-1')).toEqual([
      expect.objectContaining({ method: 'GET', path: '/nothing', status: 404, ip: '127.0.0.1' }),
    ]);
    expect(lineOf('find-me-2')).toEqual([
      expect.objectContaining({
        path: '/graphql',
        operation: 'query Findable',
        durationMs: expect.any(Number),
      }),
    ]);
  });
});

describe('CORS', () => {
  const from = (given: string, init: RequestInit = {}) =>
    send('/api/v1/health/live', { ...init, headers: { ...init.headers, origin: given } });

  it('is answered for an origin on the list, by name', async () => {
    for (const allowed of [origin, 'http://localhost:5173']) {
      const { headers } = await from(allowed);
      expect(headers.get('access-control-allow-origin')).toBe(allowed);
      expect(headers.get('vary')).toContain('Origin');
      expect(headers.get('access-control-expose-headers')).toContain('X-Correlation-ID');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  it('is not answered for any other origin', async () => {
    for (const other of [
      'https://evil.example',
      'null',
      'https://app.example.com.evil.example',
      'http://app.example.com',
      'https://app.example.com:8443',
      'https://sub.app.example.com',
    ]) {
      const response = await from(other);
      expect([other, response.headers.get('access-control-allow-origin')]).toEqual([other, null]);
    }
  });

  it('preflights say what may be sent, on REST and GraphQL', async () => {
    for (const path of ['/api/v1/auth/login', '/graphql']) {
      const preflight = (given: string) =>
        send(path, {
          method: 'OPTIONS',
          headers: {
            origin: given,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization,content-type',
          },
        });
      const allowed = await preflight(origin);
      expect(allowed.status).toBe(204);
      expect(Object.fromEntries(allowed.headers)).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET,POST',
        'access-control-allow-headers':
          'Authorization,Content-Type,Content-Encoding,X-Correlation-ID,Accept-Version,Last-Event-ID',
        'access-control-max-age': '600',
      });
      expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('stands on errors too, so that a page can read them', async () => {
    const response = await send('/api/v1/auth/me', { headers: { origin } });
    expect(response.status).toBe(401);
    expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  });
});

describe('in production', () => {
  it('answers say to use TLS, and GraphiQL, introspection and suggestions are off', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = { ...privateKey.export({ format: 'jwk' }), kid: 'one' };
    const production = await startTestServer({
      NODE_ENV: 'production',
      JWT_SIGNING_KEYS: JSON.stringify([key]),
      ARGON2_MEMORY_KIB: '',
      ARGON2_ITERATIONS: '',
    });
    try {
      for (const path of ['/api/v1/health/live', '/nothing', '/api/v1/auth/me']) {
        const { headers } = await production.rest('GET', path);
        expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
      }
      const page = await fetch(`${production.url}/graphql`, { headers: { accept: 'text/html' } });
      expect(await page.text()).not.toContain('<html');
      const token = await production.signIn();
      for (const query of ['{ __schema { types { name } } }', '{ __type(name: "User") { name } }']) {
        (await production.gql(query)).expectError('UNAUTHENTICATED');
        (await production.gql(query, {}, token)).expectError('GRAPHQL_VALIDATION_FAILED');
      }
      const typo = await production.gql('{ mee { id } }', {}, token);
      expect(typo.expectError('GRAPHQL_VALIDATION_FAILED').message).not.toContain('Did you mean');
    } finally {
      await production.close();
    }
  });
});

describe('a key that is there twice', () => {
  const query = '"query":"{ __typename }"';
  const deep = (inner: string) => `${'{"a":'.repeat(150)}${inner}${'}'.repeat(150)}`;
  const ask = async (variables: string) => {
    const response = await send('/graphql', {
      method: 'POST',
      headers: json,
      body: `{${query},"variables":${variables}}`,
    });
    return { status: response.status, text: await response.text() };
  };

  it.each([
    ['within a variable', '{"v":{"x":1,"x":2}}'],
    ['within a list', '{"v":[{"x":1},{"x":1,"y":{"z":0,"z":0}}]}'],
    ['in another spelling', '{"v":{"x":1,"\\u0078":2}}'],
    ['with a colon in it', '{"v":{"a:":1,"a:":2}}'],
    ['with a colon in another spelling', '{"v":{"a:":1,"a\\u003A":"::"}}'],
    ['whose first value has escaped colons', '{"v":{"x":1,"x":"\\u003a\\u003a"}}'],
    ['deep within', deep('{"x":1,"x":2}')],
  ])('is refused %s', async (_where, variables) => {
    const { status, text } = await ask(variables);
    expect({ status, isTold: text.includes('has a key twice') }).toEqual({ status: 400, isTold: true });
  });

  it.each([
    ['the same key in two objects', '{"v":[{"x":1},{"x":2}],"w":{"x":{"x":3}}}'],
    ['colons in texts and keys', '{"v:":":::","w":{"a:b":["http://x","\\u003a"]}}'],
    ['a key that looks like one of a prototype', '{"v":{"__proto__":1,"constructor":2}}'],
    ['much that is nested', deep('{"x":1}')],
  ])('is not seen in %s', async (_what, variables) => {
    expect(await ask(variables)).toEqual({ status: 200, text: '{"data":{"__typename":"Query"}}' });
  });
});

it('sends each header once to a page of another origin', async () => {
  const ask = (headers: Record<string, string>) =>
    send('/graphql', {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${token}`, ...headers },
      body: '{"query":"{ me { id } }"}',
    });
  const [own, foreign] = [await ask({}), await ask({ origin })];
  const {
    'access-control-allow-origin': allowed,
    'access-control-expose-headers': exposed,
    ...rest
  } = Object.fromEntries(foreign.headers);
  expect({ allowed, isExposing: exposed?.includes('X-Correlation-ID') }).toEqual({
    allowed: origin,
    isExposing: true,
  });
  const changing = {
    'x-correlation-id': expect.any(String),
    date: expect.any(String),
  };
  expect(rest).toEqual({ ...Object.fromEntries(own.headers), ...changing });
});

it('answers requests that come in one piece each on its own, in their order', async () => {
  const bodies = ['{ a: __typename }', '{ b: __typename }', '{ c: __typename }'].map((query) =>
    JSON.stringify({ query }),
  );
  const text = bodies
    .map(
      (body, index) =>
        `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nX-Correlation-ID: r${index}\r\n${index === 2 ? 'Connection: close\r\n' : ''}\r\n${body}`,
    )
    .join('');
  const { text: answer, isClosed } = await sendRaw(server, text);
  expect(isClosed).toBe(true);
  const ids = [...answer.matchAll(/^x-correlation-id: (\w+)/gim)].map(([, id]) => id);
  const datas = [...answer.matchAll(/\{"data":.*?\}\}/g)].map(([data]) => data);
  expect({ ids, datas }).toEqual({
    ids: ['r0', 'r1', 'r2'],
    datas: ['a', 'b', 'c'].map((key) => `{"data":{"${key}":"Query"}}`),
  });
});

it('bodies of every size are answered on one connection, one after another and sent ahead', async () => {
  const sizes = [0, 10, 70_000, 0, 900_000, 65_536, 16_384, 300_000, 1];
  const text = sizes
    .map((size, index) => {
      const body = JSON.stringify({ query: '{ __typename }', variables: { a: 'x'.repeat(size) } });
      const path = index % 3 === 2 ? '/api/v1/auth/login' : '/graphql';
      const end = index === sizes.length - 1 ? 'Connection: close\r\n' : '';
      return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${end}\r\n${body}`;
    })
    .join('');
  const { text: answer, isClosed } = await sendRaw(server, text);
  expect(isClosed).toBe(true);
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  expect(statuses).toEqual(sizes.map((_, index) => (index % 3 === 2 ? 400 : 200)));
});
