// Attack: tokens that bring their own key, or point at one, by every header there is; the server must neither believe
// them nor fetch anything; odd signatures, spellings, JSON and times; tokens used for another purpose. The other tricks
// (alg none, HS256 with the public key, claims) are in tests/api/auth/tokens.test.ts. ASVS 9.1.1, 9.1.2, 9.1.3, 9.2.1, 9.2.2.
import {
  createSign,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { openSession } from '../../kit/session.js';
import { atEnd, useServer } from '../../kit/use.js';

const pair = generateKeyPairSync('ed25519');
const { kty, crv, x, d } = pair.privateKey.export({ format: 'jwk' }) as JsonWebKey;
const attacker = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = 'only';

let visits = 0;
const server = await useServer({ JWT_SIGNING_KEYS: JSON.stringify([{ kty, crv, x, d, kid }]) });
const tokens = await openSession(server);
const claims = decodeJwt(tokens.accessToken);
const trap = createServer((_request, response) => {
  visits += 1;
  response.end(JSON.stringify({ keys: [{ ...attacker.publicKey.export({ format: 'jwk' }), kid }] }));
});
atEnd(() => trap.close());
await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
const trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys`;

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
function forge(
  header: Record<string, unknown>,
  key: KeyObject = attacker.privateKey,
  change: object = {},
): string {
  const body = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })}.${encode({ ...claims, jti: randomUUID(), ...change })}`;
  const alg = String(header.alg ?? 'EdDSA');
  const signature = /^ed/i.test(alg)
    ? sign(null, Buffer.from(body), key)
    : createSign('sha256').update(body).sign({ key, dsaEncoding: 'ieee-p1363' });
  return `${body}.${signature.toString('base64url')}`;
}

/** What the token gets over REST, GraphQL over HTTP and GraphQL's event stream. */
async function statuses(token: string): Promise<number[]> {
  const rest = await server.rest('GET', '/api/v1/auth/me', { token });
  const graphql = await server.gql('{ me { id } }', {}, token);
  return [rest.status, graphql.status];
}

it('the way of signing used here makes good tokens', async () => {
  expect(await statuses(forge({}, pair.privateKey))).toEqual([200, 200]);
});

it('a key in the token, or the way to one, is not believed and not followed', async () => {
  const jwk = attacker.publicKey.export({ format: 'jwk' });
  for (const header of [
    { jwk },
    { jwk, kid: undefined },
    { jku: trapUrl },
    { jku: trapUrl, kid: 'theirs' },
    { x5u: trapUrl },
    { x5c: ['MIIB'] },
    { x5t: 'AAAA', 'x5t#S256': 'AAAA' },
    { kid: trapUrl },
    { kid: '/dev/null' },
    { kid: '../../../../etc/passwd' },
    { kid: "' UNION SELECT 'AAAA" },
    { kid: '|id' },
    { kid: '__proto__' },
    { kid: 'constructor' },
    { kid: { toString: kid } },
    { kid: [kid] },
    { crit: ['b64'], b64: false },
    { zip: 'DEF' },
    { cty: 'JWT' },
  ]) {
    expect([header, await statuses(forge(header))]).toEqual([header, [401, 401]]);
  }
  expect(visits).toBe(0);
});

it('another algorithm is not taken, even with a good signature of its own', async () => {
  expect(await statuses(forge({ alg: 'RS256' }, rsa.privateKey))).toEqual([401, 401]);
  expect(await statuses(forge({ alg: 'ES256' }, ec.privateKey))).toEqual([401, 401]);
  for (const alg of ['eddsa', 'EdDSA ', 'Ed448', 'EdDSA\0']) {
    expect([alg, await statuses(forge({ alg }, pair.privateKey))]).toEqual([alg, [401, 401]]);
  }
});

