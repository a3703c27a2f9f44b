// Signs users in at identity providers (OpenID Connect): the start, the way back, and the exchange of a one-time code for tokens.
import type { Logger } from 'pino';
import type { OidcProvider } from '../../config/oidc-providers.js';
import { AppError, invalid, isOutage } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { createSecret, hashOf, isSameHash, isSecret } from '../../infra/credentials/one-time-secret.js';
import { InvalidTokenError } from '../../infra/oidc/verify.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SsoAccounts } from './accounts.js';
import { authorizationUrl, exchangeCode, type Proved, type ProviderOptions } from './provider.js';
import { originsOf, returnToOf, withParameters } from './return-to.js';
import { type RedeemInput, type RedemptionOptions, redeem } from './sso.redemption.js';
import { deriveSecret, type StartedSignIn, storeSignIn, takeSignIn } from './states.js';

/** Dependencies of sign-ins at providers. */
export interface SsoServiceOptions extends ProviderOptions, RedemptionOptions {
  log: Logger;
  audit: AuditService;
  accounts: SsoAccounts;
  providers: readonly OidcProvider[];
  /** Origins of frontends besides the server's own. */
  corsOrigins: readonly string[];
}

/** The browser's part of a request, beside the query. */
export interface Browser {
  /** URL of the server as the browser reaches it, without a slash at its end. */
  baseUrl: string;
  /** The secret in its cookie. */
  secret: string | undefined;
}

/** Where a browser goes next. */
export interface Redirect {
  location: string;
  /** The secret for its cookie. */
  secret: string;
}

/** Signs users in at identity providers. */
export type SsoService = ReturnType<typeof createSsoService>;

/** Creates the service. */
export function createSsoService(options: SsoServiceOptions) {
  return {
    /** The providers, for sign-in pages. */
    providers: options.providers.map(({ id, name }) => ({ id, name })),

    /**
     * Starts a sign-in.
     * @param input returnTo, the page that gets the code; and a PKCE challenge (S256) that binds the code to its frontend
     * @returns where the browser goes
     * @throws NOT_FOUND for an unknown provider
     * @throws VALIDATION_FAILED for a page of another origin
     * @throws UNAVAILABLE while the provider does not answer
     * @throws RATE_LIMITED
     */
    start: (providerId: string, browser: Browser, input: StartInput) =>
      start(options, providerId, browser, input),

    /**
     * Ends the way back from the provider: verifies what came, finds the user, and makes the one-time code.
     * @param query the query of the callback, as it came
     * @returns the page that gets `code` or `error`
     * @throws NOT_FOUND for an unknown provider
     * @throws UNAUTHENTICATED for a sign-in that this browser has not started here, or that has come back before
     * @throws RATE_LIMITED
     */
    finish: (providerId: string, browser: Browser, query: string) =>
      finish(options, providerId, browser, query),

    /**
     * Exchanges a one-time code for the tokens of a new session, within a minute and for the browser or frontend that began.
     * @param viewer the signed-in caller, whose session ends
     * @throws UNAUTHENTICATED for a code that cannot be used
     * @throws SECOND_FACTOR_REQUIRED when the user has one and the provider's sign-in does not stand for it
     * @throws INVALID_CREDENTIALS for a wrong code of the second factor
     * @throws RATE_LIMITED
     */
    redeem: (input: RedeemInput, secret: string | undefined, viewer: Viewer | null) =>
      redeem(options, input, secret, viewer, (provider) => recordFailure(options, provider, 'unusable code')),
  };
}

/** See {@link SsoService}. */
export interface StartInput {
  returnTo?: string | null | undefined;
  codeChallenge?: string | null | undefined;
}

/** @throws NOT_FOUND */
export function providerOf(providers: readonly OidcProvider[], id: string): OidcProvider {
  const found = providers.find((provider) => provider.id === id);
  if (found === undefined)
    throw new AppError('NOT_FOUND', { message: 'There is no such identity provider.' });
  return found;
}

const redirectUriOf = (baseUrl: string, { id }: OidcProvider) => `${baseUrl}/api/v1/auth/oidc/${id}/callback`;

