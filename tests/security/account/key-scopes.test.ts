// Attack: a leaked API key of little use, turned on its owner's personal data. ASVS 5.0: 8.2.1, 8.2.3.
import { describe, expect, it } from '@jest/globals';
import { addResults, createExecution, createPerson, type Person, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const owner = await createPerson(server, adminToken, 'ANALYST');
const admin = await createPerson(server, adminToken, 'ADMIN');
await createExecution(server, owner.token);

async function keyOf({ token }: Person, scopes: string[]): Promise<string> {
  const answer = await server.change(
    'createApiKey',
    { name: 'Key', scopes, expiresAt: new Date(server.clock.now() + 86_400_000).toISOString() },
    'secret',
    token,
  );
  return answer.expectData().createApiKey.secret;
}

const personal = ['email', 'status', 'lastLoginAt', 'createdAt', 'updatedAt', 'hasSecondFactor'];
const lists = ['sessions { id ip }', 'apiKeys { id name }'];
const creator = (field: string) => `{ executions { nodes { createdBy { id name ${field} } } } }`;
const node = (field: string) => `{ node(id: "${owner.id}") { ... on User { id ${field} } } }`;

it.each([...personal, ...lists])(
  'a key for executions alone shows its owner’s name, but not %s',
  async (field) => {
    const key = await keyOf(owner, ['execution:read']);
    (await server.gql(creator(''), {}, key)).expectData();
    for (const query of [creator(field), node(field)])
      (await server.gql(query, {}, key)).expectError('FORBIDDEN');
  },
);

it('a key with profile:read shows the profile, but neither sessions nor keys', async () => {
  const key = await keyOf(owner, ['profile:read', 'execution:read']);
  for (const query of [`{ me { ${personal.join(' ')} } }`, creator(personal.join(' ')), node('email')])
    (await server.gql(query, {}, key)).expectData();
  for (const field of lists) (await server.gql(`{ me { ${field} } }`, {}, key)).expectError('FORBIDDEN');
});

it('an admin’s key shows others only with user:read, and never by its owner’s role alone', async () => {
  const without = await keyOf(admin, ['profile:read', 'execution:read']);
  (await server.gql(creator('email'), {}, without)).expectError('FORBIDDEN');
  const having = await keyOf(admin, ['user:read', 'execution:read']);
  (await server.gql(creator('email sessions { id }'), {}, having)).expectData();
});

it('a session shows it all to the owner', async () => {
  (await server.gql(`{ me { ${[...personal, ...lists].join(' ')} } }`, {}, owner.token)).expectData();
});

describe('a key with one scope', () => {
  const reads: Record<string, [scope: string, query: string]> = {
    executions: ['execution:read', '{ executions { nodes { id } } }'],
    results: ['result:read', '{ results { nodes { id } } }'],
    users: ['user:read', '{ users { nodes { id } } }'],
    'the audit trail': ['audit:read', '{ auditEvents { nodes { id } } }'],
    'its owner’s profile': ['profile:read', '{ me { email } }'],
  };
  const scopes = [...new Set(Object.values(reads).map(([scope]) => scope))];

  it.each(scopes)(
    '%s reads what that scope allows, and each refusal names the missing scope',
    async (held) => {
      const key = await keyOf(admin, [held]);
      (await server.gql('{ me { id name role } }', {}, key)).expectData();
      for (const [scope, query] of Object.values(reads)) {
        const answer = await server.gql(query, {}, key);
        // `user:read` shows every profile, its owner's too.
        if (scope === held || (scope === 'profile:read' && held === 'user:read')) answer.expectData();
        else
          expect(answer.expectError('FORBIDDEN').message).toMatch(/^This API key lacks the scope [a-z:]+\.$/);
      }
    },
  );

  it.each(['execution { id }', 'execution { createdBy { name } }'])(
    'result:read reaches no execution through `%s`',
    async (edge) => {
      const execution = await startExecution(server, owner.token);

      await addResults(server, owner.token, execution, [{ title: 'A', severity: 'LOW' }]);
      const key = await keyOf(owner, ['result:read']);
      (await server.gql('{ results { nodes { id title } } }', {}, key)).expectData();
      const refused = await server.gql(`{ results { nodes { ${edge} } } }`, {}, key);
      expect(refused.expectError('FORBIDDEN').message).toBe('This API key lacks the scope execution:read.');
    },
  );
});
