// Shapes and limits of API key input.
import { z } from 'zod';
import { keyScopes } from '../../core/permissions.js';
import { dateTime, line } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

const scope = z.enum(keyScopes as [string, ...string[]]);

export const createApiKeyInput = z
  .strictObject({
    name: line(1, 100).describe('Name: its purpose, for example "nightly zap".'),
    scopes: z
      .array(
        z.string().superRefine((name, check) => {
          if (scope.safeParse(name).success) return;
          check.addIssue({ code: 'custom', message: `is not a scope; there are ${keyScopes.join(', ')}` });
        }),
      )
      .min(1, 'must have at least 1 scope')
      .max(keyScopes.length, 'has too many scopes')
      .refine((scopes) => new Set(scopes).size === scopes.length, 'names a scope twice')
      .describe(`Permissions that the key is limited to: ${keyScopes.join(', ')}.`),
    project: projectKey
      .nullish()
      .describe('Key of the only project that it reads and changes; all projects of its owner unless given.'),
    expiresAt: dateTime.describe('Time of expiry: at most a year from now.'),
  })
  .describe('A new API key.');
export type CreateApiKeyInput = z.output<typeof createApiKeyInput>;
