// Calls to a server under test that read like sentences: GraphQL, REST, and plain SQL on its database.
import { expect } from '@jest/globals';
import pg from 'pg';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import type { FieldError } from '../../src/core/errors.js';
import { assertDocumented, type RestAnswer } from './openapi.js';

export const admin = { email: 'admin@harness.test', password: 'kiwi lantern 7391 harbor moss' } as const;

export interface Calls {
  url: string;
  databaseUrl: string;
  /** A GraphQL call: anonymous, or with a token. */
  gql: (
    query: string,
    variables?: Record<string, unknown>,
    token?: string,
    headers?: Record<string, string>,
  ) => Promise<GqlAnswer>;
  /**
   * A mutation that takes one `input`, with this selection of what it gives.
   * @example change('updateUser', { id, role: 'VIEWER' }, 'user { id }', adminToken)
   */
  change: (mutation: string, input: unknown, selection: string, token?: string) => Promise<GqlAnswer>;
  /** A REST call; fails when openapi.yaml does not tell of the answer. */
  rest: (
    method: string,
    path: string,
    options?: { body?: unknown; token?: string; headers?: Record<string, string> },
  ) => Promise<RestAnswer>;
  /** Signs in over REST and gives the access token. */
  signIn: (email?: string, password?: string) => Promise<string>;
  /** Plain SQL on the server's database, as a superuser. */
  sql: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;
}

interface GqlError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string; correlationId?: string; fields?: FieldError[]; retryAfterSeconds?: number };
}

export interface GqlAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: { data?: any; errors?: GqlError[] };
  /** The data, when there is no error. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  expectData: () => any;
  /** The first error, when it has this code. */
  expectError: (code: ErrorCode) => GqlError;
}

/** Calls to the server at this address; `end` lets go of the connections to its database. */
export function callsTo(url: string, databaseUrl: string): Calls & { end: () => Promise<void> } {
  let pool: pg.Pool | undefined;
  const connections = () => {
    pool ??= new pg.Pool({ connectionString: ownerUrlOf(databaseUrl), max: 4, idleTimeoutMillis: 0 }).on(
      'error',
      () => {}, // a test may stop the database
    );
    return pool;
  };
  return {
    ...{ url, databaseUrl, end: async () => pool?.end() },
    gql: (query, variables, token, headers) => gql(`${url}/graphql`, { query, variables }, token, headers),
    change: (mutation, input, selection, token) => {
      const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input!`;
      const query = `mutation($input: ${type}) { ${mutation}(input: $input) { ${selection} } }`;
      return gql(`${url}/graphql`, { query, variables: { input } }, token);
    },
    rest: (method, path, options) => rest(url + path, method, options),
    signIn: async (email = admin.email, password: string = admin.password) => {
      const answer = await rest(`${url}/api/v1/auth/login`, 'POST', { body: { email, password } });
      if (answer.status !== 200) throw new Error(`sign-in of ${email}: ${JSON.stringify(answer.body)}`);
      return answer.body.accessToken as string;
    },
    sql: async (text, values) => (await connections().query(text, values)).rows,
  };
}

/** The same database as a superuser. */
export function ownerUrlOf(databaseUrl: string): string {
  return onDatabase(process.env.TEST_POSTGRES_URL as string, new URL(databaseUrl).pathname);
}

/** The URL of another database of a PostgreSQL. */
export function onDatabase(serverUrl: string, path: string): string {
  const url = new URL(serverUrl);
  url.pathname = path;
  return url.href;
}

async function gql(
  url: string,
  request: { query: string; variables?: Record<string, unknown> | undefined },
  token?: string,
  headers: Record<string, string> = {},
): Promise<GqlAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as GqlAnswer['body'];
  const story = () =>
    `${request.query}\n${JSON.stringify(request.variables)}\n→ ${response.status} ${JSON.stringify(body)}\ncorrelation id ${response.headers.get('x-correlation-id')}`;
  return {
    ...{ status: response.status, headers: response.headers, body },
    expectData: () => {
      if (body.errors !== undefined) throw new Error(`an error came instead of data\n${story()}`);
      return body.data;
    },
    expectError: (code) => {
      const [error] = body.errors ?? [];
      if (error?.extensions?.code !== code) throw new Error(`${code} was expected\n${story()}`);
      expect(error.extensions.correlationId).toBe(response.headers.get('x-correlation-id'));
      return error;
    },
  };
}

async function rest(
  url: string,
  method: string,
  { body, token, headers = {} }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<RestAnswer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const answer: RestAnswer = {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  };
  assertDocumented(method, new URL(url).pathname, answer);
  return answer;
}
