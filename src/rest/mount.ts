// Mounts routes on Express: sign-in, permission, body and response of each, and 405 for other methods.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type NextFunction, type Request, type Response, Router } from 'express';
import type { z } from 'zod';
import { deprecationHeaders } from '../core/deprecation.js';
import { AppError, withFieldNames } from '../core/errors.js';
import { can, type Viewer } from '../core/permissions.js';
import { bodyLimits, readForm, readJson } from '../http/body.js';
import { relativeLink } from '../http/relative-link.js';
import { currentRequest } from '../infra/telemetry/request-context.js';
import { parseInput } from '../validation/fields.js';

import { toAppError } from './problem.js';
import { allowedMethods, type Credential, type FormBody, type Route, type RouteAnswer } from './route.js';

type Authenticate = (authorization: string | undefined) => Promise<Viewer | null>;

/**
 * Mounts the routes. Another method on one of their paths gets 405 with Allow. Paths without parameters come first, since
 * `/oidc/token` is also an `/oidc/{provider}`.
 */
export function mountRoutes(routes: Route[], authenticate: Authenticate): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const paths = [...allowedMethods(routes)];
  const isFixed = ([path]: readonly [string, string]) => !path.includes('{');
  for (const [path, allow] of [...paths.filter(isFixed), ...paths.filter((entry) => !isFixed(entry))]) {
    for (const route of routes) if (route.path === path) mountRoute(router, route, authenticate);
    router.all(expressPath(path), noteRoute(path), (request: Request, response: Response) => {
      response.setHeader('Allow', allow);
      if (request.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
      response.status(204).end();
    });
  }
  return router;
}

function mountRoute(router: Router, route: Route, authenticate: Authenticate): void {
  const steps = [
    noteRoute(route.path),
    ...(route.deprecated === undefined ? [] : [setHeaders(deprecationOf(route))]),
    ...(route.credential === undefined ? [] : [checkCredential(route.credential)]),
    ...(bodyMethods.has(route.method) && route.upload === undefined ? [readBody(route)] : []),
  ];
  const answer = async (request: Request, response: Response) => {
    const viewer = await viewerOf(route, request.headers.authorization, authenticate);
    const params = parseParameters(route.params, request.params);
    const query = parseParameters(route.query, route.isLenient ? known(route, request.query) : request.query);
    const { caller } = response.locals;
    const answer = await route.handle({
      body: bodyOf(route, request.body),
      params,
      query,
      viewer,
      caller,
      incoming: request,
    });
    if (answer.stream === undefined) send(response, answer, route.mediaType);
    else await sendStream(response, answer, answer.stream, request.method === 'HEAD');
  };
  router[route.method](expressPath(route.path), ...steps, answer, ...errorSteps(route));
}

/** Adds the `error` of RFC 6749 to the errors of a route that has one; errors of a form name the fields of the form. */
function errorSteps({ oauthError, form }: Route) {
  if (oauthError === undefined && form === undefined) return [];
  return [
    (error: unknown, request: Request, _response: Response, next: NextFunction) => {
      const known = toAppError(error);
      if (oauthError !== undefined) known.members = { error: oauthError(known) };
      next(isForm(form, request) ? withFieldNames(known, (path) => fieldNameOf(form, path)) : known);
    },
  ];
}

const isForm = (form: FormBody | undefined, request: Request): form is FormBody =>
  form !== undefined && Boolean(request.is('application/x-www-form-urlencoded'));

function fieldNameOf({ fields }: FormBody, path: string): string {
  return Object.keys(fields).find((name) => fields[name] === path) ?? path;
}

/** The body that a form stands for. */
function bodyOfForm({ fields }: FormBody, given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
      return known === undefined ? [] : [[known, value]];
    }),
  );
}

const bodyMethods: ReadonlySet<string> = new Set(['post', 'put', 'patch']);

