// openapi.yaml from the routes: the document and nothing about serving it.
import { stringify } from 'yaml';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { type ErrorCode, errorCatalogue } from '../core/errors.js';
import type { Route } from './route.js';

const problem = z
  .strictObject({
    type: z.string().describe('Always about:blank: `code` tells the kind.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What went wrong, for people.'),
    instance: z.string().describe('The path that was asked.'),
    code: z
      .enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]])
      .describe('What went wrong, for programs.'),
    correlationId: z.string().describe('Id of the request, as in the logs.'),
    errors: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .describe('Faults by field.'),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

/** Codes that every route can answer with. */
const commonErrors: readonly ErrorCode[] = ['INTERNAL'];
/** Codes that every route with a body can answer with. */
const bodyErrors: readonly ErrorCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

/** The OpenAPI 3.1 document as an object. */
export function createOpenApiDocument(routes: Route[], version: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  const document: ZodOpenApiObject = {
    openapi: '3.1.1',
    info: {
      title: 'SEC-TESTER API',
      version,
      description:
        'Sign-in and health over REST. Everything else (executions, results, users, audit) is GraphQL at `/graphql`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This server.' }],
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
          description: 'An access token from sign-in, or an API key.',
        },
      },
    },
    paths,
  };
  return createDocument(document, { override: ({ jsonSchema }) => dropOwnWords(jsonSchema) });
}

/** Takes out what is for GraphQL only, and bounds that say no more than "a whole number". */
function dropOwnWords(schema: Record<string, unknown>): void {
  delete schema.graphql;
  delete schema.values;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

/** The document as YAML, as it stands in openapi.yaml. */
export function printOpenApi(routes: Route[], version: string): string {
  return stringify(createOpenApiDocument(routes, version), { lineWidth: 110 });
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const responses: ZodOpenApiOperationObject['responses'] = {};
  const errors = [...route.errors, ...(route.body === undefined ? [] : bodyErrors), ...commonErrors];
  for (const [status, { description, schema }] of Object.entries(route.responses)) {
    responses[status as '200'] = {
      description,
      ...(schema !== undefined && { content: { 'application/json': { schema } } }),
    };
  }
  for (const [status, codes] of byStatus(errors)) {
    if (status in responses) continue;
    responses[String(status) as '400'] = {
      description: codes.map((code) => `${code}: ${errorCatalogue[code].message}`).join('\n'),
      content: { 'application/problem+json': { schema: problem } },
    };
  }
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    security: route.permission === 'public' ? [] : [{ accessToken: [] }],
    ...(route.body !== undefined && {
      requestBody: {
        required: route.isBodyOptional !== true,
        content: { 'application/json': { schema: route.body } },
      },
    }),
    responses,
  };
}

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCatalogue[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}
