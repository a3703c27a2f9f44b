// Exchanges the one-time code of a sign-in at an identity provider for a session, with the second factor where the user has one.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { hashOf, isSameHash, isSecret } from '../../infra/credentials/one-time-secret.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuthTokens } from '../auth/auth.service.js';
import type { SecondFactorProof } from '../auth/sign-in.service.js';
import type { PasskeyProof } from '../passkey/passkey.input.js';
import type { Opened, OpeningService } from '../session/create-session.service.js';
import { findCode, type StoredCode, takingOf } from './states.js';

/** Dependencies of exchanging codes. */
export interface RedemptionOptions {
  db: Database;
  opening: OpeningService;
  /** Makes the tokens of a session. */
  issue: (opened: Opened) => AuthTokens;
  /** Takes the user's second factor, within the limits on guessing. @throws INVALID_CREDENTIALS */
  proveSecondFactor: (account: { id: string; email: string }, factor: SecondFactorProof) => Promise<void>;
  /** The owner of the device that a token proves; undefined for any text that is no device token. */
  verifyDevice: (token: string) => Promise<{ userId: string } | undefined>;
  /** Attempts by address. */
  addresses: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A one-time code, and what it is bound to: the PKCE verifier, the second factor; and the device that the caller knows. */
export interface RedeemInput {
  code: string;
  codeVerifier?: string | null | undefined;
  secondFactorCode?: string | null | undefined;
  passkey?: PasskeyProof | null | undefined;
  deviceToken?: string | null | undefined;
}

/**
 * Exchanges a code. One that waits for a second factor stays valid until that is right.
 * @param secret the secret in the browser's cookie
 * @param viewer the signed-in caller, whose session ends
 * @param onRefusal records a code that cannot be used
 * @throws UNAUTHENTICATED for a code that cannot be used
 * @throws SECOND_FACTOR_REQUIRED
 * @throws INVALID_CREDENTIALS for a wrong code of the second factor
 * @throws RATE_LIMITED
 */
export async function redeem(
  options: RedemptionOptions,
  input: RedeemInput,
  secret: string | undefined,
  viewer: Viewer | null,
  onRefusal: (provider: string) => Promise<void>,
): Promise<AuthTokens> {
  const refund = await options.addresses.spend(currentRequest()?.ip);
  const found = isSecret(input.code) ? await findCode(options.db, options.now(), input.code) : undefined;
  const opened = found && (await open(options, found, input, secret, viewer, refund));
  if (opened === undefined) {
    await onRefusal(found?.provider ?? 'unknown');
    throw new AppError('UNAUTHENTICATED', {
      message: 'The code was already used, has expired, or belongs to another browser: sign in again.',
    });
  }
  await refund();
  return options.issue(opened);
}

/**
 * Takes the code out, once the second factor is proved where it waits for one, and opens the session, in one statement. A caller to
 * whom the code does not belong takes it out too: it is of no use to anyone then.
 */
async function open(
  options: RedemptionOptions,
  found: StoredCode,
  input: RedeemInput,
  secret: string | undefined,
  viewer: Viewer | null,
  refund: () => Promise<void>,
): Promise<Opened | undefined> {
  if (!isBound(found, input, secret)) {
    await options.db.query(takingOf(input.code, true));
    return undefined;
  }
  const isProved = found.needsSecondFactor && (await proveSecondFactor(options, found, input, refund));
  return options.opening.openByIdentity(
    { ...found, isMultiFactor: found.isMultiFactor || isProved },
    viewer,
    await isDeviceOf(options, found, input),
    takingOf(input.code, isProved),
  );
}

/** Whether the user has signed in on the caller's device before. */
async function isDeviceOf(
  { verifyDevice }: RedemptionOptions,
  { id }: StoredCode,
  { deviceToken }: RedeemInput,
): Promise<boolean> {
  return deviceToken != null && (await verifyDevice(deviceToken))?.userId === id;
}

/** Whether the code belongs to the caller: by the PKCE verifier or, where the sign-in began without a challenge, by the cookie. */
function isBound({ codeChallenge, browserHash }: StoredCode, input: RedeemInput, secret: string | undefined) {
  return codeChallenge === null
    ? isSecret(secret) && isSameHash(hashOf(secret), browserHash)
    : input.codeVerifier != null && isSameHash(hashOf(input.codeVerifier), codeChallenge);
}

/** @throws SECOND_FACTOR_REQUIRED, INVALID_CREDENTIALS */
async function proveSecondFactor(
  options: RedemptionOptions,
  { id, email }: StoredCode,
  { secondFactorCode: code, passkey }: RedeemInput,
  refund: () => Promise<void>,
): Promise<true> {
  if (code == null && passkey == null) {
    await refund();
    throw new AppError('SECOND_FACTOR_REQUIRED', {
      message:
        'Send also a code of your authenticator app, or a recovery code, as `secondFactorCode`; or the answer of a passkey as `passkey`.',
    });
  }
  await options.proveSecondFactor({ id, email }, { code, passkey });
  return true;
}
