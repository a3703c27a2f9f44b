// With a pool of one connection everything still works: nothing asks for a second one while it holds the first.
import { describe, expect, it } from '@jest/globals';
import { addResults, createExecution, createPerson, password, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ DATABASE_POOL_MAX: '1', DATABASE_ACQUIRE_TIMEOUT_MS: '3000' });
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');

const call = (mutation: string, variables: Record<string, unknown>, token = analyst.token) =>
  server.gql(`mutation($id: ID!) { ${mutation} { __typename } }`, variables, token);
const results = [
  { title: 'A', severity: 'LOW' },
  { title: 'B', severity: 'HIGH' },
];

describe('a pool of one connection', () => {
  it('is enough for repeated batches and idempotency keys at the same time', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(() => createExecution(server, analyst.token, { idempotencyKey: 'k' })),
    );
    expect(new Set(ids).size).toBe(1);
    const id = await startExecution(server, analyst.token);
    const added = await Promise.all([1, 2, 3].map(() => addResults(server, analyst.token, id, results, 'k')));
    expect(added.map((answer) => answer.added).sort()).toEqual([0, 0, 2]);
  });

  it('is enough for reports and results that race with the end of the run', async () => {
    const late = [
      'reportProgress(input: { executionId: $id, progress: 1 })',
      'addResults(input: { executionId: $id, results: [{ title: "late", severity: LOW }] })',
    ];
    for (let round = 0; round < 5; round += 1) {
      const id = await startExecution(server, analyst.token);
      const mutations = ['completeExecution(id: $id)', ...late, ...late, ...late];
      const answers = await Promise.all(mutations.map((mutation) => call(mutation, { id })));
      const codes = answers.flatMap(({ body }) => body.errors ?? []).map(({ extensions }) => extensions.code);
      expect(codes.filter((code) => code !== 'EXECUTION_FINISHED')).toEqual([]);
    }
  });

  it('is enough for pages with everything nested', async () => {
    const answer = await server.gql(
      `{ executions { totalCount nodes { createdBy { id sessions { id } } rerunOf { id }
           high: results(filter: { severity: [HIGH] }) { totalCount nodes { execution { id } } }
           found: results(filter: { search: "abc" }) { totalCount nodes { id } } } }
         results { totalCount nodes { execution { name } } } users { totalCount nodes { sessions { id } } } }`,
      {},
      adminToken,
    );
    expect(answer.expectData().executions.nodes.length).toBeGreaterThan(0);
  });

  it('is enough for users that come, change and go', async () => {
    const person = await createPerson(server, adminToken, 'VIEWER');
    const changes = ['deactivateUser(id: $id)', 'activateUser(id: $id)', 'deleteUser(id: $id)'];
    for (const change of changes) (await call(change, { id: person.id }, adminToken)).expectData();
    const gone = await server.rest('POST', '/api/v1/auth/login', { body: { email: person.email, password } });
    expect(gone.status).toBe(401);
  });

  it('is enough for the rest of an execution’s life', async () => {
    const id = await startExecution(server, analyst.token);
    for (const mutation of [
      ...['cancelExecution(id: $id)', 'cancelExecution(id: $id)'],
      ...['rerunExecution(id: $id)', 'deleteExecution(id: $id)'],
    ]) {
      expect((await call(mutation, { id })).body.errors).toBeUndefined();
    }
  });
});
