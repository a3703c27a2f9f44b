// Shapes of the input of workload identity, for GraphQL and REST.
import { z } from 'zod';
import { idOf, int, line, objectOf, text } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { keyScopeList } from '../api-key/api-key.input.js';

/** Longest lifetime of a workload's token, in seconds. */
export const maxLifetimeSeconds = 3600;
const maxClaims = 20;

const claimPattern = z
  .strictObject({
    claim: line(1, 100).describe('Claim of the token: "repository", "sub", "ref".'),
    pattern: line(1, 500).describe(
      'What it must be, exactly; `*` stands for one or more characters other than / and :.',
    ),
  })
  .meta({ graphql: 'ClaimPatternInput', description: 'A claim of a token and its value.' });

const name = line(1, 100).describe('Name, for the audit trail; each is used once.');
const audience = line(1, 500).describe(
  'The only audience (`aud`) of accepted tokens: the URL of this server, for instance, and never one that other services accept.',
);
const claims = z
  .array(claimPattern)
  .min(1, 'must have at least 1 claim')
  .max(maxClaims, `must have at most ${maxClaims} claims`)
  .refine((list) => new Set(list.map(({ claim }) => claim)).size === list.length, 'names a claim twice')
  .describe(
    'Claims that must all match. One of them must name an owner: the subject, a repository or a project.',
  );
const lifetimeSeconds = int(60, maxLifetimeSeconds).describe(
  `Lifetime of a token in seconds: 60 to ${maxLifetimeSeconds}.`,
);
const scopes = keyScopeList.describe('Permissions that the tokens are limited to.');

export const createWorkloadTrustInput = objectOf('A new trust rule.', {
  name,
  issuer: line(1, 500).describe(
    'Issuer of the tokens (`iss`), exactly: an https URL that has OpenID Connect discovery.',
  ),
  audience,
  claims,
  serviceAccountId: idOf('User').describe('Service account as which the workload acts.'),
  project: projectKey
    .nullish()
    .describe('Key of the only project that the tokens reach; all projects of the account unless given.'),
  scopes,
  lifetimeSeconds: lifetimeSeconds
    .nullish()
    .describe('Lifetime of a token in seconds: 60 to 3600; 900 unless given.'),
});
export type CreateWorkloadTrustInput = z.output<typeof createWorkloadTrustInput>;

export const updateWorkloadTrustInput = objectOf('Changes of a trust rule; absent fields stay as they are.', {
  id: idOf('WorkloadTrust').describe('The rule to change.'),
  name: name.nullish(),
  audience: audience.nullish(),
  claims: claims.nullish(),
  scopes: scopes.nullish(),
  lifetimeSeconds: lifetimeSeconds.nullish(),
  isEnabled: z.boolean().nullish().describe('Whether tokens are accepted.'),
});
export type UpdateWorkloadTrustInput = z.output<typeof updateWorkloadTrustInput>;

const ofTokenType = 'urn:ietf:params:oauth:token-type:';
/** The issued token. */
export const issuedTokenType = `${ofTokenType}access_token`;

/** Fields that a form may leave out, and JSON may also set to null. */
const named = {
  audience: text(500).describe('The audience of the subject token, which it must have then.'),
  scope: text(2000).describe(
    'Permissions to limit the token to, separated by spaces; all of the trust rule unless given.',
  ),
};

export const exchangeInput = objectOf('A token to exchange (RFC 8693).', {
  grantType: z
    .literal('urn:ietf:params:oauth:grant-type:token-exchange', {
      error: 'must be urn:ietf:params:oauth:grant-type:token-exchange',
    })
    .describe('Always the same.'),
  subjectToken: text(65_536)
    .min(1, 'must not be empty')
    .describe('The token of the job or other workload, as its platform has issued it (JWT).'),
  subjectTokenType: z
    .enum([`${ofTokenType}jwt`, `${ofTokenType}id_token`], {
      error: `must be ${ofTokenType}jwt or ${ofTokenType}id_token`,
    })
    .describe('Kind of the token; both mean the same here.'),
  requestedTokenType: z
    .literal(issuedTokenType, { error: `must be ${issuedTokenType}` })
    .nullish()
    .describe('Kind of token to issue; there is only this one.'),
  audience: named.audience.nullish().describe(named.audience.description ?? ''),
  scope: named.scope.nullish().describe(named.scope.description ?? ''),
});
export type ExchangeInput = z.output<typeof exchangeInput>;
