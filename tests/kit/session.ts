// Helpers that sign in, refresh and compare answers, for the tests about sessions and tokens.
import { admin, type GqlAnswer, type RestAnswer, type TestServer } from './harness.js';

/** What a sign-in or refresh answers. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  tokenType: string;
  expiresIn: number;
  refreshExpiresIn: number;
  user: { id: string; email: string };
}

export const loginMutation = `mutation($input: LoginInput!) {
  login(input: $input) {
    accessToken refreshToken tokenType expiresIn refreshExpiresIn deviceToken
    user { id email name role status lastLoginAt createdAt updatedAt }
  }
}`;

export const refreshMutation = `mutation($token: String!) {
  refreshToken(refreshToken: $token) { accessToken refreshToken tokenType expiresIn refreshExpiresIn deviceToken user { id email } }
}`;

/** A sign-in over REST, whatever comes of it. */
export function tryLogin(server: TestServer, email: string, password: string): Promise<RestAnswer> {
  return server.rest('POST', '/api/v1/auth/login', { body: { email, password } });
}

/** A sign-in over GraphQL, whatever comes of it. */
export function tryGqlLogin(server: TestServer, email: string, password: string): Promise<GqlAnswer> {
  return server.gql(loginMutation, { input: { email, password } });
}

/** A new session; its tokens. */
export async function openSession(
  server: TestServer,
  email: string = admin.email,
  password: string = admin.password,
): Promise<Tokens> {
  const answer = await tryLogin(server, email, password);
  if (answer.status !== 200) throw new Error(`sign-in of ${email}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A refresh over REST, whatever comes of it. */
export function refresh(server: TestServer, refreshToken: string): Promise<RestAnswer> {
  return server.rest('POST', '/api/v1/auth/refresh', { body: { refreshToken } });
}

/** Status and code of `auth/me` with a token: "200", "401 TOKEN_REVOKED". */
export async function meWith(server: TestServer, token: string): Promise<string> {
  const { status, body } = await server.rest('GET', '/api/v1/auth/me', { token });
  return status === 200 ? '200' : `${status} ${body.code}`;
}

/** An answer without what differs between any two: time and correlation id. */
export function comparable({ status, headers, body }: RestAnswer | GqlAnswer): unknown {
  const kept = [...headers]
    .filter(([name]) => !['date', 'x-correlation-id'].includes(name))
    .map(([name, value]) => [name, name === 'ratelimit' ? value.replace(/;t=\d+/, '') : value]); // seconds pass
  const id = headers.get('x-correlation-id') ?? '';
  return { status, headers: kept, body: JSON.parse(JSON.stringify(body).replaceAll(id, '…')) };
}