function checkCredential({ check }: Credential) {
  return async (request: Request, response: Response, next: () => void) => {
    response.locals.caller = await check(request.headers.authorization);
    next();
  };
}

function bodyOf({ body, isLenient, isBodyOptional }: Route, given: unknown): unknown {
  if (body === undefined) return undefined;
  return isLenient ? given : parseInput(body, given ?? (isBodyOptional ? {} : undefined));
}

function known({ query }: Route, given: object): object {
  return Object.fromEntries(
    Object.entries(given).filter(([name]) => query !== undefined && name in query.shape),
  );
}

/** The path as Express writes it: `{id}` becomes `:id`. */
function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

/** @throws VALIDATION_FAILED that names the parameter; an unknown one is refused, as it may be a slip of a known one */
function parseParameters(shape: z.ZodObject | undefined, given: unknown): Record<string, unknown> {
  return shape === undefined ? {} : parseInput(shape, { ...(given as object) });
}

/** Notes the route of the request, for its log line and for /metrics. */
export function noteRoute(path: string) {
  return (_request: Request, _response: Response, next: () => void): void => {
    const store = currentRequest();
    if (store !== undefined) store.route = path;
    next();
  };
}

function deprecationOf({ path, deprecated }: Route): Record<string, string> {
  if (deprecated === undefined) return {};
  return deprecationHeaders([{ ...deprecated, link: relativeLink(path, deprecated.link) }]);
}

async function viewerOf(
  route: Route,
  authorization: string | undefined,
  authenticate: Authenticate,
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

async function within(found: Promise<Viewer | null>, ms: number): Promise<Viewer | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  const viewer = await Promise.race([found, timeout]);
  clearTimeout(timer);
  return viewer;
}

function setHeaders(headers: Record<string, string>) {
  return (_request: Request, response: Response, next: () => void) => {
    response.set(headers);
    next();
  };
}

function readBody(route: Route) {
  return async (request: Request, _response: Response, next: () => void) => {
    const isEmpty =
      request.headers['content-length'] === '0' ||
      (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined);
    const { form, mediaType = 'application/json', maxBodyBytes = bodyLimits.rest } = route;
    if (
      !(isEmpty && route.isBodyOptional === true) &&
      !isForm(form, request) &&
      !request.is(['application/json', mediaType])
    )
      throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message: `Send the body as ${mediaType}.` });
    const body = await new Promise((resolve, reject) => {
      (isForm(form, request) ? readForm : readJson)(request, maxBodyBytes, resolve, reject);
    });
    request.body = isForm(form, request) ? bodyOfForm(form, body as Record<string, string>) : body;
    next();
  };
}

function send(
  response: Response,
  { status = 200, headers = {}, body }: RouteAnswer,
  mediaType: string | undefined,
): void {
  response.status(status).set(headers);
  if (mediaType !== undefined && body !== undefined) response.type(mediaType);
  if (body === undefined) response.end();
  else response.json(body);
}

/** Longest time that a client may take for a stream. */
const streamMs = 30 * 60_000;

/**
 * Sends a stream. An error before the first part becomes a problem; after it, the connection is cut off, so that the client
 * knows that the body is not whole.
 */
async function sendStream(
  response: Response,
  { status = 200, headers = {} }: RouteAnswer,
  parts: AsyncGenerator<string>,
  isHead: boolean,
): Promise<void> {
  const first = await parts.next();
  response.status(status).set(headers);
  if (isHead || first.done === true) {
    await parts.return(undefined);
    response.end();
    return;
  }
  const { value } = first;
  async function* all() {
    yield value;
    yield* parts;
  }
  const chunks = Readable.from(gathered(all()), { objectMode: false, highWaterMark: 65_536 });
  await pipeline(chunks, response, { signal: AbortSignal.timeout(streamMs) }).catch(() => response.destroy());
}

/** Parts in chunks of at least 16 KiB. */
async function* gathered(parts: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let text = '';
  for await (const part of parts) {
    text += part;
    if (text.length < 16_384) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}
