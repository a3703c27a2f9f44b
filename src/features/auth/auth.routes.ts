// Signing in and out over REST, for scripts.
import type { Viewer } from '../../core/permissions.js';
import { defineRoute, type Route } from '../../rest/route.js';
import { setPasswordInput } from '../user/user.input.js';
import type { UserService } from '../user/user.service.js';
import {
  acceptedBody,
  keysBody,
  logoutBody,
  tokensBody,
  toTokensBody,
  toUserBody,
  userBody,
} from './auth.bodies.js';
import { authExamples } from './auth.examples.js';
import {
  changePasswordInput,
  loginInput,
  logoutInput,
  passwordResetInput,
  refreshInput,
} from './auth.input.js';
import type { AuthService } from './auth.service.js';

/** Routes under /api/v1/auth, and the public keys. */
export function authRoutes({ auth, users }: { auth: AuthService; users: UserService }): Route[] {
  return [
    ...signInRoutes(auth),
    signOutRoute(auth),
    ...passwordRoutes(auth),
    resetRoute(auth),
    ...profileRoutes(auth, users),
  ];
}

function signInRoutes(auth: AuthService): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/login',
      operationId: 'login',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Sign in',
      description:
        'Opens a session and ends the session that the request comes with. All failures look the same.',
      isViewerWelcome: true,
      hasCapacity: () => auth.hasCapacity(),
      body: loginInput,
      bodyExample: authExamples.credentials,
      responses: { 200: { description: 'Signed in.', schema: tokensBody, example: authExamples.tokens } },
      errors: [
        ...(['VALIDATION_FAILED', 'INVALID_CREDENTIALS', 'SECOND_FACTOR_REQUIRED'] as const),
        ...(['RATE_LIMITED', 'UNAVAILABLE'] as const),
      ],
      handle: async ({ body, viewer }) => ({ body: toTokensBody(await auth.login(body, viewer)) }),
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/refresh',
      operationId: 'refreshToken',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Refresh tokens',
      description: 'Exchanges a refresh token for new tokens. One that was used before ends its session.',
      body: refreshInput,
      bodyExample: authExamples.refresh,
      responses: { 200: { description: 'New tokens.', schema: tokensBody, example: authExamples.tokens } },
      errors: [
        ...(['VALIDATION_FAILED', 'UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED'] as const),
        ...(['RATE_LIMITED', 'UNAVAILABLE'] as const),
      ],
      handle: async ({ body }) => ({ body: toTokensBody(await auth.refresh(body.refreshToken)) }),
    }),
  ];
}

function signOutRoute(auth: AuthService): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/auth/logout',
    operationId: 'logout',
    tag: 'Authentication',
    permission: 'session:manage',
    summary: 'Sign out',
    description: 'Ends this session, or all of the user’s. The body may be left out.',
    body: logoutInput,
    bodyExample: { everywhere: true },
    isBodyOptional: true,
    responses: {
      200: { description: 'Signed out.', schema: logoutBody, example: { revokedSessions: 3 } },
    },
    errors: [
      'VALIDATION_FAILED',
      'UNAUTHENTICATED',
      'TOKEN_EXPIRED',
      'TOKEN_REVOKED',
      'FORBIDDEN',
      'UNAVAILABLE',
    ],
    handle: async ({ body, viewer }) => {
      const { revokedSessions, providerLogoutUrl } = await auth.logout(
        viewer as Viewer,
        body.everywhere ?? false,
      );
      return { body: { revokedSessions, ...(providerLogoutUrl !== null && { providerLogoutUrl }) } };
    },
  });
}

function passwordRoutes(auth: AuthService): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/password',
      operationId: 'setPassword',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Choose a password',
      description:
        'Requires the token of an invitation or a reset, which works once. Ends all sessions of the user.',
      body: setPasswordInput,
      bodyExample: authExamples.choice,
      responses: {
        200: {
          description: 'The password is set: sign in with it.',
          schema: userBody,
          example: authExamples.user,
        },
      },
      errors: ['VALIDATION_FAILED', 'UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ body }) => ({ body: toUserBody(await auth.setPassword(body, '')) }),
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/change-password',
      operationId: 'changePassword',
      tag: 'Authentication',
      permission: 'profile:update',
      summary: 'Change the password',
      description:
        'Requires the current password. Ends the user’s other sessions; API keys and this session stay.',
      body: changePasswordInput,
      bodyExample: authExamples.change,
      responses: {
        200: { description: 'The password is changed.', schema: userBody, example: authExamples.user },
      },
      errors: [
        ...(['VALIDATION_FAILED', 'UNAUTHENTICATED', 'INVALID_CREDENTIALS', 'TOKEN_EXPIRED'] as const),
        ...(['TOKEN_REVOKED', 'FORBIDDEN', 'CONFLICT', 'RATE_LIMITED', 'UNAVAILABLE'] as const),
      ],
      handle: async ({ body, viewer }) => ({
        body: toUserBody(await auth.changePassword(viewer as Viewer, body, '')),
      }),
    }),
  ];
}

function resetRoute(auth: AuthService): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/auth/password-reset',
    operationId: 'requestPasswordReset',
    tag: 'Authentication',
    permission: 'public',
    summary: 'Ask for a new password',
    description:
      'Mails a link to choose a new password, up to three times an hour. The answer is the same whether or not there is such an account. FORBIDDEN where the server sends no mail.',
    body: passwordResetInput,
    bodyExample: { email: authExamples.credentials.email },
    responses: {
      200: {
        description: 'If there is such an account, a mail is on its way.',
        schema: acceptedBody,
        example: { isAccepted: true },
      },
    },
    errors: ['VALIDATION_FAILED', 'FORBIDDEN', 'RATE_LIMITED', 'UNAVAILABLE'],
    handle: async ({ body }) => {
      await auth.requestPasswordReset(body.email);
      return { body: { isAccepted: true } };
    },
  });
}

function profileRoutes(auth: AuthService, users: UserService): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/auth/me',
      operationId: 'me',
      tag: 'Authentication',
      permission: 'profile:read',
      summary: 'Who am I',
      description: 'The profile of the signed-in user.',
      responses: { 200: { description: 'The profile.', schema: userBody, example: authExamples.user } },
      errors: ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'UNAVAILABLE'],
      handle: async ({ viewer }) => ({
        body: toUserBody(await users.get(viewer as Viewer, (viewer as Viewer).userId)),
      }),
    }),
    defineRoute({
      method: 'get',
      path: '/.well-known/jwks.json',
      operationId: 'jwks',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Public keys',
      description: 'The keys that verify access tokens (JWK Set, RFC 7517).',
      responses: { 200: { description: 'The keys.', schema: keysBody, example: authExamples.keys } },
      errors: [],
      handle: async () => ({ headers: { 'Cache-Control': 'public, max-age=300' }, body: auth.jwks }),
    }),
  ];
}
