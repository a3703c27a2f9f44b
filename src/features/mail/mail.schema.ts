// Undelivered mails in GraphQL, for admins.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { connectionType } from '../../graphql/schema-kit/connection.js';
import { orNull, time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { enumType } from '../../graphql/schema-kit/zod-inputs.js';
import { enumOf } from '../../validation/fields.js';
import { UserType } from '../user/user.schema.js';
import type { MailRow } from './mail.service.js';

const kind = enumOf('MailKind', 'What a mail is about.', {
  INVITATION: 'An invitation to choose a password.',
  PASSWORD_RESET: 'A link to choose a new password.',
  NEW_DEVICE: 'A sign-in on a device that the account had not been used on.',
  API_KEY_EXPIRING: 'An API key that ends soon.',
  ACCOUNT_LOCKED: 'A lock after failed sign-ins.',
});

const state = enumOf('MailState', 'State of a mail.', {
  PENDING: 'It is to be sent, for the first time or again.',
  SENT: 'The mail server took it.',
  FAILED: 'The mail server refused it, or all attempts failed.',
  OBSOLETE: 'Its reason ended before it was sent: the link is void, or the user deactivated.',
});

const MailType = builder.objectRef<MailRow>('Mail').implement({
  description: 'A mail to a user. Neither its text nor its link can be read.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the mail.', resolve: ({ id }) => toPublicId('Mail', id) }),
    user: t.field({
      type: UserType,
      nullable: true,
      description: 'The user to whose address it goes.',
      resolve: ({ userId }, _args, { loaders }) => loaders.users.load(userId),
    }),
    kind: t.expose('kind', { type: enumType(kind), description: 'What it is about.' }),
    state: t.expose('state', { type: enumType(state), description: 'State.' }),
    attempts: t.exposeInt('attempts', { description: 'Number of attempts.' }),
    lastError: t.exposeString(
      'lastError',
      orNull('Error of the last attempt, with the code of the mail server where there was one.'),
    ),
    createdAt: t.expose('createdAt', time('Time of what it is about.')),
    nextAttemptAt: t.expose(
      'nextAttemptAt',
      timeOrNull('Earliest time of the next attempt; null when there is none.'),
    ),
  }),
});

const MailConnection = connectionType('Mail', MailType, 'mails');

query('undeliveredMails', MailConnection, 'user:read', {
  description: 'Mails that wait for their delivery or were given up in the last 30 days, newest first.',
  args: (arg) => ({
    first: arg.int({ description: 'How many mails: 1 to 100, default 20.' }),
    after: arg.string({ description: 'Cursor: only mails after it.' }),
  }),
  run: ({ mails }, _viewer, page) => mails.undelivered(page),
});
