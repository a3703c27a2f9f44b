// openapi.yaml as a judge: whether it documents an answer of the server. Every REST call of the harness asks.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

export interface RestAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: any;
}

interface Described {
  $ref?: string;
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, unknown>;
}
interface OpenApi {
  servers: object[];
  paths: Record<string, Record<string, { responses: Record<string, Described> }>>;
  components: Record<string, Record<string, Described>>;
}

/** The document that stands in the repository; the set-up of all tests has parsed it. */
export const openapi: OpenApi = JSON.parse(readFileSync(process.env.TEST_OPENAPI as string, 'utf8'));
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(openapi, 'openapi');

const escaped = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');

/**
 * Throws unless openapi.yaml has this answer: operation, status, type, body and headers. Of what is at no path of it
 * (or is no method there), only a problem's shape is judged.
 */
export function assertDocumented(method: string, url: string, answer: RestAnswer): void {
  const path = url.split('?', 1)[0] ?? '';
  const operation = openapi.paths[path]?.[method.toLowerCase().replace('head', 'get')];
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
  if (operation === undefined) {
    if (type === 'application/problem+json' && answer.body !== '') {
      assertFits('#/components/schemas/Problem', answer.body, `${method} ${path}`);
    }
    return;
  }
  const what = `${method} ${path} → ${answer.status} ${type}`;
  const given = operation.responses[answer.status];
  if (given === undefined) throw new Error(`${what}: openapi.yaml has no such status`);
  const where = given.$ref ?? `#/paths/${escaped(path)}/${method.toLowerCase()}/responses/${answer.status}`;
  const response =
    given.$ref === undefined ? given : openapi.components.responses?.[given.$ref.split('/').at(-1) as string];
  for (const name of ['X-Correlation-ID', 'API-Version']) {
    if (!answer.headers.has(name)) throw new Error(`${what}: the header ${name} is missing`);
  }
  for (const name of Object.keys(openapi.components.headers ?? {})) {
    if (answer.headers.has(name) && response?.headers?.[name] === undefined)
      throw new Error(`${what}: openapi.yaml does not tell of the header ${name}`);
  }
  if (method === 'HEAD') return;
  if (response?.content?.[type] === undefined) throw new Error(`${what}: openapi.yaml has no such type`);
  assertFits(`${where}/content/${escaped(type)}/schema`, answer.body, what);
}

function assertFits(pointer: string, body: unknown, what: string): void {
  const validate = ajv.getSchema(`openapi${pointer}`);
  if (validate === undefined) throw new Error(`${what}: there is no ${pointer} in openapi.yaml`);
  if (validate(body) !== true)
    throw new Error(`${what}: ${ajv.errorsText(validate.errors)} ${JSON.stringify(body)}`);
}
