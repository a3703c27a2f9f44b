// Makes and compares the random secrets of sign-ins under way. Only their hashes are stored.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A random text of 256 bits, base64url. */
export const createSecret = (): string => randomBytes(32).toString('base64url');

const secretPattern = /^[A-Za-z0-9_-]{43}$/;
/** Whether a text may be one of {@link createSecret}. */
export const isSecret = (text: string | undefined): text is string =>
  text !== undefined && secretPattern.test(text);

/** The SHA-256 of a text in base64url; for a PKCE verifier its challenge (RFC 7636, S256). */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Whether two hashes are the same, in constant time. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
