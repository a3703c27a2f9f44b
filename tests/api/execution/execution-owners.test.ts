// Whose execution it is: who may change and delete it, and what goes with it.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { GqlAnswer } from '../../kit/harness.js';
import { untilLocked } from '../../kit/live.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const other = await createPerson(server, adminToken, 'ANALYST');
const viewer = await createPerson(server, adminToken, 'VIEWER');

/** A mutation that takes an execution's id alone. */
function act(mutation: string, id: string, token = analyst.token): Promise<GqlAnswer> {
  const more = mutation === 'failExecution' ? ', errorMessage: "out of luck"' : '';
  const selection = mutation === 'deleteExecution' ? 'deletedId' : 'execution { status }';
  return server.gql(
    `mutation($id: ID!) { result: ${mutation}(id: $id${more}) { ${selection} } }`,
    { id },
    token,
  );
}

function report(executionId: string, token: string): Promise<GqlAnswer> {
  const input = { executionId, progress: 50 };
  return server.change('reportProgress', input, 'execution { progress }', token);
}

async function read(id: string): Promise<Record<string, unknown>> {
  const answer = await server.gql(
    'query($id: ID!) { execution(id: $id) { status progress startedAt finishedAt createdBy { id } } }',
    { id },
    adminToken,
  );
  return answer.expectData().execution;
}

const uuidOf = (id: string) => id.slice(4);

describe('whose execution it is', () => {
  it('lets an analyst change only own ones and an admin any', async () => {
    for (const mutation of ['startExecution', 'completeExecution', 'failExecution', 'cancelExecution']) {
      const make = mutation === 'startExecution' ? createExecution : startExecution;
      const id = await make(server, analyst.token);
      const before = await read(id);
      (await act(mutation, id, other.token)).expectError('FORBIDDEN');
      expect(await read(id)).toEqual(before);
      (await act(mutation, id, adminToken)).expectData();
    }
    const id = await startExecution(server, analyst.token);
    (await report(id, other.token)).expectError('FORBIDDEN');
    expect(await read(id)).toMatchObject({ progress: 0 });
    (await report(id, adminToken)).expectData();
  });

  it('lets who has claimed it change but not delete it', async () => {
    const id = await startExecution(server, analyst.token);
    await server.sql('UPDATE test_executions SET claimed_by_id = $1 WHERE id = $2', [
      uuidOf(other.id),
      uuidOf(id),
    ]);
    (await report(id, other.token)).expectData();
    (await act('completeExecution', id, other.token)).expectData();
    (await act('deleteExecution', id, other.token)).expectError('FORBIDDEN');
  });

  it('lets an analyst delete only own ones and an admin any, with results, batches and events', async () => {
    for (const token of [analyst.token, adminToken]) {
      const id = await startExecution(server, analyst.token);
      await addResults(server, analyst.token, id, [{ title: 'Finding', severity: 'LOW' }], 'batch');
      (await act('deleteExecution', id, other.token)).expectError('FORBIDDEN');
      (await act('deleteExecution', id, viewer.token)).expectError('FORBIDDEN');
      expect((await act('deleteExecution', id, token)).expectData().result).toEqual({ deletedId: id });
      for (const table of ['test_results', 'result_batches', 'execution_events']) {
        const rows = await server.sql(`SELECT 1 FROM ${table} WHERE execution_id = $1`, [uuidOf(id)]);
        expect([table, rows]).toEqual([table, []]);
      }
      (await act('deleteExecution', id, token)).expectError('NOT_FOUND');
    }
  });

  it('cannot be repeated once it is gone, and nobody creates one who is gone, also at that very moment', async () => {
    const leaver = await createPerson(server, adminToken, 'ANALYST');
    const id = await createExecution(server, analyst.token);
    const create =
      'mutation { createExecution(input: { name: "n", target: "t", kind: SCA }) { execution { id } } }';
    for (const [text, values, call, code] of [
      [
        'DELETE FROM test_executions WHERE id = $1',
        [uuidOf(id)],
        () => act('rerunExecution', id),
        'NOT_FOUND',
      ],
      [
        'DELETE FROM users WHERE id = $1',
        [uuidOf(leaver.id)],
        () => server.gql(create, {}, leaver.token),
        'TOKEN_REVOKED',
      ],
    ] as const) {
      await server.gql('{ me { id } }', {}, leaver.token); // the server believes in this session for a second
      const client = new pg.Client({ connectionString: server.databaseUrl });
      await client.connect();
      await client.query('BEGIN');
      await client.query(text, [...values]);
      const answer = call();
      await untilLocked(server, 1);
      await client.query('COMMIT');
      await client.end();
      (await answer).expectError(code);
    }
  });

  it('outlives its creator, and is then changed by admins only', async () => {
    const leaver = await createPerson(server, adminToken, 'ANALYST');
    const id = await startExecution(server, leaver.token);
    (
      await server.gql(
        'mutation($id: ID!) { deleteUser(id: $id) { deletedId } }',
        { id: leaver.id },
        adminToken,
      )
    ).expectData();
    expect(await read(id)).toMatchObject({ createdBy: null, status: 'RUNNING' });
    (await act('completeExecution', id, other.token)).expectError('FORBIDDEN');
    (await act('completeExecution', id, adminToken)).expectData();
  });
});
