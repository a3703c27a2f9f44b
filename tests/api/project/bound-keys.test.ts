// API keys that are bound to a project: making them, what they create, and that repeated calls return nothing from outside of it.
import { expect, it } from '@jest/globals';
import { createBoundKey, createProject, setMember } from '../../kit/projects.js';
import { createExecution, createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const project = await createProject(server, adminToken);

const work = ['execution:read', 'execution:create', 'execution:run', 'report:import', 'project:read'];

async function create(token: string, input: Record<string, unknown>) {
  const expiresAt = new Date(server.clock.now() + 60_000).toISOString();
  return server.change(
    'createApiKey',
    { name: 'CI', scopes: ['execution:read'], expiresAt, ...input },
    'apiKey { project { key } }',
    token,
  );
}

it('a key shows its project', async () => {
  const bound = (await create(analyst.token, { project })).expectData().createApiKey.apiKey;
  const unbound = (await create(analyst.token, {})).expectData().createApiKey.apiKey;
  expect([bound, unbound]).toEqual([{ project: { key: project } }, { project: null }]);
});

it('a key is bound to no project that its owner does not see', async () => {
  const hidden = await createProject(server, adminToken, { visibility: 'PRIVATE' });
  (await create(analyst.token, { project: hidden })).expectError('NOT_FOUND');
  (await create(analyst.token, { project: 'nowhere' })).expectError('NOT_FOUND');
});

it('a bound key has no scopes on what belongs to no project', async () => {
  const answer = await create(adminToken, { project, scopes: ['execution:read', 'user:read', 'audit:read'] });
  expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
    { path: 'input.scopes', message: 'names user:read, audit:read, which a key of one project cannot have' },
  ]);
});

it('an execution that a bound key creates without a project belongs to that of the key', async () => {
  const key = await createBoundKey(server, analyst.token, project, work);
  const id = await createExecution(server, key);
  const found = await server.gql('query($id: ID!) { execution(id: $id) { project { key } } }', { id }, key);
  expect(found.expectData().execution).toEqual({ project: { key: project } });
});

it('a repeated idempotency key returns nothing from outside of the project', async () => {
  const input = { idempotencyKey: 'outside', project: 'default' };
  const report = { target: 't', format: 'SARIF', content: '{"version":"2.1.0","runs":[]}', ...input };
  const importReport = (token: string) => server.change('importReport', report, 'import { id }', token);
  await createExecution(server, analyst.token, input);
  (await importReport(analyst.token)).expectData();
  const key = await createBoundKey(server, analyst.token, project, work);
  const answer = await server.change(
    'createExecution',
    { name: 'Scan', target: 'https://target.test', kind: 'DAST', ...input },
    `execution { id }`,
    key,
  );
  answer.expectError('IDEMPOTENCY_KEY_REUSED');
  (await importReport(key)).expectError('IDEMPOTENCY_KEY_REUSED');
});

it('a bound key loses the project with its owner’s membership', async () => {
  const hidden = await createProject(server, adminToken, { visibility: 'PRIVATE' });
  await setMember(server, adminToken, hidden, analyst.id, 'ANALYST');
  const key = await createBoundKey(server, analyst.token, hidden, work);
  const id = await createExecution(server, key);
  const read = () => server.gql('query($id: ID!) { execution(id: $id) { id } }', { id }, key);
  (await read()).expectData();
  await setMember(server, adminToken, hidden, analyst.id, null);
  (await read()).expectError('FORBIDDEN');
});
