// Shapes and limits of user input, shared by GraphQL and REST.
import { z } from 'zod';
import { enumOf, idOf, line, text } from '../../validation/fields.js';

export const role = enumOf('Role', 'What a user may do.', {
  ADMIN: 'Everything: users, sessions, the audit trail and any execution.',
  ANALYST: 'Creates and runs executions; changes only those it created or has claimed.',
  VIEWER: 'Reads executions and results and watches them live.',
});

export const userStatus = enumOf('UserStatus', 'Whether a user may sign in.', {
  ACTIVE: 'May sign in.',
  DEACTIVATED: 'May not sign in; all sessions have ended.',
});

/** An e-mail address; kept as typed, compared without regard to case. */
export const email = line(3, 254)
  .pipe(z.email('is not an e-mail address'))
  .describe('E-mail address; unique without regard to case.');

/** A password on its way in: any characters, exactly as given. Its rules depend on the user: see the service. */
export const password = text(1024)
  .min(1, 'must not be empty')
  .describe('Taken exactly as given; 15 to 128 characters.');

const name = line(1, 200).describe('Display name.');

export const createUserInput = z
  .strictObject({
    email,
    name,
    password: password
      .nullish()
      .describe(
        'The first password: 15 to 128 characters, none of the common ones. Better left out: the user is invited to choose it.',
      ),
    role: role.describe('What the user may do.'),
  })
  .describe('A new user.');
export type CreateUserInput = z.output<typeof createUserInput>;

export const setPasswordInput = z
  .strictObject({
    token: text(200).min(1, 'must not be empty').describe('The token of an invitation or a reset.'),
    newPassword: password.describe('15 to 128 characters, none of the common ones.'),
  })
  .describe('An invitation and the password that its owner chooses.');
export type SetPasswordInput = z.output<typeof setPasswordInput>;

export const updateUserInput = z
  .strictObject({
    id: idOf('User').describe('The user to change.'),
    email: email.nullish().describe('New e-mail address.'),
    name: name.nullish().describe('New display name.'),
    role: role.nullish().describe('New role; acts at once.'),
  })
  .describe('What to change of a user; what is left out stays.');
export type UpdateUserInput = z.output<typeof updateUserInput>;

export const userFilter = z
  .strictObject({
    role: role.nullish().describe('Only users of this role.'),
    status: userStatus.nullish().describe('Only users of this status.'),
    search: line(1, 200).nullish().describe('Part of the name or e-mail, in any case.'),
  })
  .describe('Which users; conditions are joined by and.');
export type UserFilter = z.output<typeof userFilter>;
