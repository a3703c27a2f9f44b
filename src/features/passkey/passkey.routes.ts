// Passkeys over REST: enrolling, listing, naming, removing, and signing in.
import { z } from 'zod';
import { toPublicId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { defineRoute, type Route } from '../../rest/route.js';
import { tokensBody, toTokensBody } from '../auth/auth.bodies.js';
import { authExamples } from '../auth/auth.examples.js';
import type { AuthService } from '../auth/auth.service.js';
import {
  creationBody,
  enrolledBody,
  passkeyBody,
  passkeysBody,
  removedBody,
  requestBody,
  toPasskeyBody,
} from './passkey.bodies.js';
import { passkeyExamples } from './passkey.examples.js';
import { confirmPasskeyInput, passkeyLoginInput, passkeyParams, renameInput } from './passkey.input.js';
import type { PasskeyService } from './passkey.service.js';

const base = '/api/v1/auth/passkeys';
/** The body of requests that say all by their path. */
const nothing = { body: z.strictObject({}).describe('Nothing.'), bodyExample: {}, isBodyOptional: true };
const signedInErrors = [
  ...(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'UNAVAILABLE'] as const),
];

/** Routes under /api/v1/auth/passkeys. */
export function passkeyRoutes({ auth, passkeys }: { auth: AuthService; passkeys: PasskeyService }): Route[] {
  return [
    ...signInRoutes(auth, passkeys),
    ...enrolmentRoutes(passkeys),
    ...managingRoutes(passkeys),
    removalRoute(passkeys),
  ];
}

function signInRoutes(auth: AuthService, passkeys: PasskeyService): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: `${base}/login/options`,
      operationId: 'startPasskeyLogin',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Begin a sign-in with a passkey',
      description:
        'Options for `navigator.credentials.get()`, the same for everybody. The answer signs in instead of a password (`login/verify`), or is the second factor of `POST /api/v1/auth/login`.',
      ...nothing,
      responses: {
        200: { description: 'The options.', schema: requestBody, example: passkeyExamples.request },
      },
      errors: ['RATE_LIMITED', 'UNAVAILABLE'],
      handle: async () => ({ body: await passkeys.startLogin() }),
    }),
    defineRoute({
      method: 'post',
      path: `${base}/login/verify`,
      operationId: 'loginWithPasskey',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Sign in with a passkey',
      description:
        'Opens a session, as a sign-in with a password does, and ends the session that the request comes with. All failures look the same.',
      isViewerWelcome: true,
      body: passkeyLoginInput,
      bodyExample: passkeyExamples.proof,
      responses: { 200: { description: 'Signed in.', schema: tokensBody, example: authExamples.tokens } },
      errors: ['VALIDATION_FAILED', 'INVALID_CREDENTIALS', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ body, viewer }) => ({ body: toTokensBody(await auth.loginWithPasskey(body, viewer)) }),
    }),
  ];
}

function enrolmentRoutes(passkeys: PasskeyService): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: `${base}/enrolment/options`,
      operationId: 'enrolPasskey',
      tag: 'Authentication',
      permission: 'profile:update',
      summary: 'Begin to enrol a passkey',
      description:
        'Options for `navigator.credentials.create()`. Requires a sign-in within the last five minutes.',
      ...nothing,
      responses: {
        200: { description: 'The options.', schema: creationBody, example: passkeyExamples.creation },
      },
      errors: [...signedInErrors, 'REAUTHENTICATION_REQUIRED', 'CONFLICT'],
      handle: async ({ viewer }) => ({ body: await passkeys.enrol(viewer as Viewer) }),
    }),
    defineRoute({
      method: 'post',
      path: `${base}/enrolment/verify`,
      operationId: 'confirmPasskey',
      tag: 'Authentication',
      permission: 'profile:update',
      summary: 'Enrol a passkey',
      description:
        'Stores the passkey that an authenticator has made. From then on a sign-in with the password also needs a second factor.',
      body: confirmPasskeyInput,
      bodyExample: passkeyExamples.confirmation,
      responses: {
        200: { description: 'Enrolled.', schema: enrolledBody, example: passkeyExamples.enrolled },
      },
      errors: [
        ...signedInErrors,
        ...(['VALIDATION_FAILED', 'INVALID_CREDENTIALS', 'REAUTHENTICATION_REQUIRED', 'CONFLICT'] as const),
      ],
      handle: async ({ body, viewer }) => {
        const { passkey, recoveryCodes } = await passkeys.confirm(viewer as Viewer, body);
        return { body: { passkey: toPasskeyBody(passkey), recoveryCodes } };
      },
    }),
  ];
}

function managingRoutes(passkeys: PasskeyService): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: base,
      operationId: 'listPasskeys',
      tag: 'Authentication',
      permission: 'profile:update',
      summary: 'List the passkeys',
      description: 'The passkeys of the signed-in user.',
      responses: {
        200: {
          description: 'The passkeys.',
          schema: passkeysBody,
          example: { passkeys: [passkeyExamples.passkey] },
        },
      },
      errors: signedInErrors,
      handle: async ({ viewer }) => ({
        body: { passkeys: (await passkeys.list(viewer as Viewer)).map(toPasskeyBody) },
      }),
    }),
    defineRoute({
      method: 'post',
      path: `${base}/{id}/rename`,
      operationId: 'renamePasskey',
      tag: 'Authentication',
      permission: 'profile:update',
      summary: 'Rename a passkey',
      description: 'Gives one of the caller’s passkeys a new name.',
      params: passkeyParams,
      body: renameInput,
      bodyExample: { name: 'Old laptop' },
      responses: { 200: { description: 'Renamed.', schema: passkeyBody, example: passkeyExamples.passkey } },
      errors: [...signedInErrors, 'VALIDATION_FAILED', 'NOT_FOUND'],
      handle: async ({ params, body, viewer }) => ({
        body: toPasskeyBody(await passkeys.rename(viewer as Viewer, params.id, body.name)),
      }),
    }),
  ];
}

function removalRoute(passkeys: PasskeyService): Route {
  return defineRoute({
    method: 'post',
    path: `${base}/{id}/remove`,
    operationId: 'removePasskey',
    tag: 'Authentication',
    permission: 'profile:update',
    summary: 'Remove a passkey',
    description:
      'The caller’s own, or any for an admin. The caller’s only way to sign in stays. Requires a sign-in within the last five minutes.',
    params: passkeyParams,
    ...nothing,
    responses: {
      200: {
        description: 'Removed.',
        schema: removedBody,
        example: { deletedId: passkeyExamples.passkey.id },
      },
    },
    errors: [...signedInErrors, 'REAUTHENTICATION_REQUIRED', 'NOT_FOUND', 'CONFLICT'],
    handle: async ({ params, viewer }) => {
      await passkeys.remove(viewer as Viewer, params.id);
      return { body: { deletedId: toPublicId('Passkey', params.id) } };
    },
  });
}
