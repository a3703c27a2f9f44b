// Attack: tokens that bring their own key, or point at one, by every header there is; the server must neither believe
// them nor fetch anything. The other tricks (alg none, HS256 with the public key, claims, spelling) are in
// tests/api/tokens.test.ts. ASVS 9.1.1, 9.1.2, 9.1.3, 9.2.1, 9.2.2.
import {
  createSign,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decodeJwt, type JWTPayload } from 'jose';
import { startTestServer, type TestServer } from '../harness.js';
import { openSession } from '../session-kit.js';

const pair = generateKeyPairSync('ed25519');
const { kty, crv, x, d } = pair.privateKey.export({ format: 'jwk' }) as JsonWebKey;
const attacker = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = 'only';

let server: TestServer;
let tokens: Awaited<ReturnType<typeof openSession>>;
let claims: JWTPayload;
let trap: Server;
let trapUrl: string;
let visits = 0;
beforeAll(async () => {
  server = await startTestServer({ JWT_SIGNING_KEYS: JSON.stringify([{ kty, crv, x, d, kid }]) });
  tokens = await openSession(server);
  claims = decodeJwt(tokens.accessToken);
  trap = createServer((_request, response) => {
    visits += 1;
    response.end(JSON.stringify({ keys: [{ ...attacker.publicKey.export({ format: 'jwk' }), kid }] }));
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys`;
});
afterAll(async () => {
  trap.close();
  await server.close();
});

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
