// The contents of a workload's token, before and after its verification: its audience, its name among used ones, what the audit trail keeps.
import { createHash } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import { InvalidTokenError, issuerToleranceSeconds, maxIssuedTokenLength } from '../../infra/oidc/verify.js';
import { type ClaimPattern, claimText } from './claims.js';

/** Oldest token that is accepted, even one that ends later: used tokens must be remembered until then. */
export const maxAgeSeconds = 24 * 60 * 60;

/** The claims of a token that nothing has verified. @throws InvalidTokenError */
export function unprovedClaimsOf(token: string): JWTPayload {
  try {
    if (token.length > maxIssuedTokenLength) throw new Error('too long');
    return decodeJwt(token);
  } catch (error) {
    throw new InvalidTokenError('malformed', { cause: error });
  }
}

/** The only audience of a token: one that other services accept too could be passed on by them. */
export function audienceOf({ aud }: JWTPayload): string | undefined {
  const [only, another] = [aud].flat();
  return another === undefined ? only : undefined;
}

/** Names a token for ever: by its id or, where it has none, by what was signed. */
export function nameOf(token: string, { iss, jti }: JWTPayload): string {
  const signed = token.slice(0, token.lastIndexOf('.'));
  const id =
    typeof jti === 'string' && jti !== '' ? jti : createHash('sha256').update(signed).digest('base64url');
  return `workload ${iss} ${id}`;
}

/** For how long the token could be used again. */
export function secondsLeft({ exp = 0, iat = 0 }: JWTPayload, atMs: number): number {
  const end = Math.min(exp, iat + maxAgeSeconds) + issuerToleranceSeconds;
  return Math.max(1, Math.ceil(end - atMs / 1000) + 1);
}

/** A token in the audit trail: its subject, and the claims that the rule checked. */
export function described(claims: JWTPayload, patterns: readonly ClaimPattern[]): Record<string, unknown> {
  const names = new Set(['sub', ...patterns.map(({ claim }) => claim)]);
  return {
    issuer: claims.iss,
    claims: Object.fromEntries([...names].map((name) => [name, plain(claimText(claims, name))])),
  };
}

/** A text as PostgreSQL and the log take it. */
export const plain = (text: string | undefined): string | null =>
  text === undefined ? null : text.replace(/\p{C}/gu, '').slice(0, 300).toWellFormed();
