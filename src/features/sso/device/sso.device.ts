// Signs users in who have no browser where they need the session: the provider's device codes (RFC 8628), relayed. Nothing is stored.
import { AppError } from '../../../core/errors.js';
import { currentRequest } from '../../../infra/telemetry/request-context.js';
import { askDevice, startDevice } from '../provider.js';
import { admitProved, providerOf, type SsoServiceOptions } from '../sso.service.js';

/** The codes of a sign-in on another device; times in seconds. */
export interface DeviceCodes {
  /** The secret that polls. */
  deviceCode: string;
  /** The code that the user types at `verificationUri`. */
  userCode: string;
  verificationUri: string;
  /** The same address with the code in it. */
  verificationUriComplete: string | null;
  expiresIn: number;
  /** Shortest time between two polls. */
  interval: number;
}

/** Outcome of a poll. */
export type DevicePoll = { state: 'PENDING' | 'SLOW_DOWN' } | { state: 'DONE'; code: string };

/** Shortest time between two polls where the provider names none (RFC 8628, 3.2). */
const defaultInterval = 5;

/** Signs in by device codes. */
export type SsoDevice = ReturnType<typeof createSsoDevice>;

/** Creates the service. */
export function createSsoDevice(options: SsoServiceOptions) {
  return {
    /**
     * Asks the provider for codes.
     * @throws NOT_FOUND for an unknown provider, and for one without device codes
     * @throws UNAVAILABLE while the provider does not answer
     * @throws RATE_LIMITED
     */
    start: (providerId: string) => start(options, providerId),

    /**
     * Asks the provider once whether the user has signed in.
     * @param codeChallenge PKCE challenge (S256) that binds the one-time code to the caller
     * @throws UNAUTHENTICATED when the user refused, the codes have expired, or the user may not sign in here
     * @throws NOT_FOUND for an unknown provider
     * @throws UNAVAILABLE while the provider does not answer
     * @throws RATE_LIMITED
     */
    poll: (providerId: string, deviceCode: string, codeChallenge: string) =>
      poll(options, providerId, deviceCode, codeChallenge),
  };
}

async function start(options: SsoServiceOptions, providerId: string): Promise<DeviceCodes> {
  const provider = providerOf(options.providers, providerId);
  await options.addresses.spend(currentRequest()?.ip);
  const codes = await startDevice(options, provider);
  return {
    deviceCode: codes.device_code,
    userCode: codes.user_code,
    verificationUri: codes.verification_uri,
    verificationUriComplete: codes.verification_uri_complete ?? null,
    expiresIn: codes.expires_in,
    interval: codes.interval ?? defaultInterval,
  };
}

async function poll(
  options: SsoServiceOptions,
  providerId: string,
  deviceCode: string,
  codeChallenge: string,
): Promise<DevicePoll> {
  const provider = providerOf(options.providers, providerId);
  const refund = await options.addresses.spend(currentRequest()?.ip);
  let state: 'PENDING' | 'SLOW_DOWN' | undefined;
  const outcome = await admitProved(options, provider, { browserHash: '', codeChallenge }, async (needs) => {
    const answer = await askDevice(options, provider, deviceCode, needs);
    if (typeof answer !== 'string') return answer;
    state = answer === 'slow_down' ? 'SLOW_DOWN' : 'PENDING';
    return undefined;
  });
  // A code that waits is one of the provider's: no guess.
  if (state !== undefined || 'code' in outcome) await refund();
  if (state !== undefined) return { state };
  if ('code' in outcome) return { state: 'DONE', code: outcome.code };
  if (outcome.error === 'provider_unavailable')
    throw new AppError('UNAVAILABLE', {
      message: 'The identity provider gave no valid answer; try again shortly.',
      retryAfterSeconds: 5,
    });
  throw new AppError('UNAUTHENTICATED', { message: refusals[outcome.error] ?? 'The sign-in failed.' });
}

/** Why a sign-in failed, in words. */
const refusals: Readonly<Record<string, string>> = {
  access_denied: 'The user refused the sign-in.',
  sign_in_failed: 'The sign-in failed, or the code has expired or was used already: start again.',
  deactivated: 'The account is deactivated.',
  not_invited: 'Only invited users get in, and nobody has invited this one.',
  account_exists: 'Another account has this e-mail address: ask an admin.',
  no_email: 'The provider sends no e-mail address.',
};
