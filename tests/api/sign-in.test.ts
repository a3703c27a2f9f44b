// Signing in and out over GraphQL and REST.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { admin, startTestServer, type TestServer } from '../harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

describe('signing in', () => {
  it('gives tokens over REST that GraphQL takes', async () => {
    const token = await server.signIn();
    const answer = await server.gql('{ me { email role } }', {}, token);
    expect(answer.expectData().me).toEqual({ email: admin.email, role: 'ADMIN' });
  });

  it('refuses a value of the wrong type with the path of the field', async () => {
    const answer = await server.gql('mutation { login(input: { email: 1, password: "x" }) { expiresIn } }');
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      expect.objectContaining({ path: 'input.email' }),
    ]);
  });
});
