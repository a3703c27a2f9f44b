// Shapes of the input of signing in, for GraphQL and REST.
import { z } from 'zod';
import { objectOf, text } from '../../validation/fields.js';
import { passkeyProof } from '../passkey/passkey.input.js';
import { email, password } from '../user/user.input.js';

/** A code of an authenticator app, or a recovery code. */
export const secondFactorCode = text(64).describe('Code of the authenticator app, or a recovery code.');

export const loginInput = objectOf('Credentials.', {
  email: email.describe('E-mail address, in any case.'),
  password: password.describe('Password, exactly as it was set.'),
  code: secondFactorCode.nullish(),
  passkey: passkeyProof
    .nullish()
    .describe('The answer of a passkey, as the second factor instead of a code.'),
  deviceToken: text(4096)
    .nullish()
    .describe(
      'Token of the last sign-in on this device. With it, failed attempts of others do not lock the account here.',
    ),
});
export type LoginInput = z.output<typeof loginInput>;

export const refreshToken = text(4096)
  .min(1, 'must not be empty')
  .describe('Last refresh token of the session.');

export const refreshInput = objectOf('A refresh token to exchange.', { refreshToken });

export const logoutInput = objectOf('Sessions to end.', {
  everywhere: z.boolean().nullish().describe('Whether to end all sessions of the user.'),
});

export const passwordResetInput = objectOf('The account whose password is forgotten.', {
  email: email.describe('E-mail address of the account, in any case.'),
});
export type PasswordResetInput = z.output<typeof passwordResetInput>;

export const changePasswordInput = objectOf('The current and the new password.', {
  currentPassword: password.describe('Current password.'),
  newPassword: password.describe('New password: 15 to 128 characters, none of the common ones.'),
});
export type ChangePasswordInput = z.output<typeof changePasswordInput>;
