// Verifies tokens of other issuers (RFC 7519, RFC 8725): signature, issuer, audience, times. It does not decide what they allow.
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { isOutage } from '../../core/errors.js';
import { isCanonicalJws } from '../credentials/jws.js';

/** Difference between the issuer's clock and ours that is tolerated, in seconds. */
export const issuerToleranceSeconds = 5 * 60;
/** Longest token of an issuer, in characters: those with many groups are long. */
export const maxIssuedTokenLength = 65_536;

/** Only signatures with a key pair: no secret, and not "none". */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Whether a claim can name a user or a session: sub has at most 255 characters, and PostgreSQL stores no NUL. */
export const isIdentifier = (claim: unknown): claim is string =>
  typeof claim === 'string' && /^\P{C}{1,255}$/u.test(claim);

/** Requirements on a token. */
export interface Expected {
  issuer: string;
  audience: string;
  keys: JWTVerifyGetKey;
  /** Milliseconds since 1970. */
  nowMs: number;
  /** Greatest age of a token, beyond the tolerance; any age that its own end allows, unless given. */
  maxAgeSeconds?: number;
  typ?: string;
}

/** A token that is not valid. Its message is for the log and the audit trail: clients must not learn which check failed. */
export class InvalidTokenError extends Error {}

/**
 * The claims of a valid token.
 * @throws InvalidTokenError
 * @throws UNAVAILABLE when the issuer's keys cannot be fetched
 */
export async function verifyIssued(token: string, expected: Expected): Promise<JWTPayload> {
  if (!isCanonicalJws(token, maxIssuedTokenLength)) throw new InvalidTokenError('malformed');
  const { issuer, audience, keys, nowMs, maxAgeSeconds, typ } = expected;
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms,
      issuer,
      audience,
      currentDate: new Date(nowMs),
      clockTolerance: issuerToleranceSeconds,
      requiredClaims: ['exp', 'iat'],
      ...(typ !== undefined && { typ }),
    });
    const ageSeconds = nowMs / 1000 - (payload.iat as number);
    if (ageSeconds < -issuerToleranceSeconds)
      throw new InvalidTokenError('issued in the future: a clock is wrong');
    if (maxAgeSeconds !== undefined && ageSeconds > maxAgeSeconds + issuerToleranceSeconds)
      throw new InvalidTokenError('issued too long ago: a clock is wrong');
    return payload;
  } catch (error) {
    if (error instanceof InvalidTokenError || isOutage(error)) throw error;
    throw new InvalidTokenError(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `wrong claim ${error.claim}`;
  if (error instanceof errors.JWKSNoMatchingKey) return 'no such key';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'no key id, and the issuer has several keys';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'wrong signature';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm not allowed';
  return 'malformed';
}
