// Shapes of the input of single sign-on, for REST and GraphQL.
import { z } from 'zod';
import { line, objectOf, text } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { secondFactorCode } from '../auth/auth.input.js';
import { passkeyProof } from '../passkey/passkey.input.js';
import { projectRole } from '../project/project.input.js';
import { role } from '../user/user.input.js';

/** The path of routes of one provider. */
export const providerParams = z.object({
  provider: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9 and hyphens')
    .max(32)
    .meta({ description: 'Id of the identity provider in OIDC_PROVIDERS.', example: 'keycloak' }),
});

const codeChallenge = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'must be a PKCE challenge (S256)')
  .max(43);

export const startQuery = z.strictObject({
  returnTo: z.string().max(2000).optional().meta({
    description:
      'Page that receives `code` or `error` in its query: on this server, on an origin in CORS_ORIGINS, or on a loopback address. GraphiQL by default.',
    example: 'https://app.example.com/signed-in',
  }),
  codeChallenge: codeChallenge.optional().meta({
    description:
      'PKCE challenge (RFC 7636, S256): the code is then exchanged with its verifier, on any origin. Without it the cookie of this response binds the code to the browser.',
    example: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  }),
});

/** Providers add parameters of their own. */
export const callbackQuery = z.looseObject({
  state: z.string().max(200).optional().meta({ description: 'State of the sign-in.', example: 'a-state' }),
  code: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'Authorization code from the provider.', example: 'a-code' }),
  error: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'Error code from the provider.', example: 'access_denied' }),
});

export const devicePollInput = objectOf('A sign-in on another device to ask about.', {
  deviceCode: text(4096).min(1, 'must not be empty').describe('The device code that polls.'),
  codeChallenge: codeChallenge.describe(
    'PKCE challenge (RFC 7636, S256): the one-time code is then exchanged with its verifier.',
  ),
});

export const redeemInput = objectOf('A one-time code to exchange for tokens.', {
  code: text(200)
    .min(1, 'must not be empty')
    .describe('The one-time code that the page received; valid for a minute.'),
  codeVerifier: z
    .string()
    .regex(/^[A-Za-z0-9._~-]{43,128}$/, 'must be a PKCE verifier: 43 to 128 of A-Z, a-z, 0-9 and -._~')
    .max(128)
    .nullish()
    .describe('PKCE verifier, where the sign-in began with codeChallenge.'),
  secondFactorCode: secondFactorCode.nullish(),
  passkey: passkeyProof.nullish().describe('The answer of a passkey, as the second factor.'),
  deviceToken: text(4096)
    .nullish()
    .describe('Token of the last sign-in on this device. With it, the user gets no mail about a new device.'),
});

export const setGroupMappingInput = objectOf('A group and what its members get.', {
  provider: line(1, 32).describe('Id of the identity provider in the settings.'),
  group: text(512).min(1, 'must not be empty').describe('Group, exactly as the provider sends it.'),
  role: role.nullish().describe('Role of its members; the highest of all their groups counts.'),
  project: projectKey.nullish().describe('Key of a project whose members they become, instead of a role.'),
  projectRole: projectRole.nullish().describe('Role in the project.'),
});
export type SetGroupMappingInput = z.output<typeof setGroupMappingInput>;