async function start(
  options: SsoServiceOptions,
  providerId: string,
  { baseUrl, secret: given }: Browser,
  { returnTo, codeChallenge }: StartInput,
): Promise<Redirect> {
  const provider = providerOf(options.providers, providerId);
  const page = returnToOf(returnTo ?? '/graphql', baseUrl, originsOf(baseUrl, options.corsOrigins));
  if (page === undefined) throw invalid('returnTo', 'is a page of an origin that CORS_ORIGINS does not list');
  if (page.isLoopback && codeChallenge == null)
    throw invalid('codeChallenge', 'is required for a page on this computer');
  await options.addresses.spend(currentRequest()?.ip);
  const secret = isSecret(given) ? given : createSecret();
  const state = createSecret();
  const url = await authorizationUrl(options, provider, redirectUriOf(baseUrl, provider), {
    state,
    nonce: deriveSecret(secret, state, 'nonce'),
    challenge: hashOf(deriveSecret(secret, state, 'verifier')),
  });
  await storeSignIn(options.db, options.now(), state, {
    provider: provider.id,
    browserHash: hashOf(secret),
    returnTo: page.href,
    codeChallenge: codeChallenge ?? null,
  });
  return { location: url.href, secret };
}

async function finish(
  options: SsoServiceOptions,
  providerId: string,
  { baseUrl, secret }: Browser,
  query: string,
): Promise<Redirect> {
  const provider = providerOf(options.providers, providerId);
  await options.addresses.spend(currentRequest()?.ip);
  const state = new URLSearchParams(query).get('state') ?? undefined;
  const started = isSecret(state) ? await takeSignIn(options.db, options.now(), state) : undefined;
  const isOfBrowser =
    started !== undefined && isSecret(secret) && isSameHash(hashOf(secret), started.browserHash);
  if (state === undefined || secret === undefined || !isOfBrowser || started.provider !== provider.id) {
    await recordFailure(options, provider.id, 'unknown state');
    throw new AppError('UNAUTHENTICATED', {
      message: 'This sign-in was not started in this browser, has expired or was already used: start again.',
    });
  }
  const callback = new URL(`${redirectUriOf(baseUrl, provider)}?${query}`);
  const secrets = {
    state,
    nonce: deriveSecret(secret, state, 'nonce'),
    verifier: deriveSecret(secret, state, 'verifier'),
  };
  const outcome = await admitProved(options, provider, started, (needs) =>
    exchangeCode(options, provider, callback, secrets, needs),
  );
  return { location: withParameters(started.returnTo, outcome), secret };
}

/** Outcome of a sign-in: a code, or an error that a page can show. */
export type Ending = { code: string } | { error: string };

/**
 * Admits the user whom a provider proves, and records what fails.
 * @param proveUser asks the provider; undefined when it has not decided yet
 */
export async function admitProved(
  options: SsoServiceOptions,
  provider: OidcProvider,
  started: Pick<StartedSignIn, 'browserHash' | 'codeChallenge'>,
  proveUser: (needs: { groups: boolean }) => Promise<Proved | undefined>,
): Promise<Ending> {
  try {
    const mappings = await options.accounts.mappingsOf(provider);
    const proved = await proveUser({ groups: mappings.length > 0 });
    if (proved === undefined) return { error: 'pending' };
    const outcome = await options.accounts.admit(provider, mappings, proved, started);
    if ('code' in outcome) return { code: outcome.code };
    await recordFailure(options, provider.id, outcome.refusal);
    return { error: outcome.refusal };
  } catch (error) {
    if (isOutage(error)) {
      options.log.warn({ event: 'identity_provider_down', provider: provider.id, err: error.cause ?? error });
      return { error: 'provider_unavailable' };
    }
    if (!(error instanceof InvalidTokenError)) throw error;
    await recordFailure(options, provider.id, error.message);
    return { error: error.message === 'access_denied' ? 'access_denied' : 'sign_in_failed' };
  }
}

function recordFailure({ audit }: SsoServiceOptions, provider: string, reason: string): Promise<void> {
  return audit.recordAlone({
    action: 'auth.login',
    outcome: 'FAILURE',
    actor: null,
    actorLabel: 'unknown account',
    changes: { provider, reason: reason.slice(0, 200).replace(/\p{C}/gu, '') },
  });
}
