// Signing in and out in GraphQL.
import type { User } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
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
    deviceToken: t.exposeString('deviceToken', {
      nullable: true,
      description:
        'Send it with the next sign-in from this device: failed attempts of others then do not lock it out. Null after a refresh.',
    }),
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

builder.mutationFields((t) => ({
  enrolSecondFactor: t.field({
    type: EnrolmentPayload,
    authScopes: { can: 'profile:update' },
    description:
      'Creates a secret for an authenticator app (TOTP). It is in force after confirmSecondFactor.',
    resolve: (_root, _args, context) => context.services.secondFactors.enrol(viewerOf(context)),
  }),
  confirmSecondFactor: t.field({
    type: ConfirmedPayload,
    authScopes: { can: 'profile:update' },
    description: 'Enables the second factor: from now on a sign-in also needs a code.',
    args: { code: simpleArg(t.arg, secondFactorCode) },
    resolve: async (_root, { code }, context) => ({
      recoveryCodes: await context.services.secondFactors.confirm(viewerOf(context), code),
    }),
  }),
  removeSecondFactor: t.field({
    type: UserPayload,
    authScopes: { can: 'profile:update' },
    description:
      'Removes the caller’s authenticator app, with a code; or, for an admin, the app and all passkeys of a user who lost them.',
    args: {
      userId: t
        .arg({ type: 'ID', description: 'The user; the caller unless given.' })
        .validate(idOf('User').nullish()),
      code: t
        .arg({ type: 'String', description: 'Required for the caller’s own.' })
        .validate(secondFactorCode.nullish()),
    },
    resolve: async (_root, { userId, code }, context) => {
      const viewer = viewerOf(context);
      const id = await context.services.secondFactors.remove(viewer, userId ?? undefined, code ?? undefined);
      return { user: await context.services.users.get(viewer, id) };
    },
  }),
}));

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

builder.mutationFields((t) => ({
  logout: t.field({
    type: LogoutPayload,
    authScopes: { can: 'session:manage' },
    description: 'Ends this session, or all of the user’s.',
    args: { everywhere: t.arg.boolean({ description: 'End all sessions of the user.' }) },
    resolve: (_root, { everywhere }, context) =>
      context.services.auth.logout(viewerOf(context), everywhere ?? false),
  }),
  revokeSession: t.field({
    type: LogoutPayload,
    authScopes: { can: 'session:manage' },
    description: 'Ends one session: the caller’s own, or any for an admin.',
    args: { id: simpleArg(t.arg, idOf('Session'), 'Id of the session.') },
    resolve: async (_root, { id }, context) => ({
      revokedSessions: await context.services.auth.revokeSession(viewerOf(context), id),
    }),
  }),
  endSessions: t.field({
    type: LogoutPayload,
    authScopes: { can: 'user:update' },
    description: 'Ends all sessions of a user, or, without an id, of all users but the caller.',
    args: { userId: t.arg({ type: 'ID', description: 'Id of the user.' }).validate(idOf('User').nullish()) },
    resolve: async (_root, { userId }, context) => ({
      revokedSessions: await context.services.auth.endSessions(viewerOf(context), userId ?? undefined),
    }),
  }),
  changePassword: t.field({
    type: UserPayload,
    authScopes: { can: 'profile:update' },
    description: 'Sets a new password and ends the other sessions of the caller.',
    args: { input: inputArg(t.arg, 'ChangePasswordInput', changePasswordInput) },
    resolve: async (_root, { input }, context) => ({
      user: await context.services.auth.changePassword(viewerOf(context), input),
    }),
  }),
}));
