// The responses of the OpenAPI document: problems by status, with an example of each code.
import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from 'zod-openapi';
import { type ErrorCode, errorCatalogue } from '../core/error-catalogue.js';
import { AppError } from '../core/errors.js';
import { correlationIdPattern, headersOfProblem } from './openapi-headers.js';
import { scimErrorOf, scimMediaType } from './scim-error.js';

const titles = [...new Set(Object.values(errorCatalogue).map(({ title }) => title))] as [string, ...string[]];
/** The longest text that repeats a client's input, which may be a whole body. */
const text = z.string().max(200_000);

const problem = z
  .strictObject({
    type: z.literal('about:blank').describe('Always the same; `code` has the kind of the error.'),
    title: z.enum(titles).describe('The kind, in a few words.'),
    status: z.int().min(400).max(599).describe('The HTTP status.'),
    detail: text.describe('The error in a sentence, for people.'),
    instance: text.describe('The path of the request.'),
    code: z
      .enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]])
      .describe('The kind of error, for programs.'),
    correlationId: z
      .string()
      .regex(new RegExp(correlationIdPattern))
      .max(128)
      .describe('Id of the request, as in the logs.'),
    errors: z
      .array(
        z.strictObject({
          path: text.describe('Path of the value: "email", "results.3.title".'),
          message: text.describe('The fault of the value.'),
        }),
      )
      .max(100_000)
      .optional()
      .describe('Faults by field.'),
    error: z
      .string()
      .max(40)
      .optional()
      .describe('The error code of RFC 6749, where the standard of the route wants one.'),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

function exampleOf(code: ErrorCode): z.output<typeof problem> {
  const { status, title, message } = errorCatalogue[code];
  const errors = [{ path: 'email', message: 'is not an e-mail address' }];
  return {
    type: 'about:blank',
    title,
    status,
    detail: code === 'VALIDATION_FAILED' ? 'email: is not an e-mail address' : message,
    instance: '/api/v1/auth/login',
    code,
    correlationId: '4e0c1c52-6c0e-4f5e-9f4b-0d4a8f1d7a55',
    ...(code === 'VALIDATION_FAILED' && { errors }),
  };
}

const scimError = z
  .strictObject({
    schemas: z.array(z.string().max(200)).max(1).describe('The URN of errors.'),
    status: z.string().max(3).describe('The HTTP status.'),
    scimType: z.string().max(20).optional().describe('The kind of error (RFC 7644, table 9).'),
    detail: text.describe('The error in a sentence, for people.'),
  })
  .meta({ id: 'ScimError', description: 'An error of SCIM (RFC 7644, section 3.12).' });

/** The response with a status in the words of SCIM; its example is that of the first code. */
function scimResponse(status: number, codes: readonly ErrorCode[]): ZodOpenApiResponseObject {
  return {
    description: codes.map((code) => `${code}: ${errorCatalogue[code].message}`).join('\n\n'),
    headers: headersOfProblem(status),
    content: {
      [scimMediaType]: { schema: scimError, example: scimErrorOf(new AppError(codes[0] as ErrorCode)) },
    },
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

/** The problems with these codes, by status. A status of a single code refers to {@link sharedResponses}. */
export function problemResponses(
  codes: readonly ErrorCode[],
  isScim = false,
): NonNullable<ZodOpenApiOperationObject['responses']> {
  return Object.fromEntries(
    [...byStatus(codes)].map(([status, group]) => [
      String(status),
      group.length === 1
        ? { $ref: `#/components/responses/${nameOf(group[0] as ErrorCode, isScim)}` }
        : (isScim ? scimResponse : problemResponse)(status, group),
    ]),
  );
}

/** The responses that {@link problemResponses} refers to, for all lists of codes that it gets. */
export function sharedResponses(
  lists: readonly (readonly ErrorCode[])[],
  isScim = false,
): Record<string, ZodOpenApiResponseObject> {
  const single = lists.flatMap((codes) => [...byStatus(codes)].filter(([, group]) => group.length === 1));
  return Object.fromEntries(
    single
      .map(([status, group]) => {
        const response = (isScim ? scimResponse : problemResponse)(status, group);
        return [nameOf(group[0] as ErrorCode, isScim), response] as const;
      })
      .sort(([one], [other]) => one.localeCompare(other)),
  );
}

const nameOf = (code: ErrorCode, isScim: boolean): string => (isScim ? `SCIM_${code}` : code);

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  // A route that needs the database may also wait too long for it.
  const all = codes.includes('UNAVAILABLE') ? [...codes, 'QUERY_TIMEOUT' as const] : codes;
  for (const code of new Set(all)) {
    const { status } = errorCatalogue[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return new Map([...groups].sort(([one], [other]) => one - other));
}
