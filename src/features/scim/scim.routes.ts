// SCIM over HTTP: what directories read first, and the routes of all resources.
import type { z } from 'zod';
import type { Route } from '../../rest/route.js';
import { idParam, type ScimRouteServices, scimRoute } from './directory.routes.js';
import { oneOf, resourceTypeOf, schemaOf, serviceProviderConfig } from './discovery.js';
import { listResponse } from './resource/list.js';
import { groupSchema, type Schema, userSchema } from './resource/schemas.js';
import { resourceRoutes } from './resource.routes.js';
import {
  configBody,
  groupShapes,
  resourceTypeBody,
  resourceTypesBody,
  schemaBody,
  schemasBody,
  userShapes,
} from './scim.bodies.js';
import {
  groupAnswer,
  groupExample,
  pageOf,
  schemaExample,
  userAnswer,
  userExample,
} from './scim.examples.js';

const schemas: readonly Schema[] = [userSchema, groupSchema];
const withExtensions = schemas.flatMap((schema) => [
  schema,
  ...(schema.extension === undefined ? [] : [schema.extension]),
]);

/** Routes under /scim/v2. */
export function scimRoutes(services: ScimRouteServices): Route[] {
  return [
    ...discoveryRoutes(services),
    ...resourceRoutes(services, {
      schema: userSchema,
      shapes: userShapes,
      resources: () => services.scim.users,
      input: userExample,
      answer: userAnswer,
    }),
    ...resourceRoutes(services, {
      schema: groupSchema,
      shapes: groupShapes,
      resources: () => services.scim.groups,
      input: groupExample,
      answer: groupAnswer,
    }),
  ];
}

const exampleUrl = 'https://sec.example.com/scim/v2';
function discoveryRoutes(services: ScimRouteServices): Route[] {
  return [
    scimRoute(services, {
      method: 'get',
      path: '/ServiceProviderConfig',
      operationId: 'scimServiceProviderConfig',
      summary: 'What SCIM can do here',
      description: 'The parts of SCIM that the server supports (RFC 7644, section 4).',
      responses: {
        200: {
          description: 'The configuration.',
          schema: configBody,
          example: serviceProviderConfig(exampleUrl),
        },
      },
      answer: async (_request, { baseUrl }) => ({ body: serviceProviderConfig(baseUrl) }),
    }),
    ...listOf(services, 'ResourceType', 'Resource type', resourceTypeBody, resourceTypesBody, (url) =>
      schemas.map((one) => resourceTypeOf(one, url)),
    ),
    ...listOf(
      services,
      ...(['Schema', 'Schema', schemaBody, schemasBody] as const),
      (url) => withExtensions.map((one) => schemaOf(one, url)),
      schemaExample,
    ),
  ];
}

/** A list of discovery, and one of its items. */
function listOf<Item extends { id: string }>(
  services: ScimRouteServices,
  name: string,
  summary: string,
  body: z.ZodType,
  page: z.ZodType,
  itemsOf: (baseUrl: string) => Item[],
  first = itemsOf(exampleUrl)[0] as Item,
): Route[] {
  return [
    scimRoute(services, {
      method: 'get',
      path: `/${name}s`,
      operationId: `scim${name}s`,
      summary: `${summary}s`,
      description: `All ${summary.toLowerCase()}s (RFC 7644, section 4).`,
      responses: {
        200: { description: 'All of them.', schema: page, example: pageOf(first) },
      },
      answer: async (_request, { baseUrl }) => ({
        body: listResponse(itemsOf(baseUrl), itemsOf(baseUrl).length, 1),
      }),
    }),
    scimRoute(services, {
      method: 'get',
      path: `/${name}s/{id}`,
      operationId: `scim${name}`,
      summary,
      description: `One ${summary.toLowerCase()} (RFC 7644, section 4).`,
      params: idParam(first.id),
      responses: { 200: { description: 'It.', schema: body, example: first } },
      answer: async ({ params }, { baseUrl }) => ({ body: oneOf(itemsOf(baseUrl), params.id ?? '') }),
    }),
  ];
}
