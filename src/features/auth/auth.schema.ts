// Signing in and out in GraphQL.
import type { User } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull } from '../../graphql/schema-kit/field-options.js';
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { inputArg, optionalArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { email } from '../user/user.input.js';
import { UserPayload, UserType } from '../user/user.schema.js';
import { changePasswordInput, loginInput, refreshToken, secondFactorCode } from './auth.input.js';
import type { AuthTokens } from './auth.service.js';
import type { Enrolment } from './second-factor.service.js';

export const AuthPayload = builder.objectRef<AuthTokens>('AuthPayload').implement({
  description: 'Tokens of a session. Lifetimes are in seconds.',
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'Send it as `Authorization: Bearer …`.' }),
    refreshToken: t.exposeString('refreshToken', {
      description: 'Exchange it for new tokens; each works once.',
    }),
    tokenType: t.exposeString('tokenType', { description: 'Always "Bearer".' }),
    expiresIn: t.exposeInt('expiresIn', { description: 'Seconds until the access token expires.' }),
    refreshExpiresIn: t.exposeInt('refreshExpiresIn', {
      description: 'Seconds until the refresh token expires.',
    }),
    deviceToken: t.exposeString(
      'deviceToken',
      orNull(
        'Send it with the next sign-in from this device: failed attempts of others then do not lock it out. Null after a refresh.',
      ),
    ),
    user: t.field({ type: UserType, description: 'The signed-in user.', resolve: ({ user }): User => user }),
  }),
});

const LogoutPayload = builder
  .objectRef<{ revokedSessions: number; providerLogoutUrl?: string | null }>('LogoutPayload')
  .implement({
    description: 'Outcome of ending sessions.',
    fields: (t) => ({
      revokedSessions: t.exposeInt('revokedSessions', { description: 'Number of ended sessions.' }),
      providerLogoutUrl: t.string({
        nullable: true,
        description:
          'URL at which the browser logs out of the identity provider too; null unless the session came from a provider that has a logout.',
        resolve: ({ providerLogoutUrl }) => providerLogoutUrl ?? null,
      }),
    }),
  });

const EnrolmentPayload = builder.objectRef<Enrolment>('SecondFactorEnrolmentPayload').implement({
  description: 'Secret for an authenticator app; shown once.',
  fields: (t) => ({
    secret: t.exposeString('secret', { description: 'The secret in base32, for typing.' }),
    uri: t.exposeString('uri', { description: 'The secret as otpauth://…, for a QR code.' }),
  }),
});

const ConfirmedPayload = builder.objectRef<{ recoveryCodes: string[] }>('SecondFactorPayload').implement({
  description: 'A second factor that is in force.',
  fields: (t) => ({
    recoveryCodes: t.exposeStringList('recoveryCodes', {
      description: 'Recovery codes; each replaces a code of the app once. Shown once.',
    }),
  }),
});

mutation('enrolSecondFactor', EnrolmentPayload, 'profile:update', {
  description: 'Creates a secret for an authenticator app (TOTP). It is in force after confirmSecondFactor.',
  run: ({ secondFactors }, viewer) => secondFactors.enrol(viewer),
});

mutation('confirmSecondFactor', ConfirmedPayload, 'profile:update', {
  description: 'Enables the second factor: from now on a sign-in also needs a code.',
  args: (arg) => ({ code: simpleArg(arg, secondFactorCode) }),
  run: async ({ secondFactors }, viewer, { code }) => ({
    recoveryCodes: await secondFactors.confirm(viewer, code),
  }),
});

mutation('removeSecondFactor', UserPayload, 'profile:update', {
  description:
    'Removes the caller’s authenticator app, with a code; or, for an admin, the app and all passkeys of a user who lost them.',
  args: (arg) => ({
    userId: optionalArg(arg, idOf('User').nullish(), 'The user; the caller unless given.'),
    code: optionalArg(arg, secondFactorCode.nullish(), 'Required for the caller’s own.'),
  }),
  run: async ({ secondFactors, users }, viewer, { userId, code }) => {
    const id = await secondFactors.remove(viewer, userId ?? undefined, code ?? undefined);
    return { user: await users.get(viewer, id) };
  },
});

builder.mutationFields((t) => ({
  login: t.field({
    type: AuthPayload,
    authScopes: { public: true },
    description:
      'Opens a session and ends the session that the request comes with, if any. Every failure is INVALID_CREDENTIALS.',
    args: { input: inputArg(t.arg, 'LoginInput', loginInput) },
    resolve: async (_root, { input }, context) => {
      const tokens = await context.services.auth.login(input, context.viewer);
      context.signedInUserId = tokens.user.id;
      return tokens;
    },
  }),
  refreshToken: t.field({
    type: AuthPayload,
    authScopes: { public: true },
    description: 'Exchanges a refresh token for new tokens. One that was used before ends its session.',
    args: { refreshToken: simpleArg(t.arg, refreshToken) },
    resolve: async (_root, args, context) => {
      const tokens = await context.services.auth.refresh(args.refreshToken);
      context.signedInUserId = tokens.user.id;
      return tokens;
    },
  }),
}));

const PasswordResetPayload = builder
  .objectRef<{ isAccepted: boolean }>('RequestPasswordResetPayload')
  .implement({
    description: 'The answer to any request for a new password.',
    fields: (t) => ({
      isAccepted: t.exposeBoolean('isAccepted', {
        description: 'Always true: if there is such an account, a mail is on its way.',
      }),
    }),
  });

builder.mutationField('requestPasswordReset', (t) =>
  t.field({
    type: PasswordResetPayload,
    authScopes: { public: true },
    description:
      'Mails a link to choose a new password, up to three times an hour. The answer is the same whether or not there is such an account. Error FORBIDDEN where the server sends no mail.',
    args: { email: simpleArg(t.arg, email, 'E-mail address of the account, in any case.') },
    resolve: async (_root, args, context) => {
      await context.services.auth.requestPasswordReset(args.email);
      return { isAccepted: true };
    },
  }),
);

mutation('logout', LogoutPayload, 'session:manage', {
  description: 'Ends this session, or all of the user’s.',
  args: (arg) => ({ everywhere: arg.boolean({ description: 'End all sessions of the user.' }) }),
  run: ({ auth }, viewer, { everywhere }) => auth.logout(viewer, everywhere ?? false),
});

mutation('revokeSession', LogoutPayload, 'session:manage', {
  description: 'Ends one session: the caller’s own, or any for an admin.',
  args: (arg) => ({ id: simpleArg(arg, idOf('Session'), 'Id of the session.') }),
  run: async ({ auth }, viewer, { id }) => ({ revokedSessions: await auth.revokeSession(viewer, id) }),
});

mutation('endSessions', LogoutPayload, 'user:update', {
  description: 'Ends all sessions of a user, or, without an id, of all users but the caller.',
  args: (arg) => ({ userId: optionalArg(arg, idOf('User').nullish(), 'Id of the user.') }),
  run: async ({ auth }, viewer, { userId }) => ({
    revokedSessions: await auth.endSessions(viewer, userId ?? undefined),
  }),
});

mutation('changePassword', UserPayload, 'profile:update', {
  description: 'Sets a new password and ends the other sessions of the caller.',
  args: (arg) => ({ input: inputArg(arg, 'ChangePasswordInput', changePasswordInput) }),
  run: async ({ auth }, viewer, { input }) => ({ user: await auth.changePassword(viewer, input) }),
});
