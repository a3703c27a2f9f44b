// Creates the OpenAPI document from the routes. openapi-responses.ts has its responses, docs.routes.ts serves it.
import { stringify } from 'yaml';
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { deprecationNote } from '../core/deprecation.js';
import type { ErrorCode } from '../core/error-catalogue.js';
import { headersOfResponse, isCounted, responseHeaders } from './openapi-headers.js';
import { problemResponses, sharedResponses } from './openapi-responses.js';
import type { Route, RouteResponse } from './route.js';
import { scimMediaType } from './scim-error.js';

const about = `Sign-in, imports of reports and health over REST. Everything else (executions, results, findings, users, audit) is GraphQL at \`/graphql\`.

## How it works

- **Signing in**: \`POST /api/v1/auth/login\`, with a passkey (\`/api/v1/auth/passkeys/login\`), or at one of the identity providers that \`GET /api/v1/auth/providers\` lists; then \`Authorization: Bearer …\` with the access token. An API key goes into the same header.
- **Errors** are \`application/problem+json\` (RFC 9457). Decide by \`code\`; \`errors\` names the invalid fields.
- **Correlation**: send \`X-Correlation-ID\` (1 to 128 of \`A-Z a-z 0-9 . _ -\`) to find a request in the logs; every response has one.
- **Compression**: send large bodies with \`Content-Encoding: gzip\`. Limits on bodies hold before and after decompression.
- **Versions**: every response has \`API-Version\`. \`Accept-Version: 1\` asks for a version; the server refuses one that it does not have. \`Deprecation\` and \`Sunset\` mark what will be removed.
- **Limits**: \`RateLimit\` and \`RateLimit-Policy\` show what is left of a limit; 429 and 503 come with \`Retry-After\`.
- **Methods**: \`HEAD\` works wherever \`GET\` does, and \`OPTIONS\` lists the methods of a path; any other gets 405 with \`Allow\`.`;

/** Options of writing openapi.yaml and /docs/openapi.yaml. */
export const yamlOptions = { lineWidth: 110, aliasDuplicateObjects: false };

/**
 * Creates the OpenAPI 3.1 document as an object.
 * @param serverUrl where the API is, as a reference relative to the document
 */
export function createOpenApiDocument(routes: readonly Route[], version: string, serverUrl = '/') {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  const server = { url: serverUrl, description: 'This server, local, staging or production.' };
  const document: ZodOpenApiObject = {
    openapi: '3.1.1',
    info: {
      title: 'SEC-TESTER API',
      version,
      description: about,
      contact: { name: 'The operators of this server' },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [Object.assign(server, { 'x-internal': false })], // an extension that OWASP's rules ask for
    tags: [
      { name: 'Authentication', description: 'Signing in and out.' },
      { name: 'Imports', description: 'Reports of scanners, turned into results and findings.' },
      { name: 'Exports', description: 'Results and findings as files.' },
      { name: 'SCIM', description: 'Users and groups, as directories keep them (RFC 7644).' },
      { name: 'Health', description: 'For load balancers and people.' },
    ],
    components: {
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'An access token from sign-in (a JWT, issued and verified as RFC8725 recommends), or an API key.',
        },
        scimToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'sts_…',
          description: 'A token that an admin creates for a directory (createScimToken); it opens SCIM only.',
        },
      },
      headers: responseHeaders(routes),
      responses: {
        ...sharedResponses(routes.filter(isUsual).map(errorsOf)),
        ...sharedResponses(routes.filter((route) => !isUsual(route)).map(errorsOf), true),
      },
    },
    paths,
  };
  return createDocument(document, { override: ({ jsonSchema }) => tidy(jsonSchema) });
}

/** Returns the document as YAML, as it stands in openapi.yaml. */
export function printOpenApi(routes: readonly Route[], version: string): string {
  return stringify(createOpenApiDocument(routes, version), yamlOptions);
}

/** Removes what only GraphQL needs, and states the width of integers. */
function tidy(schema: Record<string, unknown>): void {
  delete schema.graphql;
  delete schema.values;
  if (schema.type !== 'integer') return;
  const isSmall = Number(schema.maximum) <= 2 ** 31 - 1;
  schema.format = isSmall ? 'int32' : 'int64';
}

/** The codes of a route: its own and those of every route. */
function errorsOf(route: Route): ErrorCode[] {
  return [
    ...route.errors,
    ...(['VALIDATION_FAILED', 'UNKNOWN_VERSION', 'INTERNAL'] as const),
    ...(route.body === undefined && route.upload === undefined
      ? []
      : (['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    ...(isCounted(route) ? (['RATE_LIMITED'] as const) : []),
  ];
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const { deprecated } = route;
  const responses: ZodOpenApiOperationObject['responses'] = problemResponses(
    errorsOf(route),
    route.mediaType === scimMediaType,
  );
  for (const [status, response] of Object.entries(route.responses)) {
    responses[status as '200'] = {
      ...responseOf(response, route.mediaType),
      headers: headersOfResponse(route, response),
    };
  }
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description:
      deprecated === undefined ? route.description : `${route.description} ${deprecationNote(deprecated)}`,
    ...(deprecated !== undefined && { deprecated: true }),
    security: securityOf(route),
    ...parametersOf(route),
    ...(route.upload !== undefined && { requestBody: uploadBody(route.upload.description) }),
    ...(route.body !== undefined && {
      requestBody: {
        required: route.isBodyOptional !== true,
        content: {
          [route.mediaType ?? 'application/json']: { schema: route.body, example: route.bodyExample },
          ...(route.form !== undefined && {
            'application/x-www-form-urlencoded': { schema: route.form.schema, example: route.form.example },
          }),
        },
      },
    }),
    responses,
  };
}

const isUsual = ({ mediaType }: Route): boolean => mediaType !== scimMediaType;

function securityOf({ permission, credential }: Route): Record<string, string[]>[] {
  if (credential !== undefined) return [{ [credential.scheme]: [] }];
  return permission === 'public' ? [] : [{ accessToken: [] }];
}

function parametersOf({ params, query, headers }: Route) {
  if (params === undefined && query === undefined && headers === undefined) return {};
  const given = Object.entries({ path: params, query, header: headers }).filter(([, shape]) => shape);
  return { requestParams: Object.fromEntries(given) };
}

/** A file in any media type; a browser sends it as a form. */
function uploadBody(description: string): ZodOpenApiOperationObject['requestBody'] {
  const file = { type: 'string' as const, format: 'binary', maxLength: 10_000_000_000 };
  const report = { ...file, description: 'The report.' };
  const form = {
    type: 'object' as const,
    additionalProperties: false,
    required: ['report'],
    properties: { report },
  };
  return {
    description,
    required: true,
    content: {
      'multipart/form-data': { schema: form, example: { report: '(a file)' } },
      'application/octet-stream': { schema: file, example: '(a file)' },
    },
  };
}

function responseOf(
  { description, schema, example, streamed }: RouteResponse,
  mediaType = 'application/json',
) {
  if (streamed !== undefined) {
    const text = { type: 'string' as const, maxLength: 1_000_000_000_000 };
    const types = Object.entries(streamed).map(([type, example]) => [type, { schema: text, example }]);
    return { description, content: Object.fromEntries(types) };
  }
  if (schema === undefined) return { description };
  return {
    description,
    content: { [mediaType]: { schema, ...(example !== undefined && { example }) } },
  };
}
