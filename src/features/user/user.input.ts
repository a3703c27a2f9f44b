// Shapes and limits of the input of users, for GraphQL and REST.
import { z } from 'zod';
import { normaliseEmail } from '../../validation/email.js';
import { enumOf, idOf, line, objectOf, text } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

export const role = enumOf('Role', 'Rights of a user.', {
  ADMIN: 'All rights: users, sessions, the audit trail and every execution.',
  ANALYST: 'Creates and runs executions; changes only the ones that this user created or claimed.',
  VIEWER: 'Reads executions and results, and watches them live.',
});

export const userStatus = enumOf('UserStatus', 'Whether a user can sign in.', {
  ACTIVE: 'Can sign in.',
  INVITED: 'Has not chosen a password.',
  DEACTIVATED: 'Cannot sign in; all sessions have ended and all API keys are revoked.',
});

export const userKind = enumOf('UserKind', 'Whether a user is a person or a program.', {
  PERSON: 'Signs in.',
  SERVICE: 'A service account: a program with API keys and without a password.',
});

/** An e-mail address as typed, its domain in ASCII; compared without regard to case. */
export const email = line(3, 254)
  .transform(normaliseEmail)
  .pipe(z.email('is not an e-mail address').max(254, 'must have at most 254 characters'))
  .describe(
    'E-mail address, unique without regard to case. An international domain is stored in ASCII (xn--…).',
  );

/** A password on its way in: any characters, exactly as given. Its rules depend on the user: see the service. */
export const password = text(1024)
  .min(1, 'must not be empty')
  .describe('Taken exactly as given; 15 to 128 characters.');

const name = line(1, 200).describe('Display name.');

export const createUserInput = objectOf('A new user.', {
  email,
  name,
  password: password
    .nullish()
    .describe(
      'Initial password: 15 to 128 characters, none of the common ones. Without one, the user is invited to choose it.',
    ),
  role: role.describe('Role.'),
});
export type CreateUserInput = z.output<typeof createUserInput>;

export const createServiceAccountInput = objectOf('A new service account.', {
  name: name.describe('Display name: the program, for example "nightly zap".'),
  role: role.describe('Role; ANALYST or VIEWER for an account of one project.'),
  project: projectKey
    .nullish()
    .describe(
      'Key of the only project that the account can read and change; the account is deleted with it. All projects unless given.',
    ),
});
export type CreateServiceAccountInput = z.output<typeof createServiceAccountInput>;

export const setPasswordInput = objectOf('A one-time link and the password that its owner chooses.', {
  token: text(200).min(1, 'must not be empty').describe('The token of an invitation or a reset.'),
  newPassword: password.describe('15 to 128 characters, none of the common ones.'),
});
export type SetPasswordInput = z.output<typeof setPasswordInput>;

export const updateUserInput = objectOf('Changes of a user; absent fields stay as they are.', {
  id: idOf('User').describe('The user to change.'),
  email: email.nullish().describe('New e-mail address.'),
  name: name.nullish().describe('New display name.'),
  role: role.nullish().describe('New role; acts at once.'),
});
export type UpdateUserInput = z.output<typeof updateUserInput>;

export const userFilter = objectOf('Filter for users; all conditions must hold.', {
  role: role.nullish().describe('Only users of this role.'),
  kind: userKind.nullish().describe('Only people, or only service accounts.'),
  status: userStatus.nullish().describe('Only users of this status.'),
  search: line(1, 200)
    .nullish()
    .describe('Part of the name or e-mail address, without regard to case and accents.'),
});
export type UserFilter = z.output<typeof userFilter>;
