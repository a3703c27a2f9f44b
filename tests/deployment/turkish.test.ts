// A database in a Turkish locale, where the lower case of I is ı: accounts, searches and tools are found as anywhere.
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APP_ROLE, ensureAppRole } from '../../src/infra/migrations/app-role.js';
import { applyMigrations } from '../../src/infra/migrations/migrate.js';
import { startTestServer, type TestServer, withClient } from '../kit/harness.js';
import { until } from '../kit/live.js';
import { tryLogin } from '../kit/session.js';

const name = `t_${randomUUID().replaceAll('-', '')}`;
const root = process.env.TEST_POSTGRES_URL as string;
const password = 'walnut ferry 6204 lagoon tile';

describe('in a Turkish locale', () => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    await withClient(root, (client) =>
      client.query(
        `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'`,
      ),
    );
    const owner = Object.assign(new URL(root), { pathname: `/${name}` }).href;
    const lower = await withClient(owner, (client) => client.query(`SELECT lower('I') AS letter`));
    expect(lower.rows).toEqual([{ letter: 'ı' }]);
    await applyMigrations(owner);
    const role = { name: `${APP_ROLE}_tr`, password: randomBytes(12).toString('hex') };
    await ensureAppRole(owner, role);
    const url = Object.assign(new URL(owner), { username: role.name, password: role.password }).href;
    server = await startTestServer({ DATABASE_URL: url });
    token = await server.signIn();
  });
  afterAll(async () => {
    await server.close();
    await withClient(root, async (client) => {
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await client.query(`DROP ROLE ${APP_ROLE}_tr`);
    });
  });

  const createUser = (email: string, name: string) =>
    server.change('createUser', { email, name, role: 'ANALYST', password }, 'user { id }', token);

  it('an address in capitals is the same account', async () => {
    (await createUser('IRIS@example.com', 'İris Işık')).expectData();
    (await createUser('iris@example.com', 'Another')).expectError('CONFLICT');
    for (const email of ['iris@example.com', 'IRIS@EXAMPLE.COM', 'Iris@Example.com'])
      expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it.each([
    ['users', 'users', 'filter: { search: "IRIS" }'],
    ['users by a name with a dotted capital', 'users', 'filter: { search: "iris IŞık" }'],
    ['projects', 'projects', 'search: "FINDING"'],
    ['projects by key', 'projects', 'search: "INTRANET"'],
    ['executions', 'executions', 'filter: { search: "FINDING" }'],
    ['results', 'results', 'filter: { search: "SQL INJECTION" }'],
    ['findings', 'findings', 'filter: { search: "SQL INJECTION" }'],
  ])('a search in capitals finds %s', async (_name, field, filter) => {
    await seedOnce();
    const ask = `{ ${field}(${filter}) { nodes { id } } }`;
    // Findings follow the end of an execution.
    const count = async () => (await server.gql(ask, {}, token)).expectData()[field].nodes.length;
    await until(async () => (await count()) > 0, `the search for ${field}`, 20_000);
    expect(await count()).toBe(1);
  });

  let seeding: Promise<void> | undefined;
  const seedOnce = () => {
    seeding ??= seed();
    return seeding;
  };

  /** A project, an execution and a result with capital I's. */
  async function seed(): Promise<void> {
    const project =
      'mutation { createProject(input: { key: "intranet", name: "Finding Things" }) { project { id } } }';
    (await server.gql(project, {}, token)).expectData();
    const create =
      'mutation { createExecution(input: { name: "Finding", target: "t", kind: DAST }) { execution { id } } }';
    const { id } = (await server.gql(create, {}, token)).expectData().createExecution.execution;
    const run = (text: string) => server.gql(text, { id }, token).then((answer) => answer.expectData());
    await run('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }');
    await run(
      'mutation($id: ID!) { addResults(input: { executionId: $id, results: [{ title: "SQL Injection", severity: HIGH }] }) { added } }',
    );
    await run('mutation($id: ID!) { completeExecution(id: $id) { execution { id } } }');
  }
});
