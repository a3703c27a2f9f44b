// Makes routes for directories: with a SCIM token in place of a sign-in, and with the bodies of SCIM.
import { z } from 'zod';
import { baseUrlOf, type PublicPlace } from '../../infra/public-place.js';
import { defineRoute, type Route, type RouteAnswer, type RouteRequest } from '../../rest/route.js';
import { scimMediaType, scimPath } from '../../rest/scim-error.js';
import type { ScimRequest } from './options.js';
import type { ListResponse } from './resource/list.js';
import type { Resource } from './resource/user-row.js';
import type { ListQuery } from './scim.input.js';
import type { ScimCaller } from './token/token.checks.js';
import type { ScimTokenService } from './token/token.service.js';

/** A type of resources, as its service reads and changes it. */
export interface ScimResources {
  list: (request: ScimRequest, query: ListQuery) => Promise<ListResponse>;
  get: (request: ScimRequest, id: string, query: ListQuery) => Promise<Resource>;
  create: (request: ScimRequest, body: unknown) => Promise<Resource>;
  replace: (request: ScimRequest, id: string, body: unknown) => Promise<Resource>;
  patch: (request: ScimRequest, id: string, body: unknown) => Promise<Resource>;
  remove: (request: ScimRequest, id: string) => Promise<void>;
}

/** Services that the routes call. */
export interface ScimRouteServices {
  scim: { tokens: ScimTokenService; users: ScimResources; groups: ScimResources };
  publicPlace: PublicPlace;
}

/** Largest body in bytes: room for a group with all of its members. */
const maxBodyBytes = 2_000_000;

/** The parts of a route that differ between routes for directories. */
export type DirectoryRoute = Pick<
  Route,
  'method' | 'path' | 'operationId' | 'summary' | 'description' | 'responses'
> &
  Partial<Pick<Route, 'params' | 'query' | 'body' | 'bodyExample' | 'headers'>> & {
    errors?: Route['errors'];
    answer: (
      request: RouteRequest<unknown, Record<string, string>, ListQuery>,
      scim: ScimRequest,
    ) => Promise<RouteAnswer>;
  };

/** Makes a route for directories: each is made here, so that none forgets to ask for a token. */
export function scimRoute(
  services: ScimRouteServices,
  { answer, errors = [], path, ...route }: DirectoryRoute,
): Route {
  return defineRoute({
    ...route,
    path: `${scimPath}${path}`,
    tag: 'SCIM',
    permission: 'public',
    credential: { scheme: 'scimToken', check: (authorization) => services.scim.tokens.check(authorization) },
    mediaType: scimMediaType,
    maxBodyBytes,
    isLenient: true,
    errors: [
      'VALIDATION_FAILED',
      'UNAUTHENTICATED',
      'TOKEN_EXPIRED',
      'NOT_FOUND',
      'RATE_LIMITED',
      'UNAVAILABLE',
      ...errors,
    ],
    handle: (request) => {
      const { caller, incoming } = request;
      return answer(request as RouteRequest<unknown, Record<string, string>, ListQuery>, {
        caller: caller as ScimCaller, // what the credential proved
        baseUrl: `${baseUrlOf(incoming.headers, services.publicPlace)}${scimPath}`,
        ifMatch: incoming.headers['if-match'],
      });
    },
  });
}

/** The parameter of a path to one of them. */
export const idParam = (example: string) =>
  z.object({ id: z.string().max(200).meta({ description: 'Id.', example }) });
