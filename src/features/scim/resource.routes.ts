// Routes of a type of resources: list, create, read, replace, change and delete.
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Route, RouteAnswer } from '../../rest/route.js';
import {
  type DirectoryRoute,
  idParam,
  type ScimResources,
  type ScimRouteServices,
  scimRoute,
} from './directory.routes.js';
import { shownOf } from './resource/list.js';
import type { Schema } from './resource/schemas.js';
import type { Resource } from './resource/user-row.js';
import { namesVersion } from './resource/versions.js';
import { patchInput, type ResourceShapes } from './scim.bodies.js';
import { pageOf, patchExample } from './scim.examples.js';
import { type ListQuery, listQuery, shownQuery } from './scim.input.js';

const tagOf = (description: string) =>
  z.string().max(500).optional().meta({ description, example: 'W/"abc"' });
const ifMatch = z.object({ 'if-match': tagOf('Version that the resource must have.') });
const ifNoneMatch = z.object({ 'if-none-match': tagOf('Version that the caller has.') });

/** A type of resources with its examples. */
export interface ResourceKind {
  schema: Schema;
  shapes: ResourceShapes;
  /** Called when a request comes: listing routes needs no services. */
  resources: () => ScimResources;
  input: object;
  answer: { id: string };
}

const sent = (resource: Resource, query: ListQuery): RouteAnswer => ({
  headers: { ETag: resource.meta.version },
  body: shownOf(resource, query),
});

/** The routes of a type of resources. */
export function resourceRoutes(services: ScimRouteServices, kind: ResourceKind): Route[] {
  return [...readingOf(kind), ...creatingOf(kind), ...changingOf(kind)].map((route) =>
    scimRoute(services, route),
  );
}

const partsOf = ({ schema, shapes, answer }: ResourceKind) => {
  const [path, word] = [`/${schema.name}s`, schema.name.toLowerCase()];
  return {
    name: schema.name,
    path,
    word,
    one: { description: `The ${word}.`, schema: shapes.one, example: answer },
    at: { path: `${path}/{id}`, params: idParam(answer.id), query: shownQuery },
  };
};

function readingOf(kind: ResourceKind): DirectoryRoute[] {
  const { name, path, word, one, at } = partsOf(kind);
  return [
    {
      method: 'get',
      path,
      operationId: `scim${name}s`,
      summary: `List ${word}s`,
      description: `The ${word}s of the directory, a page by index. Unknown parameters are ignored.`,
      query: listQuery,
      responses: {
        200: { description: 'A page.', schema: kind.shapes.page, example: pageOf(kind.answer) },
      },
      answer: async ({ query }, request) => ({ body: await kind.resources().list(request, query) }),
    },
    {
      ...at,
      method: 'get',
      operationId: `scim${name}`,
      summary: `Read a ${word}`,
      description: `One ${word} of the directory.`,
      headers: ifNoneMatch,
      responses: { 200: one, 304: { description: 'The caller has this version.' } },
      answer: async ({ params, query, incoming }, request) => {
        const found = await kind.resources().get(request, params.id ?? '', query);
        if (isCurrent(incoming, found)) return { status: 304, headers: { ETag: found.meta.version } };
        return sent(found, query);
      },
    },
  ];
}

function creatingOf(kind: ResourceKind): DirectoryRoute[] {
  const { name, path, word, one } = partsOf(kind);
  return [
    {
      method: 'post',
      path,
      operationId: `createScim${name}`,
      summary: `Create a ${word}`,
      description: `Creates a ${word}. Unknown attributes are ignored.`,
      query: shownQuery,
      body: kind.shapes.input,
      bodyExample: kind.input,
      responses: { 201: { ...one, hasLocation: true } },
      errors: ['CONFLICT'],
      answer: async ({ body, query }, request) => {
        const made = await kind.resources().create(request, body);
        const answer = sent(made, query);
        return { ...answer, status: 201, headers: { ...answer.headers, Location: made.meta.location } };
      },
    },
  ];
}

function changingOf(kind: ResourceKind): DirectoryRoute[] {
  const { name, word, one, at } = partsOf(kind);
  const changing = { ...at, headers: ifMatch, errors: ['CONFLICT', 'PRECONDITION_FAILED'] as const };
  return [
    {
      ...changing,
      method: 'put',
      operationId: `replaceScim${name}`,
      summary: `Replace a ${word}`,
      description: `Replaces what the directory has said of a ${word}; what it leaves out is unassigned.`,
      body: kind.shapes.input,
      bodyExample: kind.input,
      responses: { 200: one },
      answer: async ({ params, body, query }, request) =>
        sent(await kind.resources().replace(request, params.id ?? '', body), query),
    },
    {
      ...changing,
      method: 'patch',
      operationId: `patchScim${name}`,
      summary: `Change a ${word}`,
      description: `Applies operations to a ${word}, all or none.`,
      body: patchInput,
      bodyExample: patchExample,
      responses: { 200: one },
      answer: async ({ params, body, query }, request) =>
        sent(await kind.resources().patch(request, params.id ?? '', body), query),
    },
    {
      ...changing,
      method: 'delete',
      operationId: `deleteScim${name}`,
      summary: `Delete a ${word}`,
      description: `Deletes a ${word}.`,
      responses: { 204: { description: 'It is gone.' } },
      answer: async ({ params }, request) => {
        await kind.resources().remove(request, params.id ?? '');
        return { status: 204 };
      },
    },
  ];
}

function isCurrent({ headers }: IncomingMessage, { meta }: Resource): boolean {
  const given = headers['if-none-match'];
  return given !== undefined && namesVersion(given, meta.version);
}
