// Deletion of a large execution by a server that is killed again and again meanwhile.
import { expect, it } from '@jest/globals';
import { importSarif, type Problem } from '../../kit/imports.js';
import { until } from '../../kit/live.js';
import { createServerProcess } from '../../kit/programs/process.js';

const problems: Problem[] = Array.from({ length: 20_000 }, (_, index) => ({ rule: `bulk-${index}` }));

it('goes on where a killed server stopped, until no row is left and no finding is lost', async () => {
  const server = await createServerProcess();
  const count = async (from: string) =>
    (await server.sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${from}`))[0]?.n ?? 0;
  const rowsLeft = () => count('test_results');
  try {
    await server.start();
    const token = await server.signIn();
    const query = { target: 'large', wait: '120' };
    const first = await importSarif(server, token, query, problems.slice(0, 3));
    const { executionId } = await importSarif(server, token, query, problems);
    const remove = 'mutation($id: ID!) { deleteExecution(id: $id) { deletedId } }';
    const removed = await server.gql(remove, { id: executionId }, token);
    expect(removed.expectData()).toEqual({ deleteExecution: { deletedId: executionId } });
    const seen: number[] = [];
    for (let kills = 0; kills < 3; kills += 1) {
      const before = seen.at(-1) ?? problems.length;
      await until(async () => (await rowsLeft()) < before, 'the next removed rows');
      await server.stop('SIGKILL');
      seen.push(await rowsLeft());
      await server.start();
    }
    expect(seen[0]).toBeGreaterThan(3); // it was killed with rows left
    await until(
      async () => (await count('projects WHERE deleted_at IS NOT NULL')) === 0,
      'the last removed row',
    );
    expect(await rowsLeft()).toBe(3);
    expect(await count('test_executions')).toBe(1);
    const { findings } = (
      await server.gql(
        `{ findings(first: 10, filter: { target: "large" }) { totalCount nodes { presence lastSeenIn { id } } } }`,
        {},
        token,
      )
    ).expectData();
    expect(findings.totalCount).toBe(3);
    expect(findings.nodes).toEqual(
      Array(3).fill({ presence: 'PRESENT', lastSeenIn: { id: first.executionId } }),
    );
  } finally {
    await server.remove();
  }
});
