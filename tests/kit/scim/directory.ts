// Helpers that speak SCIM as directories do, for the tests about provisioning.
import type { TestServer } from '../harness.js';

export const urn = {
  user: 'urn:ietf:params:scim:schemas:core:2.0:User',
  group: 'urn:ietf:params:scim:schemas:core:2.0:Group',
  enterprise: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User',
  patch: 'urn:ietf:params:scim:api:messages:2.0:PatchOp',
  list: 'urn:ietf:params:scim:api:messages:2.0:ListResponse',
  error: 'urn:ietf:params:scim:api:messages:2.0:Error',
} as const;

/** What SCIM answers. */
export interface ScimAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: any;
}

/** A directory that calls. */
export interface Directory {
  token: string;
  /** A request as the directory sends it. */
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<ScimAnswer>;
  /** A PATCH of these operations. */
  patch: (path: string, ...operations: object[]) => Promise<ScimAnswer>;
  /** Creates a user; its resource. */
  user: (attributes?: Record<string, unknown>) => Promise<ScimAnswer['body']>;
}

const createMutation =
  'mutation($input: CreateScimTokenInput!) { createScimToken(input: $input) { secret scimToken { id prefix } } }';

/** Calls SCIM with any header Authorization, or none. */
export async function callScim(
  url: string,
  authorization: string | undefined,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ScimAnswer> {
  const response = await fetch(`${url}/scim/v2${path}`, {
    method,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(body !== undefined && { 'content-type': 'application/scim+json; charset=utf-8' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

let counter = 0;

/** A directory with a new token. */
export async function createDirectory(
  server: TestServer,
  adminToken: string,
  input: Record<string, unknown> = {},
): Promise<Directory & { id: string }> {
  counter += 1;
  const made = await server.gql(
    createMutation,
    { input: { name: `directory ${counter}`, ...input } },
    adminToken,
  );
  const { secret: token, scimToken } = made.expectData().createScimToken;
  const call: Directory['call'] = (method, path, body, headers) =>
    callScim(server.url, `Bearer ${token}`, method, path, body, headers);
  return {
    id: scimToken.id,
    token,
    call,
    patch: (path, ...operations) => call('PATCH', path, { schemas: [urn.patch], Operations: operations }),
    async user(attributes = {}) {
      counter += 1;
      const userName = `person-${counter}@directory.test`;
      const { status, body } = await call('POST', '/Users', {
        schemas: [urn.user],
        userName,
        active: true,
        ...attributes,
      });
      if (status !== 201) throw new Error(`a user: ${status} ${JSON.stringify(body)}`);
      return body;
    },
  };
}
