// Tokens that were tampered with, and Authorization headers that are none.
import { createHmac, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { decodeJwt, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import { meWith, openSession } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const keyOf = (kid: string) => {
  const { kty, crv, x, d } = generateKeyPairSync('ed25519').privateKey.export({
    format: 'jwk',
  }) as JsonWebKey;
  return { kty, crv, x, d, kid } as JWK & { x: string; kid: string };
};
const signing = keyOf('signing');
const retired = keyOf('retired');

const server = await useServer({ JWT_SIGNING_KEYS: JSON.stringify([signing, retired]) });
const good = (await openSession(server)).accessToken;
const claims = decodeJwt(good);

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of the good one's session with other claims, header or key; undefined takes a claim out. */
async function forge(
  change: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: JWK = signing,
): Promise<string> {
  const payload = JSON.parse(JSON.stringify({ ...claims, jti: randomUUID(), ...change })) as JWTPayload;
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid as string, ...header })
    .sign(await importJWK(key, 'EdDSA'));
}

const seconds = () => Math.floor(server.clock.now() / 1000);

describe('an access token', () => {
  it('is taken when it is made with the first key or with any other of the set', async () => {
    expect(await meWith(server, await forge())).toBe('200');
    expect(await meWith(server, await forge({}, {}, retired))).toBe('200');
  });

  it('is refused with alg none, with or without a signature', async () => {
    const [, payload, signature] = good.split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = encode({ alg, typ: 'at+jwt', kid: signing.kid });
      for (const end of ['', signature]) {
        expect(await meWith(server, `${header}.${payload}.${end}`)).toBe('401 UNAUTHENTICATED');
      }
    }
  });

  it('is refused when it is signed by HMAC with the public key', async () => {
    const body = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: signing.kid })}.${good.split('.')[1]}`;
    for (const secret of [signing.x, Buffer.from(signing.x, 'base64url')]) {
      const signature = createHmac('sha256', secret).update(body).digest('base64url');
      expect(await meWith(server, `${body}.${signature}`)).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused when another key signed it, even if the header names the right one', async () => {
    const foreign = keyOf(signing.kid);
    const jwk = { kty: foreign.kty, crv: foreign.crv, x: foreign.x };
    for (const header of [
      {},
      { kid: 'unknown' },
      { kid: '../../etc/passwd' },
      { kid: '__proto__' },
      { jwk },
      { jku: 'http://127.0.0.1:1/keys.json' },
      { x5u: 'http://127.0.0.1:1/cert.pem' },
    ]) {
      expect(await meWith(server, await forge({}, header, foreign))).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused without a kid and with a kid that is no text', async () => {
    for (const kid of [undefined, 7, null, ['signing']]) {
      expect(await meWith(server, await forge({}, { kid }))).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused when its type is another', async () => {
    for (const typ of ['JWT', 'rt+jwt', 'at', undefined]) {
      expect(await meWith(server, await forge({}, { typ }))).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused for another audience or issuer', async () => {
    for (const change of [
      { aud: 'other' },
      { aud: 'sec-tester-api/refresh' },
      { aud: ['sec-tester-api', 'other'] },
      { aud: ['sec-tester-api'] },
      { iss: 'other' },
      { iss: '' },
    ]) {
      expect(await meWith(server, await forge(change))).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused when a claim is missing', async () => {
    for (const claim of ['iss', 'aud', 'sub', 'sid', 'iat', 'exp', 'jti']) {
      expect([claim, await meWith(server, await forge({ [claim]: undefined }))]).toEqual([
        claim,
        '401 UNAUTHENTICATED',
      ]);
    }
  });

  it('is refused before its time, and reported as expired after it', async () => {
    expect(await meWith(server, await forge({ iat: seconds() + 600 }))).toBe('401 UNAUTHENTICATED');
    expect(await meWith(server, await forge({ nbf: seconds() + 600 }))).toBe('401 UNAUTHENTICATED');
    expect(await meWith(server, await forge({ exp: seconds() - 1 }))).toBe('401 TOKEN_EXPIRED');
    expect(await meWith(server, await forge({ exp: 'soon' }))).toBe('401 UNAUTHENTICATED');
  });

  it('is refused for a session that is not there', async () => {
    expect(await meWith(server, await forge({ sid: randomUUID() }))).toBe('401 TOKEN_REVOKED');
  });

  it('is refused with a critical header that nobody knows', async () => {
    const [, payload, signature] = good.split('.');
    const header = encode({ alg: 'EdDSA', typ: 'at+jwt', kid: signing.kid, crit: ['x'], x: 1 });
    expect(await meWith(server, `${header}.${payload}.${signature}`)).toBe('401 UNAUTHENTICATED');
  });

  it('is refused when one character of any part is changed', async () => {
    const parts = good.split('.');
    for (const index of [0, 1, 2]) {
      const part = parts[index] as string;
      const changed = part.slice(0, 10) + (part[10] === 'A' ? 'B' : 'A') + part.slice(11);
      const token = parts.map((text, position) => (position === index ? changed : text)).join('.');
      expect(await meWith(server, token)).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused in a second spelling of the same bytes', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(good.at(-1) as string);
    const respelled = good.slice(0, -1) + alphabet[last ^ 1];
    const signature = (token: string) => Buffer.from(token.split('.')[2] as string, 'base64url');
    expect(signature(respelled)).toEqual(signature(good));
    for (const token of [respelled, `${good}=`, `${good}==`, `${good}.`, `.${good}`, `${good}.x`]) {
      expect(await meWith(server, token)).toBe('401 UNAUTHENTICATED');
    }
  });

  it('is refused when it is absurdly long', async () => {
    expect(await meWith(server, await forge({ extra: 'x'.repeat(5000) }))).toBe('401 UNAUTHENTICATED');
  });
});

describe('the Authorization header', () => {
  const me = (authorization: string) => server.rest('GET', '/api/v1/auth/me', { headers: { authorization } });

  it('may say bearer in any case', async () => {
    expect((await me(`bearer ${good}`)).status).toBe(200);
    expect((await me(`BEARER  ${good}`)).status).toBe(200);
  });

  it('is refused when it holds no bearer token, or several', async () => {
    for (const header of [
      '',
      'Bearer',
      `Basic ${good}`,
      good,
      `Bearer ${good} x`,
      `Bearer ${good},${good}`,
    ]) {
      const answer = await me(header);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe('UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });

  it('is refused in GraphQL too, with the status 401', async () => {
    for (const authorization of ['Bearer', 'Basic eDp5', 'Bearer x.y.z']) {
      const answer = await server.gql('{ me { id } }', {}, undefined, { authorization });
      answer.expectError('UNAUTHENTICATED');
      expect(answer.status).toBe(401);
    }
  });

  it('is what counts: a token in the address is ignored', async () => {
    const answer = await server.rest('GET', `/api/v1/auth/me?access_token=${good}`);
    expect(answer.body.code).toBe('UNAUTHENTICATED');
  });

  it('of an expired session and of an ended one differ in the challenge', async () => {
    const { accessToken } = await openSession(server);
    await server.rest('POST', '/api/v1/auth/logout', { token: accessToken });
    const answer = await server.rest('GET', '/api/v1/auth/me', { token: accessToken });
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });
});