it('a token of another purpose is not taken', async () => {
  expect(await statuses(tokens.refreshToken)).toEqual([401, 401]);
  const atRefresh = await server.rest('POST', '/api/v1/auth/refresh', {
    body: { refreshToken: tokens.accessToken },
  });
  expect(atRefresh.status).toBe(401);
  for (const typ of ['JWT', 'rt+jwt', 'AT+JWT2', 'id+jwt', undefined]) {
    expect([typ, await statuses(forge({ typ }, pair.privateKey))]).toEqual([typ, [401, 401]]);
  }
});

it('times are kept to the second, with 5 seconds of grace for clocks that are slow', async () => {
  const now = () => Math.floor(server.clock.now() / 1000);
  expect(await statuses(forge({}, pair.privateKey, { exp: now() - 1 }))).toEqual([401, 401]);
  expect(await statuses(forge({}, pair.privateKey, { nbf: now() + 600 }))).toEqual([401, 401]);
  expect(await statuses(forge({}, pair.privateKey, { nbf: now() + 31 }))).toEqual([401, 401]);
  expect(await statuses(forge({}, pair.privateKey, { nbf: now() - 1 }))).toEqual([200, 200]);
});

/** Claims and header as text, so that JSON may be odd; signed with the server's own key. */
function signed(header: string, payload: string): string {
  const body = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  return `${body}.${sign(null, Buffer.from(body), pair.privateKey).toString('base64url')}`;
}
const plainHeader = JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt', kid });

it('a signature that is empty, of zeros, cut, padded or of another form is none', async () => {
  const [header = '', payload = '', signature = ''] = tokens.accessToken.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  // S + L: the same signature to who does not check that S is small (RFC 8032, 5.1.7).
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
  const more = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  for (const forged of [
    Buffer.alloc(0),
    Buffer.alloc(64),
    bytes.subarray(0, 63),
    Buffer.concat([bytes, Buffer.of(0)]),
    Buffer.concat([bytes, bytes]),
    Buffer.concat([bytes.subarray(0, 32), more]),
    Buffer.from([0x30, 0x44, 0x02, 0x20, ...bytes.subarray(0, 32), 0x02, 0x20, ...bytes.subarray(32)]),
    Buffer.concat([Buffer.of(1), Buffer.alloc(63)]),
  ]) {
    const token = `${header}.${payload}.${forged.toString('base64url')}`;
    expect([forged.toString('hex'), await statuses(token)]).toEqual([forged.toString('hex'), [401, 401]]);
  }
});

