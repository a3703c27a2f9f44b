// Time-based one-time passwords (TOTP, RFC 6238).
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
