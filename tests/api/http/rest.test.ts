// REST as scripts meet it: problems (RFC 9457) for what is wrong, and bodies that fit openapi.yaml.
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { admin } from '../../kit/harness.js';
import { openapi } from '../../kit/openapi.js';
import { openSession, refresh, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

describe('auth', () => {
  it('login, refresh, me and logout answer as documented', async () => {
    const login = await tryLogin(server, admin.email, admin.password);
    expect(login.body).toEqual({
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: 900,
      refreshExpiresIn: expect.any(Number),
      deviceToken: expect.any(String),
      user: {
        id: expect.stringMatching(/^usr_/),
        email: admin.email,
        name: 'Administrator',
        role: 'ADMIN',
        status: 'ACTIVE',
        lastLoginAt: expect.stringMatching(/Z$/),
        createdAt: expect.stringMatching(/Z$/),
        updatedAt: expect.stringMatching(/Z$/),
      },
    });
    // Counted from the moment of the answer, a second later at times.
    expect([604_799, 604_800]).toContain(login.body.refreshExpiresIn);
    const refreshed = await refresh(server, login.body.refreshToken);
    const own = refreshed.body.accessToken;
    const me = await server.rest('GET', '/api/v1/auth/me', { token: own });
    expect(me.body).toEqual(login.body.user);
    const logout = await server.rest('POST', '/api/v1/auth/logout', { token: own });
    expect(logout.body).toEqual({ revokedSessions: 1 });
  });

  it('logout takes no body, an empty object, or everywhere', async () => {
    for (const [body, ended] of [
      [undefined, 1],
      [{}, 1],
      [{ everywhere: null }, 1],
      [{ everywhere: false }, 1],
    ] as const) {
      const { accessToken } = await openSession(server);
      const answer = await server.rest('POST', '/api/v1/auth/logout', {
        token: accessToken,
        ...(body && { body }),
      });
      expect(answer.body).toEqual({ revokedSessions: ended });
    }
    for (const body of [{ everywhere: 'yes' }, { somewhere: true }, [], 'x']) {
      const answer = await server.rest('POST', '/api/v1/auth/logout', { token, body });
      expect([body, answer.body.code]).toEqual([body, 'VALIDATION_FAILED']);
    }
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
  });

  it('the key set answers as documented', async () => {
    const { status, body } = await server.rest('GET', '/.well-known/jwks.json');
    expect([status, body.keys.length]).toEqual([200, 1]);
  });
});

describe('a problem', () => {
  it('has type, title, status, detail, instance, code and correlation id, and fits openapi.yaml', async () => {
    const answer = await server.rest('POST', '/api/v1/auth/login', { body: { email: 'x' } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Validation failed',
      status: 400,
      detail: expect.stringMatching(/^email: /),
      instance: '/api/v1/auth/login',
      code: 'VALIDATION_FAILED',
      correlationId: answer.headers.get('x-correlation-id'),
      errors: [
        { path: 'email', message: expect.any(String) },
        { path: 'password', message: expect.any(String) },
      ],
    });
  });

  const post = (body: string, headers: Record<string, string> = {}) =>
    server.rest('POST', '/api/v1/auth/login', { body, headers });

  it('400: the body is no JSON, no object, or broken text', async () => {
    for (const body of ['', '{', 'null', '[]', '"x"', '7', '{"email":"a@b.test","password":"\\u0000"}']) {
      const answer = await post(body);
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'VALIDATION_FAILED']);
    }
    for (const text of ['a\ud800', 'a\u0000']) {
      const answer = await tryLogin(server, admin.email, text);
      expect(answer.body.errors).toEqual([expect.objectContaining({ path: 'password' })]);
    }
  });

  it('401: no sign-in, with a challenge', async () => {
    for (const [method, path] of [
      ['GET', '/api/v1/auth/me'],
      ['POST', '/api/v1/auth/logout'],
    ] as const) {
      const answer = await server.rest(method, path);
      expect([answer.status, answer.body.code]).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="sec-tester"');
    }
    expect((await tryLogin(server, admin.email, 'wrong')).status).toBe(401);
    expect((await refresh(server, 'wrong')).status).toBe(401);
  });

  it('404: nothing at this path, in any method and spelling', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/api/v1'],
      ['POST', '/api/v1/users'],
      ['GET', '/api/v1/health/'],
      ['GET', '/api/v1/Health'],
      ['GET', '/api/v1/%2e%2e/health/x'],
      ['GET', '/%E0%A4%A'],
      ['GET', '/graphql/'],
    ] as const) {
      const answer = await server.rest(method, path);
      expect([path, answer.status, answer.body.code]).toEqual([path, 404, 'NOT_FOUND']);
    }
  });

  it('405: another method, with the allowed ones', async () => {
    for (const [method, path, allow] of [
      ['GET', '/api/v1/auth/login', 'POST, OPTIONS'],
      ['DELETE', '/api/v1/auth/me', 'GET, HEAD, OPTIONS'],
      ['GET', '/api/v1/auth/logout', 'POST, OPTIONS'],
      ['PUT', '/api/v1/health', 'GET, HEAD, OPTIONS'],
    ] as const) {
      const answer = await server.rest(method, path);
      expect([answer.status, answer.body.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });

  it('413: a body that is too large', async () => {
    const answer = await post(JSON.stringify({ email: admin.email, password: 'x'.repeat(150_000) }));
    expect([answer.status, answer.body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('415: a body that is no JSON by its type, encoding or charset', async () => {
    const body = JSON.stringify({ email: admin.email, password: admin.password });
    const refused: Record<string, string>[] = [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'application/jsonp' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-encoding': 'compress' },
    ];
    for (const headers of refused) {
      const answer = await post(body, headers);
      expect([headers, answer.status, answer.body.code]).toEqual([headers, 415, 'UNSUPPORTED_MEDIA_TYPE']);
    }
  });
});

describe('methods that only ask', () => {
  it('HEAD answers like GET without a body', async () => {
    const answer = await server.rest('HEAD', '/api/v1/auth/me', { token });
    expect([answer.status, answer.body]).toEqual([200, '']);
    expect((await server.rest('HEAD', '/api/v1/auth/me')).status).toBe(401);
  });

  it('HEAD answers like GET for GraphQL and both pages too', async () => {
    for (const [path, accept] of [
      ['/graphql?query=%7B__typename%7D', 'application/json'],
      ['/graphql', 'text/html'],
      ['/docs/', 'text/html'],
    ] as const) {
      const [get, head] = [
        await server.rest('GET', path, { headers: { accept } }),
        await server.rest('HEAD', path, { headers: { accept } }),
      ];
      expect([path, head.status, head.body]).toEqual([path, 200, '']);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(get.body).not.toBe('');
    }
    const mutation = `/graphql?query=${encodeURIComponent('mutation { logout { revokedSessions } }')}`;
    expect((await server.rest('HEAD', mutation, { token })).status).toBe(405);
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
  });

  it('HEAD is refused where there is no GET', async () => {
    const answer = await server.rest('HEAD', '/api/v1/auth/login');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  it('OPTIONS tells the methods of a path, and that there is none', async () => {
    for (const [path, status, allow] of [
      ['/api/v1/auth/me', 204, 'GET, HEAD, OPTIONS'],
      ['/api/v1/auth/login', 204, 'POST, OPTIONS'],
      ['/docs', 204, 'GET, HEAD, OPTIONS'],
      ['/nothing', 404, null],
    ] as const) {
      const answer = await server.rest('OPTIONS', path);
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, status, allow]);
    }
  });
});

describe('the challenge (RFC 6750)', () => {
  const challengeOf = async (authorization?: string, path = '/api/v1/auth/me') => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const { status, headers: given } = await server.rest('GET', path, { headers });
    return [status, given.get('www-authenticate')];
  };

  it('names no error when no token came', async () => {
    const bare = [401, 'Bearer realm="sec-tester"'];
    expect(await challengeOf()).toEqual(bare);
    expect(await challengeOf('Basic YTpi')).toEqual(bare);
  });

  it('says invalid_token of one that is malformed, forged or over, in REST and GraphQL', async () => {
    const { accessToken } = await openSession(server);
    await server.rest('POST', '/api/v1/auth/logout', { token: accessToken });
    for (const wrong of ['x', 'a.b.c', 'stk_none_none', accessToken]) {
      const challenge = [
        401,
        expect.stringMatching(
          /^Bearer realm="sec-tester", error="invalid_token", error_description="[^"]+"$/,
        ),
      ];
      expect([wrong, await challengeOf(`Bearer ${wrong}`)]).toEqual([wrong, challenge]);
      const graphql = await server.gql('{ me { id } }', {}, wrong);
      expect([graphql.status, graphql.headers.get('www-authenticate')]).toEqual(challenge);
    }
  });

  it('says insufficient_scope of a key that may not', async () => {
    const made = await server.change(
      'createApiKey',
      {
        ...{ name: 'narrow', scopes: ['execution:read'] },
        expiresAt: new Date(server.clock.now() + 86_400_000).toISOString(),
      },
      'secret',
      await server.signIn(),
    );
    expect(await challengeOf(`Bearer ${made.expectData().createApiKey.secret}`)).toEqual([
      403,
      expect.stringContaining('error="insufficient_scope"'),
    ]);
  });

  it('finds no fault with a stale token at sign-in', async () => {
    const answer = await server.rest('POST', '/api/v1/auth/login', {
      ...{ token: 'stale', body: { email: admin.email, password: 'wrong' } },
    });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="sec-tester"');
  });
});

describe('the docs', () => {
  it('are a page whose assets all come from here', async () => {
    const page = await server.rest('GET', '/docs/');
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.body).toContain('<title>SEC-TESTER API</title>');
    const assets = [...(page.body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, url]) => url as string,
    );
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      expect(asset).toMatch(/^\.\//);
      const answer = await server.rest('GET', `/docs/${asset.slice(2)}`);
      expect([asset, answer.status]).toEqual([asset, 200]);
      expect(String(answer.body).length).toBeGreaterThan(100);
    }
    expect((await server.rest('GET', '/docs')).status).toBe(200);
    for (const file of ['index.html', 'package.json', 'swagger-initializer.js', 'nothing']) {
      expect([file, (await server.rest('GET', `/docs/${file}`)).body.code]).toEqual([file, 'NOT_FOUND']);
    }
  });

  it('and GraphiQL are not sent again to a browser that has them', async () => {
    for (const path of ['/docs/swagger-ui-bundle.js', '/graphql']) {
      const first = await fetch(server.url + path, { headers: { accept: 'text/html' } });
      expect((await first.text()).length).toBeGreaterThan(500_000);
      const etag = first.headers.get('etag') as string;
      expect(first.headers.get('cache-control')).toBe('no-cache');
      const headers = { accept: 'text/html', 'if-none-match': etag, 'cache-control': 'max-age=0' };
      const again = await fetch(server.url + path, { headers });
      expect([path, again.status]).toEqual([path, 304]);
    }
    const plain = { accept: 'text/html', 'accept-encoding': 'identity' };
    const unzipped = await fetch(`${server.url}/graphql`, { headers: plain });
    expect(unzipped.headers.get('content-encoding')).toBeNull();
    expect(await unzipped.text()).toContain('</html>');
  });

  it('show the document that stands in openapi.yaml, with a link to this server', async () => {
    const [server0] = openapi.servers;
    const expected = { ...openapi, servers: [{ ...server0, url: '..' }] };
    const json = await server.rest('GET', '/docs/openapi.json');
    expect(json.body).toEqual(expected);
    const yaml = await server.rest('GET', '/docs/openapi.yaml');
    expect(yaml.headers.get('content-type')).toMatch(/^application\/yaml/);
    expect(parse(yaml.body)).toEqual(expected);
  });
});
