// The exchange of workloads' tokens over REST (RFC 8693).
import { z } from 'zod';
import type { AppError } from '../../core/errors.js';
import { defineRoute, type FormBody, type Route } from '../../rest/route.js';
import type { TokenExchange } from './exchange.service.js';
import { exchangeInput, issuedTokenType, maxLifetimeSeconds } from './workload.input.js';

const accessToken = z
  .string()
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .max(4096)
  .describe('Send it as Authorization: Bearer. It cannot be refreshed.');
const issuedType = z.literal(issuedTokenType).describe('Always the same.');
const tokenType = z.literal('Bearer').describe('Always the same (RFC 6750).');
const expiresIn = z.int().min(60).max(maxLifetimeSeconds).describe('Seconds until the token expires.');
const scope = z.string().max(2000).describe('Permissions that the token is limited to, separated by spaces.');

const exchangedBody = z
  .union([
    z.strictObject({ accessToken, issuedTokenType: issuedType, tokenType, expiresIn, scope }),
    z.strictObject({
      access_token: accessToken,
      issued_token_type: issuedType,
      token_type: tokenType,
      expires_in: expiresIn,
      scope,
    }),
  ])
  .meta({ id: 'ExchangedToken', description: 'A token, in the spelling of the request: JSON or a form.' });

const example = {
  grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subjectToken: 'header.claims-of-the-job.signature',
  subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
} as const;

/** Names of a form's fields, as the RFC has them. */
const fieldNames: Readonly<Record<string, string>> = {
  grant_type: 'grantType',
  subject_token: 'subjectToken',
  subject_token_type: 'subjectTokenType',
  requested_token_type: 'requestedTokenType',
  audience: 'audience',
  scope: 'scope',
  // Refused as unknown fields of the body: a token on behalf of another actor is not what the caller would get.
  actor_token: 'actor_token',
  actor_token_type: 'actor_token_type',
};

/** The body as the RFC has it. */
const form: FormBody = {
  schema: z
    .strictObject({
      grant_type: exchangeInput.shape.grantType,
      subject_token: exchangeInput.shape.subjectToken,
      subject_token_type: exchangeInput.shape.subjectTokenType,
      requested_token_type: issuedType.optional(),
      audience: exchangeInput.shape.audience.unwrap().unwrap().optional(),
      scope: exchangeInput.shape.scope.unwrap().unwrap().optional(),
    })
    .describe('The same as the RFC spells it; further fields are ignored.'),
  example: {
    grant_type: example.grantType,
    subject_token: example.subjectToken,
    subject_token_type: example.subjectTokenType,
  },
  fields: fieldNames,
};

/** Route POST /api/v1/auth/token-exchange. */
export function workloadRoutes({ tokenExchange }: { tokenExchange: TokenExchange }): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/token-exchange',
      operationId: 'exchangeToken',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Exchange the token of a CI job',
      description:
        'Takes the OpenID Connect token of a CI job or another workload, and answers with a token of a service account, where a trust rule of the admins allows it (RFC 8693). Each token works once. Errors also have the `error` of RFC 6749.',
      body: exchangeInput,
      bodyExample: example,
      form,
      responses: {
        200: {
          description: 'The token.',
          schema: exchangedBody,
          example: {
            accessToken: 'header.claims-of-access.signature',
            issuedTokenType,
            tokenType: 'Bearer',
            expiresIn: 900,
            scope: 'report:import execution:read finding:read',
          },
        },
      },
      errors: ['VALIDATION_FAILED', 'SUBJECT_TOKEN_REFUSED', 'RATE_LIMITED', 'UNAVAILABLE'],
      oauthError,
      handle: async ({ body, incoming }) => {
        const { accessToken, expiresIn, scopes } = await tokenExchange.exchange(body);
        const scope = scopes.join(' ');
        const isForm = !/^application\/json\b/i.test(incoming.headers['content-type'] ?? '');
        return {
          body: isForm
            ? {
                access_token: accessToken,
                issued_token_type: issuedTokenType,
                token_type: 'Bearer',
                expires_in: expiresIn,
                scope,
              }
            : { accessToken, issuedTokenType, tokenType: 'Bearer', expiresIn, scope },
        };
      },
    }),
  ];
}

const errorByField: Readonly<Record<string, string>> = {
  grantType: 'unsupported_grant_type',
  scope: 'invalid_scope',
  audience: 'invalid_target',
};

/** The error as RFC 6749 (5.2) and RFC 8693 (2.2.2) name it. */
function oauthError({ code, fields }: AppError): string {
  if (code === 'RATE_LIMITED' || code === 'UNAVAILABLE' || code === 'QUERY_TIMEOUT')
    return 'temporarily_unavailable';
  if (code === 'INTERNAL') return 'server_error';
  const [first] = fields ?? [];
  return errorByField[first?.path ?? ''] ?? 'invalid_request';
}
