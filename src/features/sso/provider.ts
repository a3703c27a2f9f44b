// One identity provider: where to send a browser, and who comes back. Nothing is stored here.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clockSkew,
  clockTolerance,
  customFetch,
  type DeviceAuthorizationResponse,
  fetchUserInfo,
  genericGrantRequest,
  initiateDeviceAuthorization,
  None,
  type ServerMetadata,
  type TokenEndpointResponse,
} from 'openid-client';
import type { OidcProvider } from '../../config/oidc-providers.js';
import { AppError } from '../../core/errors.js';
import { type BoundedFetch, issuerTimeoutMs } from '../../infra/oidc/bounded-fetch.js';
import type { Issuers } from '../../infra/oidc/issuers.js';
import {
  InvalidTokenError,
  isIdentifier,
  issuerToleranceSeconds,
  verifyIssued,
} from '../../infra/oidc/verify.js';
import { type Claims, groupsOf } from './groups.js';

/** Dependencies of a provider. */
export interface ProviderOptions {
  fetch: BoundedFetch;
  issuers: Issuers;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Secrets of one sign-in. */
export interface SignInSecrets {
  state: string;
  nonce: string;
  verifier: string;
}

/** The identity that a provider has proved. */
export interface Proved {
  claims: Claims;
  subject: string;
  /** For the logout at the provider; null for one that is too long for a URL. */
  idToken: string | null;
  providerSid: string | null;
}

/** Longest ID token that is kept, in characters: the logout at the provider puts it into a URL. */
const maxHintLength = 8192;

/** The way in which a provider authenticates the server: the method that its metadata prefers of the two with a secret. */
function authenticationOf({ clientSecret }: OidcProvider, metadata: ServerMetadata) {
  if (clientSecret === undefined) return None();
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic')
    ? ClientSecretBasic(clientSecret)
    : ClientSecretPost(clientSecret);
}

/** A client as openid-client has it, with the clock of the server. @throws UNAVAILABLE */
export async function clientOf(
  { fetch, issuers, now }: ProviderOptions,
  provider: OidcProvider,
): Promise<Configuration> {
  const metadata = await issuers.discover(provider);
  const settings = {
    [clockSkew]: Math.round((now() - Date.now()) / 1000),
    [clockTolerance]: issuerToleranceSeconds,
  };
  const client = new Configuration(
    metadata,
    provider.clientId,
    settings,
    authenticationOf(provider, metadata),
  );
  client.timeout = issuerTimeoutMs / 1000;
  client[customFetch] = fetch;
  if (provider.allowInsecure) allowInsecureRequests(client);
  return client;
}

/** Where the browser goes: authorization code with PKCE (S256), state and nonce. @throws UNAVAILABLE */
export async function authorizationUrl(
  options: ProviderOptions,
  provider: OidcProvider,
  redirectUri: string,
  { state, nonce, challenge }: { state: string; nonce: string; challenge: string },
): Promise<URL> {
  return buildAuthorizationUrl(await clientOf(options, provider), {
    redirect_uri: redirectUri,
    scope: provider.scopes.join(' '),
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state,
    nonce,
  });
}

/**
 * Exchanges the code that a browser brought, and verifies the ID token with the issuer's keys.
 * @param callback the URL of the callback with its query
 * @param needs whether groups matter here: then a provider that keeps them out of ID tokens is asked for them
 * @throws InvalidTokenError
 * @throws UNAVAILABLE when the provider does not answer
 */
export async function exchangeCode(
  options: ProviderOptions,
  provider: OidcProvider,
  callback: URL,
  { state, nonce, verifier }: SignInSecrets,
  needs: { groups: boolean },
): Promise<Proved> {
  const client = await clientOf(options, provider);
  const tokens = await authorizationCodeGrant(client, callback, {
    expectedState: state,
    expectedNonce: nonce,
    pkceCodeVerifier: verifier,
    idTokenExpected: true,
  }).catch((error: unknown) => refuse(error));
  return prove(options, provider, client, tokens, needs);
}

/**
 * Asks for the codes of a sign-in on another device (RFC 8628).
 * @throws NOT_FOUND for a provider without device codes
 * @throws UNAVAILABLE when the provider does not answer
 */
export async function startDevice(
  options: ProviderOptions,
  provider: OidcProvider,
): Promise<DeviceAuthorizationResponse> {
  const client = await clientOf(options, provider);
  if (client.serverMetadata().device_authorization_endpoint === undefined)
    throw new AppError('NOT_FOUND', { message: 'The identity provider has no device codes.' });
  return initiateDeviceAuthorization(client, { scope: provider.scopes.join(' ') }).catch((error: unknown) =>
    refuse(error),
  );
}

/**
 * Asks once whether the user has signed in on the other device.
 * @returns what the provider has proved, or why there is nothing yet
 * @throws InvalidTokenError also when the user refused or the codes have expired
 * @throws UNAVAILABLE when the provider does not answer
 */
export async function askDevice(
  options: ProviderOptions,
  provider: OidcProvider,
  deviceCode: string,
  needs: { groups: boolean },
): Promise<Proved | 'authorization_pending' | 'slow_down'> {
  const client = await clientOf(options, provider);
  const tokens = await genericGrantRequest(client, 'urn:ietf:params:oauth:grant-type:device_code', {
    device_code: deviceCode,
  }).catch((error: { error?: string }) => {
    const isWaiting = error.error === 'authorization_pending' || error.error === 'slow_down';
    return isWaiting ? (error.error as 'authorization_pending' | 'slow_down') : refuse(error);
  });
  return typeof tokens === 'string' ? tokens : prove(options, provider, client, tokens, needs);
}

/** The claims of the provider's tokens: verified by the issuer's keys. */
async function prove(
  options: ProviderOptions,
  provider: OidcProvider,
  client: Configuration,
  tokens: TokenEndpointResponse,
  needs: { groups: boolean },
): Promise<Proved> {
  const idToken = tokens.id_token ?? '';
  const claims = await verifyIssued(idToken, {
    issuer: provider.issuer,
    audience: provider.clientId,
    keys: options.issuers.keysOf(provider),
    nowMs: options.now(),
    maxAgeSeconds: 0,
  });
  const { sub, sid } = claims;
  if (!isIdentifier(sub)) throw new InvalidTokenError('wrong claim sub');
  const isMissing =
    claims.email === undefined || (needs.groups && groupsOf(claims, provider.groupsClaim).state !== 'GIVEN');
  const hasUserInfo = client.serverMetadata().userinfo_endpoint !== undefined;
  const more =
    isMissing && hasUserInfo
      ? await fetchUserInfo(client, tokens.access_token, sub).catch((error: unknown) => refuse(error))
      : {};
  return {
    claims: { ...more, ...claims },
    subject: sub,
    idToken: idToken.length > maxHintLength ? null : idToken,
    providerSid: isIdentifier(sid) ? sid : null,
  };
}

/** Codes of openid-client for an issuer that does not answer, or not as it must. */
const outages = new Set([
  ...['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_PARSE_ERROR'],
  ...['OAUTH_RESPONSE_IS_NOT_JSON', 'OAUTH_RESPONSE_IS_NOT_CONFORM'],
]);

/** @throws UNAVAILABLE for an outage of the provider, InvalidTokenError for what it refused or what is wrong */
function refuse(error: unknown): never {
  const { code, status, error: reason } = error as { code?: string; status?: number; error?: string };
  const isOfNetwork = code === undefined || !code.startsWith('OAUTH_');
  const isOutage = isOfNetwork || outages.has(code) || (status !== undefined && status >= 500);
  if (isOutage && reason === undefined)
    throw new AppError('UNAVAILABLE', {
      message: 'The identity provider gave no valid answer; try again shortly.',
      retryAfterSeconds: 5,
      cause: error,
    });
  throw new InvalidTokenError(reason ?? code ?? 'refused', { cause: error });
}