it('spellings that a lax reader takes for the same token are refused', async () => {
  const [header = '', payload = '', signature = ''] = tokens.accessToken.split('.');
  const standard = (text: string) => text.replaceAll('-', '+').replaceAll('_', '/');
  const percent = (text: string) => `%${text.charCodeAt(0).toString(16)}${text.slice(1)}`;
  for (const token of [
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}==.${signature}`,
    `${header}.${payload}.${signature}=`,
    `${header}.${payload}.${signature}!`,
    `${header}.${payload}.${signature}.`,
    `${header}..${payload}.${signature}`,
    `${header}.${payload}.${signature}.${signature}.${signature}`,
    `${header}.${payload}.${standard(signature)}~`,
    `${percent(header)}.${payload}.${signature}`,
    `${header}\t.${payload}.${signature}`,
    `"${tokens.accessToken}"`,
    Buffer.from(JSON.stringify({ payload, protected: header, signature })).toString('base64url'),
  ]) {
    expect([token, await statuses(token)]).toEqual([token, [401, 401]]);
  }
});

it('a header or claims that are no plain JSON object are refused, signed or not', async () => {
  const text = JSON.stringify(claims);
  expect(await statuses(signed(plainHeader, text))).toEqual([200, 200]);
  for (const [header, payload] of [
    ['[]', text],
    ['null', text],
    ['{}', text],
    ['{"alg":"EdDSA"', text],
    [plainHeader, '[]'],
    [plainHeader, 'null'],
    [plainHeader, '"text"'],
    [plainHeader, `${text}x`],
    [plainHeader.replace('"EdDSA"', '["EdDSA"]'), text],
    [plainHeader.replace('"alg"', '"ALG"'), text],
    [plainHeader.replace('{', '{"__proto__":{"alg":"EdDSA"},').replace('"alg":"EdDSA",', ''), text],
    // Of two keys the last counts: it must be the one that is checked.
    [plainHeader.replace('}', ',"alg":"none"}'), text],
    [plainHeader.replace('}', ',"typ":"rt+jwt"}'), text],
    [plainHeader, text.replace(/}$/, ',"aud":"other"}')],
    [plainHeader, text.replace(/}$/, ',"exp":1}')],
  ] as const) {
    expect([header, payload, await statuses(signed(header, payload))]).toEqual([header, payload, [401, 401]]);
  }
});

it('a token that ends never, or at no time, is refused; as is one for nobody', async () => {
  for (const change of [
    { exp: undefined },
    { exp: null },
    { exp: true },
    { exp: '9999999999' },
    { exp: [9999999999] },
    { exp: -1 },
    { exp: 0 },
    { nbf: '0' },
    { iat: '0' },
    { sub: undefined },
    { sid: undefined },
    { sid: '../1' },
    { sid: "' OR 1=1" },
    { sid: { $ne: null } },
    { sid: null },
  ]) {
    const [rest, graphql] = await statuses(forge({}, pair.privateKey, change));
    expect([change, rest, graphql]).toEqual([change, 401, 401]);
  }
});

it('a refresh token that counts oddly is refused', async () => {
  const plain = decodeJwt(tokens.refreshToken);
  const refreshWith = (ctr: unknown) =>
    server.rest('POST', '/api/v1/auth/refresh', {
      body: { refreshToken: forge({ typ: 'rt+jwt' }, pair.privateKey, { ...plain, ctr }) },
    });
  for (const ctr of [undefined, null, '0', -1, 0.5, 1e300, [0], { $gt: 0 }, true])
    expect([ctr, (await refreshWith(ctr)).status]).toEqual([ctr, 401]);
  expect((await refreshWith(0)).status).toBe(200);
});

it('a token larger than 4 kB is refused before it is decoded, at each endpoint', async () => {
  const huge = forge({}, pair.privateKey, { padding: 'x'.repeat(6000) });
  expect(await statuses(huge)).toEqual([401, 401]);
  const { status } = await server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken: huge } });
  expect(status).toBe(400);
});

it('refresh tokens, invitations and API keys do not stand in for each other', async () => {
  const { accessToken, refreshToken } = await openSession(server);
  const answer = await server.change(
    'createUser',
    { email: 'invited@people.test', name: 'Invited', role: 'VIEWER' },
    'invitation { token }',
    accessToken,
  );
  const invitation = answer.expectData().createUser.invitation.token as string;
  const expiresAt = new Date(server.clock.now() + 86_400_000).toISOString();
  const made = await server.change(
    'createApiKey',
    { name: 'Key', scopes: ['profile:read'], expiresAt },
    'secret',
    accessToken,
  );
  const key = made.expectData().createApiKey.secret as string;
  const doors: Record<string, (text: string) => Promise<number>> = {
    bearer: async (text) => (await statuses(text))[0] as number,
    refresh: async (text) =>
      (await server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken: text } })).status,
    invitation: async (text) =>
      (
        await server.rest('POST', '/api/v1/auth/password', {
          body: { token: text, newPassword: 'vellum orbit cactus 19' },
        })
      ).status,
  };
  for (const [door, good] of [
    ['bearer', [accessToken, key]],
    ['refresh', [refreshToken]],
    ['invitation', [invitation]],
  ] as const) {
    for (const text of [accessToken, refreshToken, invitation, key]) {
      if ((good as readonly string[]).includes(text)) continue;
      const status = await doors[door]?.(text);
      expect([door, text.slice(0, 12), [400, 401].includes(status as number)]).toEqual([
        ...[door, text.slice(0, 12), true],
      ]);
    }
  }
  expect(await doors.bearer?.(accessToken)).toBe(200);
  expect(await doors.bearer?.(key)).toBe(200);
  expect(await doors.invitation?.(invitation)).toBe(200);
  expect(await doors.refresh?.(refreshToken)).toBe(200);
});
