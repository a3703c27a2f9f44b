// REST routes as data: mount.ts mounts them, and openapi.ts documents the same data. No route is named here.
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { Deprecation } from '../core/deprecation.js';
import type { ErrorCode } from '../core/error-catalogue.js';
import type { AppError } from '../core/errors.js';
import type { Permission, Viewer } from '../core/permissions.js';

/** The result of a handler. */
export interface RouteAnswer {
  /** 200 by default. */
  status?: number;
  headers?: Record<string, string>;
  /** Absent for 204. */
  body?: unknown;
  /** Parts of the body, sent as fast as the client takes them; the headers name the media type. */
  stream?: AsyncGenerator<string>;
}

/** A documented response. */
export interface RouteResponse {
  description: string;
  schema?: z.ZodType;
  /** Media types of a streamed body, each with an example. */
  streamed?: Readonly<Record<string, string>>;
  example?: unknown;
  /** Whether the header Location names where to go on. */
  hasLocation?: boolean;
}

/** Arguments of a handler. */
export interface RouteRequest<Body, Params, Query> {
  body: Body;
  /** Parameters of the path. */
  params: Params;
  /** Parameters of the query string. */
  query: Query;
  viewer: Viewer | null;
  /** The identity that the route's credential proved. */
  caller: unknown;
  /** The request, for routes with an upload: its body is not read yet. */
  incoming: IncomingMessage;
}

/** A form that stands for a body. */
export interface FormBody {
  schema: z.ZodType;
  example: Record<string, string>;
  /**
   * The field of the body that each field of a form stands for; further fields are ignored. The body is checked like one that came as
   * JSON, and its errors name the fields of the form.
   */
  fields: Readonly<Record<string, string>>;
}

/** The authentication of callers that are no users. */
export interface Credential {
  /** Name among the security schemes of the OpenAPI document. */
  scheme: string;
  /** Checks the header Authorization before the body is read. @throws UNAUTHENTICATED */
  check: (authorization: string | undefined) => Promise<unknown>;
}

/** One route. */
export interface Route<
  Body extends z.ZodType = z.ZodType,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Full path; parameters stand in braces, as in OpenAPI. */
  path: string;
  operationId: string;
  tag: string;
  summary: string;
  description: string;
  /** The permission that a caller needs. */
  permission: Permission | 'public';
  /** Set for a public route whose callers are no users: a standard of its own has them prove who they are. */
  credential?: Credential;
  /** Media type of bodies and answers, where it is not application/json; bodies may have that one too. */
  mediaType?: string;
  /** Largest body in bytes, where the usual limit of REST is too small. */
  maxBodyBytes?: number;
  /**
   * Whether the schemas of body and query only document. A standard that has unknown attributes ignored and names read in any
   * case has the handler check the body, and unknown query parameters left out.
   */
  isLenient?: boolean;
  /** Whether a public route uses the sign-in of a caller who has a valid one. */
  isViewerWelcome?: boolean;
  /**
   * Longest wait for that sign-in, in milliseconds; beyond it the caller counts as anonymous. With this bound only access
   * tokens are examined: where no limit counts requests, anonymous callers must not make the database look up API keys.
   */
  viewerWithinMs?: number;
  /** Whether one more request may wait; asked before anything of the request is read (http/admission-queue.ts). */
  hasCapacity?: () => boolean;
  /** The parameters of the path. */
  params?: Params;
  /** The parameters of the query string. */
  query?: Query;
  /** Request headers that the route reads. */
  headers?: z.ZodObject;
  /** Set for a route whose body is a file of any media type, raw or in multipart/form-data. The handler reads it. */
  upload?: { description: string };
  /** Set for a route whose body may also be a form (application/x-www-form-urlencoded), as its standard has it. */
  form?: FormBody;
  body?: Body;
  /** A body as a client sends it, for the documentation. */
  bodyExample?: z.input<Body>;
  /** Whether an empty body stands for {}. */
  isBodyOptional?: boolean;
  responses: Record<number, RouteResponse>;
  /** Error codes of this route; openapi.ts has those of every route. */
  errors: readonly ErrorCode[];
  /** The `error` (RFC 6749) of its errors, for a route of a standard that wants one. */
  oauthError?: (error: AppError) => string;
  /** Set for a route that will be removed; its responses say so (docs/versioning.md). */
  deprecated?: Deprecation;
  handle: (request: RouteRequest<z.output<Body>, z.output<Params>, z.output<Query>>) => Promise<RouteAnswer>;
}

/** Types a route's handler by its body and parameters. */
export function defineRoute<Body extends z.ZodType, Params extends z.ZodObject, Query extends z.ZodObject>(
  route: Route<Body, Params, Query>,
): Route {
  return route as Route; // a list of routes has no common type of body: each handler gets its own, parsed
}

/** Returns path → methods, as the header Allow lists them. */
export function allowedMethods(routes: Route[]): Map<string, string> {
  return new Map(
    [...new Set(routes.map((route) => route.path))].map((path) => {
      const methods = routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
      return [path, [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')];
    }),
  );
}
