// Attack: requests that two servers read differently (smuggling, doubled headers, parameters and keys), that never end,
// or that make a browser act for its user. ASVS 3.5.1, 3.5.2, 3.5.3, 4.1.4, 4.2.1, 15.3.6, 15.3.7.
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { openSignedInWire, sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0', RATE_LIMIT_PER_MINUTE: '0' });
const token = await server.signIn();

const body = '{"query":"{ __typename }"}';
const head = (...lines: string[]) =>
  ['POST /graphql HTTP/1.1', 'Host: x', 'Content-Type: application/json', ...lines, '', ''].join('\r\n');
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';

describe('a request whose end is not clear', () => {
  it.each([
    ['a length and chunks', head(`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked') + chunked],
    ['chunks and a length', head('Transfer-Encoding: chunked', 'Content-Length: 4') + chunked],
    ['two lengths', head(`Content-Length: ${body.length}`, 'Content-Length: 0') + body],
    ['two lengths in one', head(`Content-Length: ${body.length}, 0`) + body],
    ['a length with a sign', head(`Content-Length: +${body.length}`) + body],
    ['a length in hex', head('Content-Length: 0x1a') + body],
    ['an unknown coding', head('Transfer-Encoding: xchunked') + chunked],
    ['chunks that are not last', head('Transfer-Encoding: chunked, identity') + chunked],
    ['a blank before the colon', head('Transfer-Encoding : chunked') + chunked],
    ['a folded header', head('X-A: 1', ' Transfer-Encoding: chunked') + chunked],
    [
      'bare line feeds',
      `POST /graphql HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: ${body.length}\n\n${body}`,
    ],
    ['a bare carriage return', head('X-A: a\rTransfer-Encoding: chunked') + chunked],
    ['NUL in a header', head('X-A: a\0b', `Content-Length: ${body.length}`) + body],
    [
      'a chunk of a wrong size',
      `${head('Transfer-Encoding: chunked')}ffffffffffffffffff\r\n${body}\r\n0\r\n\r\n`,
    ],
    ['a chunk that is longer than told', `${head('Transfer-Encoding: chunked')}5\r\n${body}\r\n0\r\n\r\n`],
    ['no host', 'GET /api/v1/health/live HTTP/1.1\r\n\r\n'],
  ])('is 400 and the end of the connection: %s', async (_what, bytes) => {
    const { text, isClosed } = await sendRaw(server, bytes + smuggled);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(isClosed).toBe(true);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(text).toMatch(/x-content-type-options: nosniff/i);
  });
});

describe('what is there twice is refused', () => {
  const me = 'GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n';
  it('as an Authorization header, even if one of them is good', async () => {
    for (const [first, second] of [
      [`Bearer ${token}`, 'Bearer x'],
      ['Bearer x', `Bearer ${token}`],
      [`Bearer ${token}`, `Bearer ${token}`],
    ]) {
      const rest = await sendRaw(server, `${me}Authorization: ${first}\r\nauthorization: ${second}\r\n\r\n`);
      expect(rest.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"VALIDATION_FAILED"/);
      const graphql = await sendRaw(
        server,
        head(
          'Connection: close',
          `Content-Length: ${body.length}`,
          `Authorization: ${first}`,
          `AUTHORIZATION: ${second}`,
        ) + body,
      );
      expect(graphql.text).toMatch(/^HTTP\/1\.1 400 [\s\S]*"errors":\[/);
    }
  });

  it('as a host or content type', async () => {
    for (const header of ['Host: y', 'Content-Type: text/plain']) {
      const { text } = await sendRaw(
        server,
        head('Connection: close', `Content-Length: ${body.length}`, header) + body,
      );
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
    }
  });

  it('as a query parameter', async () => {
    for (const path of [
      '/graphql?query=%7Bme%7Bid%7D%7D&query=%7B__typename%7D',
      '/graphql?query=%7B__typename%7D&variables=%7B%7D&v%61riables=%7B%7D',
      '/api/v1/health?a=1&a=2',
    ]) {
      const { status, body: answer } = await server.rest('GET', path, {
        headers: { accept: 'application/json' },
      });
      expect([path, status]).toEqual([path, 400]);
      expect(JSON.stringify(answer)).toContain('VALIDATION_FAILED');
    }
  });

  it('as a key of JSON in the address, and what is no JSON there is refused too', async () => {
    for (const [name, text] of [
      ['variables', '{"a":1,"a":2}'],
      ['extensions', '{"a":[{"b":1,"\\u0062":2}]}'],
      ['variables', 'fin'],
      ['extensions', '{'],
      ['variables', '\0'],
      ['variables', '[]'],
      ['variables', '5'],
    ] as const) {
      const path = `/graphql?query=${encodeURIComponent('{ __typename }')}&${name}=${encodeURIComponent(text)}`;
      const { status, body: answer } = await server.rest('GET', path, {
        headers: { accept: 'application/json' },
      });
      expect([text, status, answer.errors[0].extensions.code]).toEqual([text, 400, 'VALIDATION_FAILED']);
    }
  });

  it('as a key of the body, at any depth, also when it is spelt differently', async () => {
    for (const text of [
      '{"query":"{ __typename }","query":"{ me { id } }"}',
      '{"query":"{ __typename }","qu\\u0065ry":"{ me { id } }"}',
      '{"query":"{ __typename }","variables":{"a":[{"b":1,"b":2}]}}',
    ]) {
      const { status, body: answer } = await server.rest('POST', '/graphql', { body: text });
      expect([text, status, answer.errors[0].extensions.code]).toEqual([text, 400, 'VALIDATION_FAILED']);
    }
    const login = `{"email":"${admin.email}","password":"x","password":"${admin.password}"}`;
    expect(await server.rest('POST', '/api/v1/auth/login', { body: login })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    });
  });

  it('as a key of a WebSocket message', async () => {
    const wire = await openSignedInWire(server, token);
    wire.send('{"id":"1","type":"subscribe","payload":{"query":"{ me { id } }","query":"{ __typename }"}}');
    expect(await wire.closed).toBe(4400);
  });

  it('but not when it only looks so', async () => {
    const text =
      '{"query":"query($f: ExecutionFilter, $g: ExecutionFilter) { a: executions(filter: $f) { totalCount } b: executions(filter: $g) { totalCount } }","variables":{"f":{"search":"\\",\\"search\\":\\\\"},"g":{"search":"{\\"key\\":1,\\"key\\":2}"}}}';
    expect((await server.rest('POST', '/graphql', { body: text, token })).body.errors).toBeUndefined();
  });
});

describe('a body', () => {
  const send = (bytes: BodyInit, type = 'application/json', headers = {}) =>
    fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': type, ...headers },
      body: bytes,
    });

  it('is UTF-8, and compressed only as it says', async () => {
    expect((await send(body, 'application/json; charset=utf-8')).status).toBe(200);
    expect((await send(body, 'application/json; charset="UTF-8"')).status).toBe(200);
    for (const charset of ['utf-16', 'iso-8859-1', 'utf-7'])
      expect((await send(body, `application/json; charset=${charset}`)).status).toBe(415);
    expect(
      (await send(new Uint8Array([...Buffer.from('{"query":"{ __typename }","x":"'), 0xff, 0x22, 0x7d])))
        .status,
    ).toBe(400);
    expect((await send(body, 'application/json', { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  it('of more than 1 MB is taken only from somebody signed in', async () => {
    const large = JSON.stringify({
      query: 'query($f: ExecutionFilter) { executions(filter: $f) { totalCount } }',
      variables: { f: { search: 'x'.repeat(1_500_000) } },
    });
    expect((await send(large)).status).toBe(413);
    expect((await send(large, 'application/json', { authorization: `Bearer ${token}` })).status).toBe(200); // the search is too long: VALIDATION_FAILED
    expect((await send(large, 'application/json', { authorization: 'Bearer x' })).status).toBe(401);
  });

  it('with keys of prototypes pollutes nothing', async () => {
    const evil = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}';
    for (const text of [
      `{"query":"{ __typename }",${evil}}`,
      `{"query":"{ __typename }","variables":{${evil}}}`,
      `{"query":"{ __typename }","extensions":{${evil}}}`,
    ])
      await send(text);
    for (const path of ['login', 'refresh', 'logout']) {
      const answer = await server.rest('POST', `/api/v1/auth/${path}`, { body: `{${evil}}`, token });
      expect([path, answer.status, answer.body.code]).toEqual([path, 400, 'VALIDATION_FAILED']);
    }
    await server.rest('GET', '/api/v1/health?__proto__[polluted]=1&constructor[prototype][polluted]=1');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('a page of another origin', () => {
  it('cannot send what a browser sends without asking', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain; application/json',
      'application/jsonx',
      undefined,
    ]) {
      for (const path of ['/graphql', '/api/v1/graphql', '/api/v1/auth/login']) {
        const response = await fetch(server.url + path, {
          method: 'POST',
          headers: type === undefined ? {} : { 'content-type': type },
          body: Buffer.from(body),
        });
        expect([path, type, response.status]).toEqual([path, type, 415]);
      }
    }
  });

  it('cannot change anything by GET, nor subscribe', async () => {
    for (const query of [
      'mutation { logout { revokedSessions } }',
      'query A { __typename } mutation B { logout { revokedSessions } }&operationName=B',
    ]) {
      const [text = '', more = ''] = query.split('&');
      const { status, headers } = await server.rest(
        'GET',
        `/graphql?query=${encodeURIComponent(text)}${more && `&${more}`}`,
        { token, headers: { accept: 'application/json' } },
      );
      expect([query, status]).toEqual([query, 405]);
      expect(headers.get('allow')).toContain('POST');
    }
    for (const path of ['login', 'refresh', 'logout']) {
      const { status, headers } = await server.rest('GET', `/api/v1/auth/${path}`, { token });
      expect([path, status, headers.get('allow')]).toEqual([path, 405, 'POST, OPTIONS']);
    }
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
  });

  it('has no cookie to ride on', async () => {
    const { headers } = await server.rest('POST', '/api/v1/auth/login', {
      body: { email: admin.email, password: admin.password },
    });
    expect(headers.get('set-cookie')).toBeNull();
  });
});

describe('a method', () => {
  it('that a path does not take is 405 with the ones that it takes', async () => {
    const { paths } = (await server.rest('GET', '/docs/openapi.json')).body as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, operations] of [
      ...Object.entries(paths),
      ['/graphql', { get: 1, post: 1 }],
      ['/docs/', { get: 1 }],
    ] as const) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'FOO']) {
        if (method.toLowerCase() in operations) continue;
        if (path === '/docs/' && method === 'FOO') continue; // 400: the parser knows no such method
        const { text } = await sendRaw(
          server,
          `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
        );
        expect([method, path, text.split('\r\n')[0]]).toEqual([
          method,
          path,
          'HTTP/1.1 405 Method Not Allowed',
        ]);
        const allow = /^allow: (.*)$/im.exec(text)?.[1] ?? '';
        for (const known of Object.keys(operations)) expect(allow).toContain(known.toUpperCase());
      }
    }
  });
});

describe('slow senders', () => {
  // How soon, and how long others wait meanwhile, is measured by faults F12.
  it('get 408 and are dropped, a thousand at once, while others are answered', async () => {
    const sockets: Socket[] = [];
    const ended = Array.from({ length: 1000 }, () => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () =>
        socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nX-'),
      );
      sockets.push(socket);
      let text = '';
      socket.setEncoding('latin1').on('error', () => {});
      socket.on('data', (chunk) => {
        text += chunk;
      });
      return new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
    });
    const dripping = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write('a');
    }, 1000);
    const seen = new Set<number>();
    let answered = 0;
    while (!sockets.every(({ destroyed }) => destroyed)) {
      const isBefore = sockets.every(({ destroyed }) => !destroyed);
      seen.add((await server.rest('GET', '/api/v1/health/live')).status);
      if (isBefore) answered += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    clearInterval(dripping);
    expect([...seen]).toEqual([200]);
    expect(answered).toBeGreaterThan(0);
    // A byte that crosses the answer makes the system throw away what was not read of it.
    const told = (await Promise.all(ended)).filter((text) => text !== '');
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((text) => !text.startsWith('HTTP/1.1 408 '))).toEqual([]);
  });
});
