// Signed tokens (JWT): making and verifying access and refresh tokens. Whether a session still lives is not known here.
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { errors, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { validate } from 'uuid';
import { AppError } from '../../core/errors.js';

const algorithm = 'EdDSA';
/** Difference between clocks that is forgiven for nbf and iat; an expired token is expired. */
export const clockToleranceSeconds = 5;

interface TokenOptions {
  /** Private Ed25519 keys with kid; the first signs, all verify. */
  signingKeys: JWK[];
  issuer: string;
  audience: string;
  now: () => number;
}

/** What an access token (RFC 9068) says. */
export interface AccessClaims {
  userId: string;
  sessionId: string;
}

/** What a refresh token says: a session and how often it was refreshed. */
export interface RefreshClaims {
  userId: string;
  sessionId: string;
  counter: number;
}

/** Tokens as the services see them. */
export type Tokens = Awaited<ReturnType<typeof createTokens>>;

/** A new private signing key as a JWK with kid. */
export async function generateSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kid: crypto.randomUUID(), use: 'sig', alg: algorithm };
}

/**
 * Imports the keys.
 * @throws Error when a key is unusable
 */
export async function createTokens({ signingKeys, issuer, audience, now }: TokenOptions) {
  const [first] = signingKeys;
  if (first?.kid === undefined) throw new Error('no signing key');
  await importJWK(first, algorithm); // it names what is wrong with a key
  const signer = createPrivateKey({ key: { ...first }, format: 'jwk' });
  const issue = (typ: string, claims: Record<string, unknown>) =>
    signJws({ alg: algorithm, typ, kid: first.kid }, { ...claims, iss: issuer }, signer);
  const publicKeys: JWK[] = signingKeys.map(
    ({ kty, crv, x, kid }) => ({ kty, crv, x, kid, use: 'sig', alg: algorithm }) as JWK,
  );
  const verifiers = new Map(
    await Promise.all(publicKeys.map(async (key) => [key.kid, await importJWK(key, algorithm)] as const)),
  );
  const refreshAudience = `${audience}/refresh`;
  // Verified tokens by their text, so that the hot path checks a signature once per token, not per request.
  const verified = new LRUCache<string, AccessClaims & { expiresAtMs: number }>({ max: 10_000 });

  async function verify(token: string, type: string, expectedAudience: string) {
    if (!isCanonicalJws(token)) throw new AppError('UNAUTHENTICATED', { message: 'The token is malformed.' });
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => verifiers.get(kid ?? '') ?? Promise.reject(new errors.JWKSNoMatchingKey()),
        {
          algorithms: [algorithm],
          typ: type,
          issuer,
          audience: expectedAudience,
          requiredClaims: ['exp', 'iat', 'sub', 'sid', 'jti'],
          currentDate: new Date(now()),
        },
      );
      if (Array.isArray(payload.aud) || (payload.iat ?? 0) * 1000 > now() + clockToleranceSeconds * 1000)
        throw new errors.JWTInvalid();
      if (!isUuid(payload.sub) || !isUuid(payload.sid)) throw new errors.JWTInvalid();
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new AppError('TOKEN_EXPIRED');
      throw new AppError('UNAUTHENTICATED', { message: 'The token is not valid.', cause: error });
    }
  }

  return {
    /** Public keys for /.well-known/jwks.json. */
    jwks: { keys: publicKeys },

    /** An access token (`at+jwt`). Times in whole seconds since 1970. */
    signAccess: (claims: AccessClaims & { issuedAt: number; expiresAt: number }): string =>
      issue('at+jwt', {
        ...{ sub: claims.userId, aud: audience, iat: claims.issuedAt, exp: claims.expiresAt },
        ...{ sid: claims.sessionId, client_id: 'sec-tester', jti: crypto.randomUUID() },
      }),

    /** A refresh token (`rt+jwt`): the same claims give the same text, so a lost answer can be repeated. */
    signRefresh: (claims: RefreshClaims & { issuedAt: number; expiresAt: number }): string =>
      issue('rt+jwt', {
        ...{ sub: claims.userId, aud: refreshAudience, iat: claims.issuedAt, exp: claims.expiresAt },
        ...{ sid: claims.sessionId, ctr: claims.counter, jti: `${claims.sessionId}.${claims.counter}` },
      }),

    /** What a token says that was verified before and has not expired; undefined for any other. */
    recallAccess(token: string): (AccessClaims & { expiresAtMs: number }) | undefined {
      const known = verified.get(token);
      return known !== undefined && known.expiresAtMs > now() ? known : undefined;
    },

    /**
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED for anything else that is wrong with it
     */
    async verifyAccess(token: string): Promise<AccessClaims & { expiresAtMs: number }> {
      const known = verified.get(token);
      if (known !== undefined) {
        if (known.expiresAtMs > now()) return known;
        throw new AppError('TOKEN_EXPIRED');
      }
      const payload = await verify(token, 'at+jwt', audience);
      const claims = {
        userId: String(payload.sub),
        sessionId: String(payload.sid),
        expiresAtMs: Number(payload.exp) * 1000,
      };
      verified.set(token, claims);
      return claims;
    },

    /**
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED for anything else that is wrong with it
     */
    async verifyRefresh(token: string): Promise<RefreshClaims> {
      const payload = await verify(token, 'rt+jwt', refreshAudience);
      const counter = payload.ctr;
      if (typeof counter !== 'number' || !Number.isSafeInteger(counter) || counter < 0)
        throw new AppError('UNAUTHENTICATED', { message: 'The token is not valid.' });
      return { userId: String(payload.sub), sessionId: String(payload.sid), counter };
    },
  };
}

/**
 * A compact JWS (RFC 7515) with Ed25519 (RFC 8037), made on this thread: jose would hand each signature to the thread
 * pool, which takes many times as long as the signing.
 */
function signJws(header: object, payload: object, key: KeyObject): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

const isUuid = (claim: unknown) => typeof claim === 'string' && validate(claim);

/** Three parts of canonical base64url: decoders are lax, and a second spelling of a token must not pass. */
function isCanonicalJws(token: string): boolean {
  const parts = token.split('.');
  return (
    token.length <= 4096 &&
    parts.length === 3 &&
    parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part)
  );
}
