// What openapi.yaml says of answers: problems with an example each, and the headers. The document is openapi.ts.
import { z } from 'zod';
import type {
  ZodOpenApiHeaderObject,
  ZodOpenApiOperationObject,
  ZodOpenApiResponseObject,
} from 'zod-openapi';
import { type ErrorCode, errorCatalogue } from '../core/errors.js';
import { apiVersion } from '../http/headers.js';
import type { Route } from './route.js';

const titles = [...new Set(Object.values(errorCatalogue).map(({ title }) => title))] as [string, ...string[]];
/** The longest text that names what was sent, which may be a whole body. */
const text = z.string().max(200_000);
const correlationIdPattern = '^[A-Za-z0-9._-]{1,128}$';

const problem = z
  .strictObject({
    type: z.literal('about:blank').describe('Always the same: `code` tells the kind.'),
    title: z.enum(titles).describe('The kind, in a few words.'),
    status: z.int().min(400).max(599).describe('The HTTP status.'),
    detail: text.describe('What went wrong, for people.'),
    instance: text.describe('The path that was asked.'),
    code: z
      .enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]])
      .describe('What went wrong, for programs.'),
    correlationId: z
      .string()
      .regex(new RegExp(correlationIdPattern))
      .max(128)
      .describe('Id of the request, as in the logs.'),
    errors: z
      .array(
        z.strictObject({
          path: text.describe('Where the value stands: "email", "results.3.title".'),
          message: text.describe('What is wrong there.'),
        }),
      )
      .max(100_000)
      .optional()
      .describe('Faults by field.'),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

const string = (description: string, example: string): ZodOpenApiHeaderObject => ({
  description,
  schema: { type: 'string', maxLength: 2000 },
  example,
});

/** Headers of answers to these routes, by name. */
export function answerHeaders(routes: readonly Route[]): Record<string, ZodOpenApiHeaderObject> {
  const isEnding = routes.some(({ deprecated }) => deprecated !== undefined);
  return { ...usualHeaders, ...(isEnding && endingHeaders) };
}

const usualHeaders: Record<string, ZodOpenApiHeaderObject> = {
  'X-Correlation-ID': {
    description: 'Id of the request, as in the logs: the one that it came with, when that was valid.',
    schema: { type: 'string', pattern: correlationIdPattern, maxLength: 128 },
    example: '4e0c1c52-6c0e-4f5e-9f4b-0d4a8f1d7a55',
  },
  'API-Version': string('The version that answered.', apiVersion),
  'Access-Control-Allow-Origin': string(
    'The origin of the page that asks, when CORS_ORIGINS has it; otherwise missing.',
    'https://app.example.com',
  ),
  RateLimit: string(
    'How many requests are left (`r`), and in how many seconds the count begins anew (`t`). Missing where requests are not counted, and on failed sign-ins.',
    '"default";r=2999;t=60',
  ),
  'RateLimit-Policy': string(
    'How many requests (`q`) may come within how many seconds (`w`).',
    '"default";q=3000;w=60',
  ),
  'Retry-After': {
    description: 'In how many seconds another try makes sense.',
    schema: { type: 'integer', format: 'int32', minimum: 0, maximum: 86_400 },
    example: 30,
  },
  'WWW-Authenticate': string(
    'How to sign in, and what is wrong with the token that was sent (RFC 6750).',
    'Bearer realm="sec-tester", error="invalid_token", error_description="The token has expired; refresh it or sign in."',
  ),
};

const endingHeaders: Record<string, ZodOpenApiHeaderObject> = {
  Deprecation: string('Since when this is deprecated (RFC 9745).', '@1767225600'),
  Sunset: string('When this may be gone (RFC 8594).', 'Wed, 01 Jul 2026 00:00:00 GMT'),
  Link: string('Where to read about the deprecation.', '</docs>; rel="deprecation"; type="text/html"'),
};

const everywhere = ['X-Correlation-ID', 'API-Version', 'Access-Control-Allow-Origin'];
const counted = ['RateLimit', 'RateLimit-Policy'];

/** Probes must not be turned away; app.ts counts the rest. */
export const isCounted = ({ path }: Route): boolean => !path.startsWith('/api/v1/health');

const refer = (names: string[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** Headers of an answer that is no error. */
export function headersOfAnswer(route: Route): ReturnType<typeof refer> {
  const ending = route.deprecated === undefined ? [] : Object.keys(endingHeaders);
  return refer([...everywhere, ...(isCounted(route) ? counted : []), ...ending]);
}

function headersOfProblem(status: number): ReturnType<typeof refer> {
  return refer([
    ...[...everywhere, ...counted],
    ...(status === 401 || status === 403 ? ['WWW-Authenticate'] : []),
    ...(status === 429 || status === 503 ? ['Retry-After'] : []),
  ]);
}

function exampleOf(code: ErrorCode): z.output<typeof problem> {
  const { status, title, message } = errorCatalogue[code];
  const errors = [{ path: 'email', message: 'is not an e-mail address' }];
  return {
    ...{ type: 'about:blank', title, status },
    detail: code === 'VALIDATION_FAILED' ? 'email: is not an e-mail address' : message,
    ...{ instance: '/api/v1/auth/login', code, correlationId: '4e0c1c52-6c0e-4f5e-9f4b-0d4a8f1d7a55' },
    ...(code === 'VALIDATION_FAILED' && { errors }),
  };
}

function problemResponse(status: number, codes: readonly ErrorCode[]): ZodOpenApiResponseObject {
  const examples = codes.map((code) => [
    code,
    { summary: errorCatalogue[code].title, value: exampleOf(code) },
  ]);
  return {
    description: codes.map((code) => `${code}: ${errorCatalogue[code].message}`).join('\n\n'),
    headers: headersOfProblem(status),
    content: { 'application/problem+json': { schema: problem, examples: Object.fromEntries(examples) } },
  };
}

/** The answers of these codes by status. A status of one code alone is written down once for all routes. */
export function problemAnswers(
  codes: readonly ErrorCode[],
): NonNullable<ZodOpenApiOperationObject['responses']> {
  return Object.fromEntries(
    [...byStatus(codes)].map(([status, group]) => [
      String(status),
      group.length === 1 ? { $ref: `#/components/responses/${group[0]}` } : problemResponse(status, group),
    ]),
  );
}

/** The shared answers that {@link problemAnswers} refers to, for all lists of codes that it is given. */
export function sharedAnswers(
  lists: readonly (readonly ErrorCode[])[],
): Record<string, ZodOpenApiResponseObject> {
  const alone = lists.flatMap((codes) => [...byStatus(codes)].filter(([, group]) => group.length === 1));
  return Object.fromEntries(
    alone
      .map(([status, group]) => [group[0] as ErrorCode, problemResponse(status, group)] as const)
      .sort(([one], [other]) => one.localeCompare(other)),
  );
}

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const { status } = errorCatalogue[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return new Map([...groups].sort(([one], [other]) => one - other));
}
