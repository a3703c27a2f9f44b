// The compact JWS (RFC 7515): signing with Ed25519, and the one spelling that is accepted.
import { type KeyObject, sign } from 'node:crypto';

/**
 * A compact JWS with Ed25519 (RFC 8037), signed on this thread: jose hands each signature to the thread pool, which takes
 * many times as long as the signing.
 */
export function signJws(header: object, payload: object, key: KeyObject): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

/**
 * Whether a text is three parts of canonical base64url: decoders are lax, and a second spelling must not pass.
 * @param maxLength the longest text, in characters
 */
export function isCanonicalJws(token: string, maxLength = 4096): boolean {
  if (token.length > maxLength) return false;
  const parts = token.split('.');
  return (
    parts.length === 3 &&
    parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part)
  );
}
