// REST routes as data: what the router mounts is what openapi.yaml tells. No route is named here.
import { type Request, type Response, Router } from 'express';
import type { z } from 'zod';
import { type Deprecation, deprecationHeaders } from '../core/deprecation.js';
import { AppError, type ErrorCode } from '../core/errors.js';
import { can, type Permission, type Viewer } from '../core/permissions.js';
import { bodyLimits, readJson } from '../http/body.js';
import { currentRequest } from '../infra/telemetry/request-context.js';
import { parseInput } from '../validation/fields.js';

/** What a handler answers. */
export interface RouteAnswer {
  /** 200 unless said otherwise. */
  status?: number;
  headers?: Record<string, string>;
  /** Left out for 204. */
  body?: unknown;
}

/** An answer as the docs tell of it. */
export interface RouteResponse {
  description: string;
  schema?: z.ZodType;
  example?: unknown;
}

/** One route. */
export interface Route<Body extends z.ZodType = z.ZodType> {
  method: 'get' | 'post';
  /** Full path. */
  path: string;
  operationId: string;
  tag: string;
  summary: string;
  description: string;
  /** What one must hold to use it. */
  permission: Permission | 'public';
  /** A public route that makes use of a sign-in when it comes with a good one. */
  isViewerWelcome?: boolean;
  /**
   * Longest wait for knowing who that is; beyond it the request counts as anonymous. Only access tokens are looked at:
   * where no limit counts requests, strangers must not make the database look for keys.
   */
  viewerWithinMs?: number;
  /** Whether one more request may wait; asked before anything of the request is read (http/admission-queue.ts). */
  hasCapacity?: () => boolean;
  body?: Body;
  /** A body as a client sends it; for the docs. */
  bodyExample?: z.input<Body>;
  /** An empty body is taken as {}. */
  isBodyOptional?: boolean;
  responses: Record<number, RouteResponse>;
  /** Codes of its own; those that every route can answer with are in http/openapi.ts. */
  errors: readonly ErrorCode[];
  /** Set when it is to go: its answers say so, see docs/versioning.md. */
  deprecated?: Deprecation;
  handle: (request: { body: z.output<Body>; viewer: Viewer | null }) => Promise<RouteAnswer>;
}

/** Keeps the body's type within a route. */
export function defineRoute<Body extends z.ZodType>(route: Route<Body>): Route {
  return route as unknown as Route;
}

/** Mounts routes; other methods on their paths get 405 with Allow. */
export function mountRoutes(
  routes: Route[],
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>,
): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const route of routes) {
    const steps = [
      named(route.path),
      ...(route.deprecated === undefined ? [] : [setHeaders(deprecationHeaders([route.deprecated]))]),
      ...(route.method === 'post' ? [readBody(route)] : []),
    ];
    router[route.method](route.path, ...steps, async (request, response) => {
      const viewer = await viewerOf(route, request.headers.authorization, authenticate);
      const body =
        route.body === undefined
          ? undefined
          : parseInput(route.body, request.body ?? (route.isBodyOptional ? {} : undefined));
      send(response, await route.handle({ body, viewer }));
    });
  }
  for (const [path, allow] of allowedMethods(routes)) {
    router.all(path, named(path), (request: Request, response: Response) => {
      response.setHeader('Allow', allow);
      if (request.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
      response.status(204).end();
    });
  }
  return router;
}

/** Notes which route answers, for the request's line and /metrics. */
export function named(path: string) {
  return (_request: Request, _response: Response, next: () => void): void => {
    const store = currentRequest();
    if (store !== undefined) store.route = path;
    next();
  };
}

/** Path → the methods it takes, as the Allow header says them. */
export function allowedMethods(routes: Route[]): Map<string, string> {
  return new Map(
    [...new Set(routes.map((route) => route.path))].map((path) => {
      const methods = routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
      return [path, [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')];
    }),
  );
}

async function viewerOf(
  route: Route,
  authorization: string | undefined,
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>,
): Promise<Viewer | null> {
  if (route.permission === 'public') {
    if (!route.isViewerWelcome || authorization === undefined) return null;
    const { viewerWithinMs } = route;
    if (viewerWithinMs !== undefined && /^Bearer +stk_/i.test(authorization)) return null;
    const found = authenticate(authorization).catch(() => null);
    return viewerWithinMs === undefined ? found : within(found, viewerWithinMs);
  }
  const viewer = await authenticate(authorization);
  if (viewer === null) throw new AppError('UNAUTHENTICATED');
  const store = currentRequest();
  if (store !== undefined) Object.assign(store, { userId: viewer.userId, sessionId: viewer.sessionId });
  if (!can(viewer, route.permission)) throw new AppError(viewer.mustFirst ?? 'FORBIDDEN');
  return viewer;
}

function setHeaders(headers: Record<string, string>) {
  return (_request: Request, response: Response, next: () => void) => {
    response.set(headers);
    next();
  };
}

async function within(found: Promise<Viewer | null>, ms: number): Promise<Viewer | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  const viewer = await Promise.race([found, timeout]);
  clearTimeout(timer);
  return viewer;
}

function readBody(route: Route) {
  return async (request: Request, _response: Response, next: () => void) => {
    const isEmpty =
      request.headers['content-length'] === '0' ||
      (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined);
    if (!(isEmpty && route.isBodyOptional === true) && !request.is('application/json'))
      throw new AppError('UNSUPPORTED_MEDIA_TYPE');
    request.body = await new Promise((resolve, reject) => {
      readJson(request, bodyLimits.rest, resolve, reject);
    });
    next();
  };
}

function send(response: Response, { status = 200, headers = {}, body }: RouteAnswer): void {
  response.status(status).set(headers);
  if (body === undefined) response.end();
  else response.json(body);
}
