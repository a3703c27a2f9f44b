// Shapes of the input of SCIM: tokens in GraphQL, and the parameters of requests. Resources are read in resource/document.ts.
import { z } from 'zod';
import { dateTime, line, objectOf } from '../../validation/fields.js';
import { email } from '../user/user.input.js';

/** An e-mail address of an account. */
export const accountEmail = email;

export const createScimTokenInput = objectOf('A new SCIM token.', {
  name: line(1, 100).describe('Name: the directory that uses it.'),
  provider: line(1, 32)
    .nullish()
    .describe(
      'Id of the identity provider in the settings whose users and groups the directory has; "scim" by default, for a directory without one.',
    ),
  mayAdopt: z
    .boolean()
    .nullish()
    .describe(
      'Whether a new user of the directory may take over the account that has the same e-mail address; no by default. Never the account of an admin with a password.',
    ),
  expiresAt: dateTime.nullish().describe('Time of expiry; it does not expire by default.'),
});
export type CreateScimTokenInput = z.output<typeof createScimTokenInput>;

/** More than a filter may have, so that the filter's own limit refuses it by the standard's name. */
const list = (description: string, example: string) =>
  z.string().max(8000).optional().meta({ description, example });

export const shownQuery = z.strictObject({
  attributes: list('Attributes to send, separated by commas.', 'userName,emails.value'),
  excludedAttributes: list('Attributes not to send, separated by commas.', 'members'),
});

/** Directories may ask for more than there is, as by the largest number of their language. */
const largest = 999_999_999;
const number = (description: string, example: string) =>
  z
    .string()
    .regex(/^-?\d{1,30}$/, 'must be a whole number')
    .max(31)
    .transform((digits) => Math.max(-largest, Math.min(largest, Number(digits))))
    .optional()
    .meta({ description, example });

export const listQuery = shownQuery.extend({
  filter: list(
    'Filter (RFC 7644, section 3.4.2.2), at most 2,000 characters.',
    'userName eq "ada@example.com"',
  ),
  sortBy: z.string().max(200).optional().meta({ description: 'Attribute to sort by.', example: 'userName' }),
  sortOrder: z
    .string()
    .regex(/^(ascending|descending)$/i, 'must be ascending or descending')
    .max(10)
    .optional()
    .meta({ description: 'Order: ascending by default.', example: 'descending' }),
  startIndex: number('Index of the first resource, from 1.', '1'),
  count: number('Resources of the page, at most 200; 100 by default.', '100'),
});
export type ListQuery = z.output<typeof listQuery>;
