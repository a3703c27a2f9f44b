// Requests all through an upgrade, one at a time each: lists, searches, writes; with the longest wait of each by phase.
import { setTimeout as sleep } from 'node:timers/promises';
import { workloads } from '../workloads.mjs';

const input = (n) => ({ name: `Live ${n}`, target: 'live.test', kind: 'DAST', tool: 'probe' });
const results = (n) =>
  Array.from({ length: 20 }, (_, i) => ({
    title: `Live ${i}`,
    severity: 'LOW',
    ruleId: `live-${i}`,
    evidence: `${n}`,
  }));

const requests = {
  list: (client) => client.graphql(workloads.W2.query, {}),
  search: (client) =>
    client.graphql('{ results(filter: { search: "weakness fff" }, first: 20) { nodes { id } } }', {}),
  byRule: (client) =>
    client.graphql('{ results(filter: { ruleId: "rule-7" }, first: 20) { nodes { id } } }', {}),
  async write(client, n) {
    const created = await client.graphql(
      'mutation ($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }',
      { input: input(n) },
    );
    const { id } = created.createExecution.execution;
    await client.graphql('mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }', { id });
    await client.graphql('mutation ($input: AddResultsInput!) { addResults(input: $input) { added } }', {
      input: { executionId: id, results: results(n) },
    });
    await client.graphql('mutation ($id: ID!) { completeExecution(id: $id) { execution { id } } }', { id });
  },
};

/**
 * @param {{ graphql: (query: string, variables: object) => Promise<object> }} client
 * @param {() => string} phase its present name
 * @returns `stop`, which gives rows of phase, request, number, p50, p99, longest (milliseconds) and errors
 */
export function startLoops(client, phase) {
  const rows = new Map();
  let isStopped = false;
  const loop = async (name) => {
    for (let n = 0; !isStopped; n += 1) {
      const at = phase();
      const startedAt = performance.now();
      const error = await requests[name](client, n).then(
        () => undefined,
        (fault) => fault,
      );
      const row = rows.get(`${at} ${name}`) ?? { at, name, times: [], errors: [] };
      rows.set(`${at} ${name}`, row);
      row.times.push(performance.now() - startedAt);
      if (error !== undefined) row.errors.push(error.message);
      await sleep(250);
    }
  };
  const loops = Object.keys(requests).map(loop);
  return async () => {
    isStopped = true;
    await Promise.all(loops);
    return [...rows.values()].map(({ at, name, times, errors }) => {
      const sorted = times.toSorted((a, b) => a - b);
      const of = (share) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
      return {
        at,
        name,
        count: times.length,
        p50: of(0.5),
        p99: of(0.99),
        longest: of(1),
        errors: errors.length,
        first: errors[0],
      };
    });
  };
}

/** Samples how long sessions wait for locks. @returns `stop`, which gives the longest wait by phase, in milliseconds */
export function watchLocks(client, phase) {
  const longest = {};
  let isStopped = false;
  const watching = (async () => {
    while (!isStopped) {
      const { rows } = await client.query(`
        SELECT round(extract(epoch FROM clock_timestamp() - waitstart) * 1000)::int AS ms, left(query, 80) AS query
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND waitstart IS NOT NULL AND locktype IN ('relation', 'tuple', 'transactionid')
          AND query !~* '^\\s*(CREATE|DROP) INDEX CONCURRENTLY' ORDER BY waitstart LIMIT 1`);
      if (rows[0] !== undefined && rows[0].ms > (longest[phase()]?.ms ?? 0)) longest[phase()] = rows[0];
      await sleep(20);
    }
  })();
  return async () => {
    isStopped = true;
    await watching;
    return longest;
  };
}
