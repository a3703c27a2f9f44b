// Shapes of sign-in input, shared by GraphQL and REST.
import { z } from 'zod';
import { text } from '../../validation/fields.js';
import { email, password } from '../user/user.input.js';

/** A code of the authenticator app, or a recovery code. */
export const secondFactorCode = text(64).describe('A code of the authenticator app, or a recovery code.');

export const loginInput = z
  .strictObject({
    email: email.describe('E-mail address, in any case.'),
    password: password.describe('The password, exactly as it was set.'),
    code: secondFactorCode.nullish(),
  })
  .describe('Credentials.');
export type LoginInput = z.output<typeof loginInput>;

export const refreshToken = text(4096)
  .min(1, 'must not be empty')
  .describe('The last refresh token of the session.');

export const refreshInput = z.strictObject({ refreshToken }).describe('A refresh token to exchange.');

export const logoutInput = z
  .strictObject({
    everywhere: z.boolean().nullish().describe('End all sessions of the user, not only this one.'),
  })
  .describe('What to end.');

export const changePasswordInput = z
  .strictObject({
    currentPassword: password.describe('The present password.'),
    newPassword: password.describe('The new one: 15 to 128 characters, none of the common ones.'),
  })
  .describe('The present and the new password.');
export type ChangePasswordInput = z.output<typeof changePasswordInput>;
