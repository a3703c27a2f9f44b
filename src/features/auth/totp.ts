// Time-based one-time passwords (TOTP, RFC 6238) and how their secrets are sealed for the database.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** Period of a code. */
export const periodSeconds = 30;
/** Steps before and after the current one whose codes are accepted: clocks differ. */
const window = 1;

/** The TOTP of a secret: six digits, SHA-1, 30 seconds, as authenticator apps expect. */
export function totpOf(secret: Buffer, issuer: string, label = ''): TOTP {
  return new TOTP({
    issuer,
    label,
    period: periodSeconds,
    digits: 6,
    algorithm: 'SHA1',
    secret: new Secret({ buffer: new Uint8Array(secret).buffer }),
  });
}

/** The time step whose code this is; undefined for a wrong code. */
export function stepOf(totp: TOTP, code: string, nowMs: number): number | undefined {
  const delta = totp.validate({ token: code, timestamp: nowMs, window });
  return delta === null ? undefined : Math.floor(nowMs / 1000 / periodSeconds) + delta;
}

/**
 * Seals a secret for the database. First byte: 0 for plain, 1 for AES-256-GCM (nonce, tag, text), bound to the user.
 * @param key 32 bytes; without it the secret stays plain
 */
export function sealSecret(userId: string, secret: Buffer, key: Buffer | undefined): Buffer {
  if (key === undefined) return Buffer.concat([Buffer.of(0), secret]);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(userId));
  const text = Buffer.concat([cipher.update(secret), cipher.final()]);
  return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), text]);
}

/** Opens a sealed secret. @throws Error when the key is missing or wrong */
export function unsealSecret(userId: string, sealed: Buffer, key: Buffer | undefined): Buffer {
  if (sealed[0] === 0) return sealed.subarray(1);
  if (key === undefined)
    throw new Error('SECOND_FACTOR_KEY is required: second factors are encrypted with it');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13))
    .setAAD(Buffer.from(userId))
    .setAuthTag(sealed.subarray(13, 29));
  return Buffer.concat([decipher.update(sealed.subarray(29)), decipher.final()]);
}
