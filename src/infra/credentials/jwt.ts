// Signed tokens (JWT): creates and verifies access, refresh and device tokens. Whether a session has ended is not known here.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { errors, exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { validate } from 'uuid';
import { AppError } from '../../core/errors.js';
import { entryLimit } from '../entry-limit.js';
import { isCanonicalJws, signJws } from './jws.js';

const algorithm = 'EdDSA';
/** Clock difference that is tolerated for nbf and iat; an expired token is expired. */
export const clockToleranceSeconds = 5;

interface TokenOptions {
  /** Private Ed25519 keys with kid; the first signs, all verify. */
  signingKeys: JWK[];
  issuer: string;
  audience: string;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Claims of an access token (RFC 9068). */
export interface AccessClaims {
  userId: string;
  sessionId: string;
}

/** Claims of a refresh token: a session and the number of its refreshes. */
export interface RefreshClaims {
  userId: string;
  sessionId: string;
  counter: number;
}

/** Claims of a device token: a user who has signed in on a device. */
export interface DeviceClaims {
  userId: string;
  deviceId: string;
}

/** When a token is issued and expires, in whole seconds since 1970. */
export interface Lifetime {
  issuedAt: number;
  expiresAt: number;
}

/** Creates and verifies tokens. */
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
  await importJWK(first, algorithm); // names the fault of an unusable key
  const signer = createPrivateKey({ key: { ...first }, format: 'jwk' });
  const publicKeys = signingKeys.map(publicPartOf);
  const keys = new Map(
    await Promise.all(publicKeys.map(async (key) => [key.kid, await importJWK(key, algorithm)] as const)),
  );
  const verifier = { keys, issuer, now };
  const issue: Issue = (typ, claims) =>
    signJws({ alg: algorithm, typ, kid: first.kid }, { ...claims, iss: issuer }, signer);
  return {
    /** Public keys for /.well-known/jwks.json. */
    jwks: { keys: publicKeys },
    ...accessTokens(verifier, issue, audience),
    ...refreshTokens(verifier, issue, `${audience}/refresh`),
    ...deviceTokens(verifier, issue, `${audience}/device`),
  };
}

type Issue = (typ: string, claims: Record<string, unknown>) => string;

interface Verifier {
  keys: ReadonlyMap<string | undefined, CryptoKey | KeyObject | Uint8Array>;
  issuer: string;
  now: () => number;
}

function accessTokens(verifier: Verifier, issue: Issue, audience: string) {
  // Verified tokens by their text: the hot path checks a signature once per token, not per request.
  const verified = new LRUCache<string, AccessClaims & { expiresAtMs: number }>(entryLimit(10_000));
  // Versions before the scopes of these sessions refuse this audience, instead of granting all that the account may do.
  const workloads = `${audience}/workload`;
  const signFor =
    (aud: string) =>
    ({ userId, sessionId, issuedAt, expiresAt }: AccessClaims & Lifetime): string =>
      issue('at+jwt', {
        sub: userId,
        aud,
        iat: issuedAt,
        exp: expiresAt,
        sid: sessionId,
        client_id: 'sec-tester',
        jti: crypto.randomUUID(),
      });
  return {
    /** An access token (`at+jwt`). */
    signAccess: signFor(audience),

    /** An access token of a workload. What it may do is kept with its session. */
    signWorkloadAccess: signFor(workloads),

    /** The claims of a token that was verified before and has not expired; undefined for any other. */
    recallAccess(token: string): (AccessClaims & { expiresAtMs: number }) | undefined {
      const cached = verified.get(token);
      return cached !== undefined && cached.expiresAtMs > verifier.now() ? cached : undefined;
    },

    /**
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED for any other fault
     */
    async verifyAccess(token: string): Promise<AccessClaims & { expiresAtMs: number }> {
      const cached = verified.get(token);
      if (cached !== undefined) {
        if (cached.expiresAtMs > verifier.now()) return cached;
        throw new AppError('TOKEN_EXPIRED');
      }
      const payload = await verify(verifier, token, 'at+jwt', [audience, workloads]);
      const claims = {
        userId: String(payload.sub),
        sessionId: String(payload.sid),
        expiresAtMs: Number(payload.exp) * 1000,
      };
      verified.set(token, claims);
      return claims;
    },
  };
}

function refreshTokens(verifier: Verifier, issue: Issue, audience: string) {
  return {
    /** A refresh token (`rt+jwt`): the same claims give the same text, so that a lost response can be repeated. */
    signRefresh: ({ userId, sessionId, counter, issuedAt, expiresAt }: RefreshClaims & Lifetime): string =>
      issue('rt+jwt', {
        sub: userId,
        aud: audience,
        iat: issuedAt,
        exp: expiresAt,
        sid: sessionId,
        ctr: counter,
        jti: `${sessionId}.${counter}`,
      }),

    /**
     * @throws TOKEN_EXPIRED
     * @throws UNAUTHENTICATED for any other fault
     */
    async verifyRefresh(token: string): Promise<RefreshClaims> {
      const payload = await verify(verifier, token, 'rt+jwt', audience);
      const counter = payload.ctr;
      if (typeof counter !== 'number' || !Number.isSafeInteger(counter) || counter < 0) throw invalidToken();
      return { userId: String(payload.sub), sessionId: String(payload.sid), counter };
    },
  };
}

function deviceTokens(verifier: Verifier, issue: Issue, audience: string) {
  return {
    /** A device token (`dt+jwt`): proof that the user has signed in on this device. It opens nothing by itself. */
    signDevice: ({ userId, deviceId, issuedAt, expiresAt }: DeviceClaims & Lifetime): string =>
      issue('dt+jwt', {
        sub: userId,
        aud: audience,
        iat: issuedAt,
        exp: expiresAt,
        sid: deviceId,
        jti: crypto.randomUUID(),
      }),

    /** The claims of a valid device token; undefined for any other text: an unknown device is nothing to report. */
    async verifyDevice(token: string): Promise<DeviceClaims | undefined> {
      const payload = await verify(verifier, token, 'dt+jwt', audience).catch(() => undefined);
      return payload && { userId: String(payload.sub), deviceId: String(payload.sid) };
    },
  };
}

async function verify(
  { keys, issuer, now }: Verifier,
  token: string,
  typ: string,
  audience: string | string[],
): Promise<JWTPayload> {
  if (!isCanonicalJws(token)) throw new AppError('UNAUTHENTICATED', { message: 'The token is malformed.' });
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => keys.get(kid ?? '') ?? Promise.reject(new errors.JWKSNoMatchingKey()),
      {
        algorithms: [algorithm],
        typ,
        issuer,
        audience,
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
    throw invalidToken(error);
  }
}

function invalidToken(cause?: unknown): AppError {
  return new AppError('UNAUTHENTICATED', { message: 'The token is not valid.', cause });
}

function publicPartOf({ kty, crv, x, kid }: JWK): JWK {
  return { kty, crv, x, kid, use: 'sig', alg: algorithm } as JWK;
}

const isUuid = (claim: unknown) => typeof claim === 'string' && validate(claim);
