// Helpers that make service accounts and trust rules, and exchange tokens of workloads.
import type { RestAnswer, TestServer } from '../harness.js';

export const audience = 'https://sec-tester.example';

/** A service account; its id. */
export async function createServiceAccount(
  server: TestServer,
  adminToken: string,
  input: Record<string, unknown> = {},
): Promise<string> {
  const answer = await server.change(
    'createServiceAccount',
    { name: 'CI', role: 'ANALYST', ...input },
    'user { id }',
    adminToken,
  );
  return answer.expectData().createServiceAccount.user.id;
}

let counter = 0;

/** A trust rule, whatever comes of it. */
export function tryTrust(server: TestServer, adminToken: string, input: Record<string, unknown>) {
  counter += 1;
  return server.gql(
    `mutation($input: CreateWorkloadTrustInput!) {
      createWorkloadTrust(input: $input) { workloadTrust { id name lifetimeSeconds isEnabled } }
    }`,
    {
      input: {
        name: `rule ${counter}`,
        audience,
        claims: [{ claim: 'repository', pattern: 'acme/shop' }],
        scopes: ['execution:read', 'execution:create'],
        ...input,
      },
    },
    adminToken,
  );
}

/** A trust rule; its id. */
export async function createTrust(server: TestServer, adminToken: string, input: Record<string, unknown>) {
  const answer = await tryTrust(server, adminToken, input);
  return answer.expectData().createWorkloadTrust.workloadTrust.id as string;
}

/** An exchange with JSON. */
export function exchange(
  server: TestServer,
  subjectToken: string,
  more: Record<string, unknown> = {},
): Promise<RestAnswer> {
  return server.rest('POST', '/api/v1/auth/token-exchange', {
    body: {
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subjectToken,
      subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      ...more,
    },
  });
}

/** An exchange that works; the access token. */
export async function accessTokenOf(
  server: TestServer,
  subjectToken: string,
  more: Record<string, unknown> = {},
): Promise<string> {
  const answer = await exchange(server, subjectToken, more);
  if (answer.status !== 200) throw new Error(`the exchange: ${JSON.stringify(answer.body)}`);
  return answer.body.accessToken;
}
