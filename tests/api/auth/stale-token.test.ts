// A client that sends its token with everything: a stale one must not keep it from signing in or refreshing.
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();

const login =
  'login(input: { email: $email, password: $password }) { accessToken refreshToken user { email } }';
const variables = { email: admin.email, password: admin.password };

describe('with an expired token in the header', () => {
  async function expired(): Promise<{ accessToken: string; refreshToken: string }> {
    const answer = await server.gql(`mutation($email: String!, $password: String!) { ${login} }`, variables);
    server.clock.advance(16 * 60_000);
    return answer.expectData().login;
  }

  it('signing in works over GraphQL and REST', async () => {
    const { accessToken } = await expired();
    const mutation = `mutation($email: String!, $password: String!) { ${login} }`;
    const answer = await server.gql(mutation, variables, accessToken);
    expect(answer.expectData().login.user).toEqual({ email: admin.email });
    const rest = await server.rest('POST', '/api/v1/auth/login', { body: variables, token: accessToken });
    expect(rest.status).toBe(200);
  });

  it('refreshing works', async () => {
    const { accessToken, refreshToken } = await expired();
    const mutation = 'mutation($token: String!) { refreshToken(refreshToken: $token) { tokenType } }';
    const answer = await server.gql(mutation, { token: refreshToken }, accessToken);
    expect(answer.expectData().refreshToken).toEqual({ tokenType: 'Bearer' });
  });

  it('anything that asks for more is refused whole', async () => {
    const { accessToken } = await expired();
    const mutation = `mutation($email: String!, $password: String!) { ${login} logout { revokedSessions } }`;
    const answer = await server.gql(mutation, variables, accessToken);
    expect(answer.status).toBe(401);
    answer.expectError('TOKEN_EXPIRED');
    expect(answer.body.data ?? null).toBeNull();
  });
});
