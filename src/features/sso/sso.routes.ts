// Signing in at identity providers over REST: for browsers, frontends, and the providers themselves.
import { z } from 'zod';
import type { PublicPlace } from '../../infra/public-place.js';
import { defineRoute, type Route } from '../../rest/route.js';
import { tokensBody, toTokensBody } from '../auth/auth.bodies.js';
import { authExamples } from '../auth/auth.examples.js';
import { browserOf, cookieOf } from './browser.js';
import type { SsoDevice } from './device/sso.device.js';
import { ssoDeviceRoutes } from './device/sso.device.routes.js';
import { callbackQuery, providerParams, redeemInput, startQuery } from './sso.input.js';
import type { SsoLogout } from './sso.logout.js';
import type { SsoService } from './sso.service.js';

/** Services that the routes call. */
export interface SsoRouteServices {
  sso: SsoService;
  ssoDevice: SsoDevice;
  ssoLogout: SsoLogout;
  publicPlace: PublicPlace;
  signInWays: { hasPasswords: boolean };
}

const redirected = { description: 'Redirects the browser.', hasLocation: true };
const redirecting = (location: string, cookie: string) => ({
  status: 302,
  headers: { Location: location, 'Set-Cookie': cookie },
});

/** Routes under /api/v1/auth/oidc, and the list of providers. */
export function ssoRoutes(services: SsoRouteServices): Route[] {
  return [
    providersRoute(services),
    ...browserRoutes(services),
    ...ssoDeviceRoutes(services),
    redeemRoute(services),
    backChannelRoute(services),
  ];
}

const providersBody = z
  .strictObject({
    passwords: z
      .boolean()
      .describe(
        'Whether users can sign in with a password, or a passkey alone; if false, only one admin can.',
      ),
    providers: z
      .array(
        z.strictObject({
          id: z.string().max(32).describe('Id of the provider.'),
          name: z.string().max(100).describe('Name to show.'),
          startPath: z.string().max(200).describe('Path to open in a browser to sign in; takes returnTo.'),
        }),
      )
      .max(20)
      .describe('Identity providers, in the order of the settings.'),
  })
  .meta({ id: 'SignInProviders', description: 'Ways to sign in.' });

const startPathOf = (id: string) => `/api/v1/auth/oidc/${id}`;

function providersRoute(services: SsoRouteServices): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/auth/providers',
    operationId: 'signInProviders',
    tag: 'Authentication',
    permission: 'public',
    summary: 'Ways to sign in',
    description: 'The identity providers that users may sign in with.',
    responses: {
      200: {
        description: 'The providers.',
        schema: providersBody,
        example: {
          passwords: true,
          providers: [{ id: 'keycloak', name: 'Keycloak', startPath: startPathOf('keycloak') }],
        },
      },
    },
    errors: [],
    handle: async () => ({
      body: {
        passwords: services.signInWays.hasPasswords,
        providers: services.sso.providers.map(({ id, name }) => ({ id, name, startPath: startPathOf(id) })),
      },
    }),
  });
}

function browserRoutes(services: SsoRouteServices): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/auth/oidc/{provider}',
      operationId: 'startSingleSignOn',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Sign in at an identity provider',
      description:
        'Sends the browser to the identity provider (OpenID Connect: authorization code with PKCE, state and nonce). The page `returnTo` gets a one-time `code`, or an `error`, in its query.',
      params: providerParams,
      query: startQuery,
      responses: { 302: redirected },
      errors: ['VALIDATION_FAILED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ params, query, incoming }) => {
        const browser = browserOf(incoming, services.publicPlace);
        const { location, secret } = await services.sso.start(params.provider, browser, query);
        return redirecting(location, cookieOf(secret, browser));
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/auth/oidc/{provider}/callback',
      operationId: 'finishSingleSignOn',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Come back from an identity provider',
      description:
        'Redirect URI of the identity provider. Works once, and only in the browser that started the sign-in.',
      params: providerParams,
      query: callbackQuery,
      responses: { 302: redirected },
      errors: ['VALIDATION_FAILED', 'UNAUTHENTICATED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ params, incoming }) => {
        const browser = browserOf(incoming, services.publicPlace);
        const query = (incoming.url ?? '').split('?').slice(1).join('?');
        const { location, secret } = await services.sso.finish(params.provider, browser, query);
        return redirecting(location, cookieOf(secret, browser));
      },
    }),
  ];
}

function redeemRoute({ sso, publicPlace }: SsoRouteServices): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/auth/oidc/token',
    operationId: 'redeemSingleSignOn',
    tag: 'Authentication',
    permission: 'public',
    summary: 'Exchange a one-time code for tokens',
    description:
      'Opens a session, as a sign-in with a password does. The code works once, within a minute, and needs its PKCE verifier or, where the sign-in began without a challenge, the cookie of the browser.',
    isViewerWelcome: true,
    body: redeemInput,
    bodyExample: {
      code: 'the-code-that-the-page-received',
      codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    },
    responses: { 200: { description: 'Signed in.', schema: tokensBody, example: authExamples.tokens } },
    errors: [
      ...(['VALIDATION_FAILED', 'UNAUTHENTICATED', 'SECOND_FACTOR_REQUIRED', 'INVALID_CREDENTIALS'] as const),
      ...(['RATE_LIMITED', 'UNAVAILABLE'] as const),
    ],
    handle: async ({ body, viewer, incoming }) => ({
      body: toTokensBody(await sso.redeem(body, browserOf(incoming, publicPlace).secret, viewer)),
    }),
  });
}

const logoutToken = z.string().min(1, 'must not be empty').max(65_536).describe('The logout token, a JWT.');

function backChannelRoute({ ssoLogout }: SsoRouteServices): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/auth/oidc/{provider}/backchannel-logout',
    operationId: 'backChannelLogout',
    tag: 'Authentication',
    permission: 'public',
    summary: 'End sessions for an identity provider',
    description:
      'An identity provider calls this when a user logs out there (OpenID Connect Back-Channel Logout 1.0). The sessions of the user, and their open streams, end within a second.',
    params: providerParams,
    body: z.strictObject({ logoutToken }).describe('A logout token.'),
    bodyExample: { logoutToken: 'header.claims-of-logout.signature' },
    form: {
      schema: z
        .strictObject({ logout_token: logoutToken })
        .describe('A logout token; further fields are ignored.'),
      example: { logout_token: 'header.claims-of-logout.signature' },
      fields: { logout_token: 'logoutToken' },
    },
    responses: {
      200: {
        description: 'The sessions have ended.',
        schema: z
          .strictObject({
            revokedSessions: z.int().min(0).max(2_147_483_647).describe('Number of ended sessions.'),
          })
          .meta({
            id: 'BackChannelLogoutResult',
            description: 'Outcome of a logout at the identity provider.',
          }),
        example: { revokedSessions: 1 },
      },
    },
    errors: ['VALIDATION_FAILED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
    handle: async ({ params, body }) => ({
      body: { revokedSessions: await ssoLogout.endByToken(params.provider, body.logoutToken) },
    }),
  });
}
