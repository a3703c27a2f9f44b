// Passkeys in GraphQL: the list of a user, enrolling, naming, removing, and signing in.
import { toPublicId } from '../../core/ids.js';
import type { Passkey } from '../../generated/prisma/client.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { deletion, mutation } from '../../graphql/schema-kit/root-fields.js';
import { inputArg } from '../../graphql/schema-kit/zod-inputs.js';
import { AuthPayload } from '../auth/auth.schema.js';
import { personalFor } from '../user/user.schema.js';
import { confirmPasskeyInput, passkeyLoginInput, renamePasskeyInput } from './passkey.input.js';
import { maxPasskeys, newestPasskeys } from './passkey.options.js';

const PasskeyType = builder.prismaObject('Passkey', {
  description: 'A passkey of a user (WebAuthn).',
  fields: (t) => ({
    id: t.id({ description: 'Id of the passkey.', resolve: ({ id }) => toPublicId('Passkey', id) }),
    name: t.exposeString('name', { description: 'Name that its owner gave it.' }),
    isSynced: t.exposeBoolean('isSynced', {
      description: 'Whether its authenticator copies it to other devices of the user.',
    }),
    createdAt: t.expose('createdAt', time('Time of the enrolment.')),
    lastUsedAt: t.expose('lastUsedAt', timeOrNull('Time of the last sign-in with it.')),
  }),
});

builder.prismaObjectFields('User', (t) => ({
  passkeys: t.relation('passkeys', {
    extensions: { weight: { entries: maxPasskeys } },
    type: PasskeyType,
    authScopes: personalFor('profile:update'),
    description: `Passkeys, newest first, at most ${maxPasskeys}.`,
    query: newestPasskeys,
  }),
}));

const OptionsPayload = builder
  .objectRef<{ state: string; options: object }>('PasskeyOptionsPayload')
  .implement({
    description: 'What a browser asks an authenticator with; valid once, for five minutes.',
    fields: (t) => ({
      state: t.exposeString('state', {
        description: 'Send it with the answer, and to nobody else: it binds the answer to this request.',
      }),
      options: t.field({
        type: 'JSON',
        description:
          'Options for PublicKeyCredential.parseCreationOptionsFromJSON() or parseRequestOptionsFromJSON().',
        resolve: ({ options }) => options,
      }),
    }),
  });

const PasskeyPayload = builder
  .objectRef<{ passkey: Passkey; recoveryCodes: string[] }>('PasskeyPayload')
  .implement({
    description: 'A passkey after a change.',
    fields: (t) => ({
      passkey: t.field({ type: PasskeyType, description: 'The passkey.', resolve: ({ passkey }) => passkey }),
      recoveryCodes: t.exposeStringList('recoveryCodes', {
        description:
          'Recovery codes, where it is the first second factor: each stands in for it once, after the password. Shown once.',
      }),
    }),
  });

mutation('enrolPasskey', OptionsPayload, 'profile:update', {
  description:
    'Begins the enrolment of a passkey. Requires a sign-in within the last five minutes; confirmPasskey ends it.',
  run: ({ passkeys }, viewer) => passkeys.enrol(viewer),
});

mutation('confirmPasskey', PasskeyPayload, 'profile:update', {
  description:
    'Stores the passkey that an authenticator has made. From now on a sign-in with the password also needs a second factor.',
  args: (arg) => ({ input: inputArg(arg, 'ConfirmPasskeyInput', confirmPasskeyInput) }),
  run: ({ passkeys }, viewer, { input }) => passkeys.confirm(viewer, input),
});

mutation('renamePasskey', PasskeyPayload, 'profile:update', {
  description: 'Gives a passkey of the caller a new name.',
  args: (arg) => ({ input: inputArg(arg, 'RenamePasskeyInput', renamePasskeyInput) }),
  run: async ({ passkeys }, viewer, { input: { id, name } }) => ({
    passkey: await passkeys.rename(viewer, id, name),
    recoveryCodes: [],
  }),
});

deletion('removePasskey', 'Passkey', 'profile:update', {
  description:
    'Removes a passkey: the caller’s own, or any for an admin. The caller’s only way to sign in stays. Requires a sign-in within the last five minutes.',
  id: 'Id of the passkey.',
  run: ({ passkeys }, viewer, id) => passkeys.remove(viewer, id),
});

builder.mutationFields((t) => ({
  startPasskeyLogin: t.field({
    type: OptionsPayload,
    authScopes: { public: true },
    description:
      'Begins a sign-in with a passkey: instead of a password (loginWithPasskey), or as its second factor (login).',
    resolve: (_root, _args, context) => context.services.passkeys.startLogin(),
  }),
  loginWithPasskey: t.field({
    type: AuthPayload,
    authScopes: { public: true },
    description:
      'Opens a session for the answer of a passkey, and ends the session that the request comes with, if any. Every failure is INVALID_CREDENTIALS.',
    args: { input: inputArg(t.arg, 'PasskeyLoginInput', passkeyLoginInput) },
    resolve: async (_root, { input }, context) => {
      const tokens = await context.services.auth.loginWithPasskey(input, context.viewer);
      context.signedInUserId = tokens.user.id;
      return tokens;
    },
  }),
}));
