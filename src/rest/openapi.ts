// openapi.yaml from the routes: the document and nothing about serving it. Its answers are in openapi-answers.ts.
import { stringify } from 'yaml';
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { deprecationNote } from '../core/deprecation.js';
import type { ErrorCode } from '../core/errors.js';
import {
  answerHeaders,
  headersOfAnswer,
  isCounted,
  problemAnswers,
  sharedAnswers,
} from './openapi-responses.js';
import type { Route, RouteResponse } from './route.js';

const about = `Sign-in and health over REST. Everything else (executions, results, users, audit) is GraphQL at \`/graphql\`.

## How it works

- **Signing in**: \`POST /api/v1/auth/login\`, then \`Authorization: Bearer …\` with the access token. An API key goes into the same header.
- **Errors** are \`application/problem+json\` (RFC 9457). Decide by \`code\`; \`errors\` names the faulty fields.
- **Correlation**: send \`X-Correlation-ID\` (1 to 128 of \`A-Z a-z 0-9 . _ -\`) to find a request in the logs again; each answer has one.
- **Versions**: each answer has \`API-Version\`. \`Accept-Version: 1\` makes sure of the version; one that is not there is refused. What is deprecated says so by \`Deprecation\` and \`Sunset\`.
- **Limits**: \`RateLimit\` and \`RateLimit-Policy\` tell where a caller stands; 429 and 503 come with \`Retry-After\`.
- **Methods**: \`HEAD\` works wherever \`GET\` does, and \`OPTIONS\` tells the methods of a path; any other gets 405 with \`Allow\`.`;

/** The OpenAPI 3.1 document as an object. */
export function createOpenApiDocument(routes: readonly Route[], version: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  const document: ZodOpenApiObject = {
    openapi: '3.1.1',
    info: {
      title: 'SEC-TESTER API',
      version,
      description: about,
      contact: { name: 'The operators of this server' },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: '/', description: 'This server, local, staging or production.', 'x-internal': false } as never,
    ],
    tags: [
      { name: 'Authentication', description: 'Signing in and out.' },
      { name: 'Health', description: 'For load balancers and people.' },
    ],
    components: {
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'An access token from sign-in (a JWT, made and checked by RFC8725), or an API key.',
        },
      },
      headers: answerHeaders(routes),
      responses: sharedAnswers(routes.map(errorsOf)),
    },
    paths,
  };
  return createDocument(document, { override: ({ jsonSchema }) => tidy(jsonSchema) });
}

/** The document as YAML, as it stands in openapi.yaml. */
export function printOpenApi(routes: readonly Route[], version: string): string {
  return stringify(createOpenApiDocument(routes, version), { lineWidth: 110, aliasDuplicateObjects: false });
}

/** Takes out what is for GraphQL only, and bounds that say no more than "a whole number"; says how wide those are. */
function tidy(schema: Record<string, unknown>): void {
  delete schema.graphql;
  delete schema.values;
  if (schema.type !== 'integer') return;
  const isSmall = Number(schema.maximum) <= 2 ** 31 - 1;
  schema.format = isSmall ? 'int32' : 'int64';
}

/** Codes that a route can answer with: its own, and those of every route. */
function errorsOf(route: Route): ErrorCode[] {
  return [
    ...route.errors,
    ...(['VALIDATION_FAILED', 'UNKNOWN_VERSION', 'INTERNAL'] as const),
    ...(route.body === undefined ? [] : (['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    ...(isCounted(route) ? (['RATE_LIMITED'] as const) : []),
  ];
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const { deprecated } = route;
  const responses: ZodOpenApiOperationObject['responses'] = problemAnswers(errorsOf(route));
  for (const [status, response] of Object.entries(route.responses)) {
    responses[status as '200'] = { ...answerOf(response), headers: headersOfAnswer(route) };
  }
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description:
      deprecated === undefined ? route.description : `${route.description} ${deprecationNote(deprecated)}`,
    ...(deprecated !== undefined && { deprecated: true }),
    security: route.permission === 'public' ? [] : [{ accessToken: [] }],
    ...(route.body !== undefined && {
      requestBody: {
        required: route.isBodyOptional !== true,
        content: { 'application/json': { schema: route.body, example: route.bodyExample } },
      },
    }),
    responses,
  };
}

function answerOf({ description, schema, example }: RouteResponse) {
  if (schema === undefined) return { description };
  return {
    description,
    content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
  };
}
