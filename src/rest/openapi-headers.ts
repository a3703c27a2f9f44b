// The headers of responses in the OpenAPI document. openapi-responses.ts has the bodies.
import type { ZodOpenApiHeaderObject } from 'zod-openapi';
import { apiVersion } from '../http/headers.js';
import type { Route, RouteResponse } from './route.js';

/** Valid correlation ids, as a regular expression of JSON Schema. */
export const correlationIdPattern = '^[A-Za-z0-9._-]{1,128}$';

const string = (description: string, example: string): ZodOpenApiHeaderObject => ({
  description,
  schema: { type: 'string', maxLength: 2000 },
  example,
});

const usualHeaders: Record<string, ZodOpenApiHeaderObject> = {
  'X-Correlation-ID': {
    description: 'Id of the request, as in the logs; the valid id that the request came with is kept.',
    schema: { type: 'string', pattern: correlationIdPattern, maxLength: 128 },
    example: '4e0c1c52-6c0e-4f5e-9f4b-0d4a8f1d7a55',
  },
  'API-Version': string('The version of the API that responded.', apiVersion),
  'Access-Control-Allow-Origin': string(
    'The origin of the page that called, if CORS_ORIGINS lists it; otherwise absent.',
    'https://app.example.com',
  ),
  RateLimit: string(
    'Requests left (`r`) and seconds until the count starts again (`t`). Absent where requests are not counted, and on failed sign-ins.',
    '"default";r=2999;t=60',
  ),
  'RateLimit-Policy': string(
    'Requests (`q`) that the limit allows in a window of seconds (`w`).',
    '"default";q=3000;w=60',
  ),
  Location: string(
    'The resource that the request created, or the page to which it redirects the browser.',
    '/api/v1/imports/imp_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10',
  ),
  'Retry-After': {
    description: 'Seconds after which a retry makes sense.',
    schema: { type: 'integer', format: 'int32', minimum: 0, maximum: 86_400 },
    example: 30,
  },
  'WWW-Authenticate': string(
    'How to sign in, and the fault of the token in the request (RFC 6750).',
    'Bearer realm="sec-tester", error="invalid_token", error_description="The token has expired; refresh it or sign in."',
  ),
  'Accept-Encoding': string(
    'Content codings that the server accepts, where the request used another.',
    'gzip, identity',
  ),
};

const endingHeaders: Record<string, ZodOpenApiHeaderObject> = {
  Deprecation: string('The day since which this is deprecated (RFC 9745).', '@1767225600'),
  Sunset: string('The day on which this may be removed (RFC 8594).', 'Wed, 01 Jul 2026 00:00:00 GMT'),
  Link: string('A page about the deprecation.', '<../../docs>; rel="deprecation"; type="text/html"'),
};

/** The headers of responses to these routes, by name. */
export function responseHeaders(routes: readonly Route[]): Record<string, ZodOpenApiHeaderObject> {
  const isEnding = routes.some(({ deprecated }) => deprecated !== undefined);
  return { ...usualHeaders, ...(isEnding && endingHeaders) };
}

const everywhere = ['X-Correlation-ID', 'API-Version', 'Access-Control-Allow-Origin'];
const counted = ['RateLimit', 'RateLimit-Policy'];

/** Whether the request limit counts a route. Probes must not be refused; http-server.ts counts the other paths. */
export const isCounted = ({ path }: Route): boolean => !path.startsWith('/api/v1/health');

type References = Record<string, { $ref: string }>;

const refer = (names: string[]): References =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** The headers of a response that is no error. */
export function headersOfResponse(route: Route, { hasLocation }: RouteResponse): References {
  const ending = route.deprecated === undefined ? [] : Object.keys(endingHeaders);
  const location = hasLocation === true ? ['Location'] : [];
  return refer([...everywhere, ...location, ...(isCounted(route) ? counted : []), ...ending]);
}

/** The headers of a problem with this status. */
export function headersOfProblem(status: number): References {
  return refer([
    ...everywhere,
    ...counted,
    ...(status === 401 || status === 403 ? ['WWW-Authenticate'] : []),
    ...(status === 415 ? ['Accept-Encoding'] : []),
    ...(status === 429 || status === 503 ? ['Retry-After'] : []),
  ]);
}
