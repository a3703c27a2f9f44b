// Shapes and limits of API key input.
import { z } from 'zod';
import { keyScopes } from '../../core/permissions.js';
import { dateTime, idOf, int, line, objectOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

const scope = z.enum(keyScopes as [string, ...string[]]);

/** A list of scopes, each once. */
export const keyScopeList = z
  .array(
    z.string().superRefine((name, check) => {
      if (scope.safeParse(name).success) return;
      check.addIssue({ code: 'custom', message: `is not a scope; there are ${keyScopes.join(', ')}` });
    }),
  )
  .min(1, 'must have at least 1 scope')
  .max(keyScopes.length, 'has too many scopes')
  .refine((scopes) => new Set(scopes).size === scopes.length, 'names a scope twice');

export const createApiKeyInput = objectOf('A new API key.', {
  name: line(1, 100).describe('Name: its purpose, for example "nightly zap".'),
  scopes: keyScopeList.describe(`Permissions that the key is limited to: ${keyScopes.join(', ')}.`),
  project: projectKey
    .nullish()
    .describe('Key of the only project that it reads and changes; all projects of its owner unless given.'),
  expiresAt: dateTime.describe('Time of expiry: at most a year from now.'),
  serviceAccountId: idOf('User')
    .nullish()
    .describe('Service account that the key is for, which only an admin may name; the caller unless given.'),
});
/** Longest time that a replaced key goes on. */
export const maxOverlapMinutes = 7 * 24 * 60;

export const rotateApiKeyInput = objectOf('The rotation of an API key.', {
  id: idOf('ApiKey').describe('The key to replace.'),
  overlapMinutes: int(0, maxOverlapMinutes)
    .nullish()
    .describe(`Minutes for which the old key keeps working, at most ${maxOverlapMinutes}; a day by default.`),
  expiresAt: dateTime
    .nullish()
    .describe(
      'Expiry of the new key, at most a year from now. Unless given, its lifetime is that of the old key.',
    ),
});
export type RotateApiKeyInput = z.output<typeof rotateApiKeyInput>;
export type CreateApiKeyInput = z.output<typeof createApiKeyInput>;
