// Mercurius with JIT: hand-written SQL in prepared statements, relations batched by its loaders.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import { addResults } from './add-results.mjs';
import { listenOn } from './process.mjs';
import { pageOf, severities, typeDefs } from './schema.mjs';

// Timestamps stay text: a Date would only be printed again.
pg.types.setTypeParser(1184, (text) => `${text.slice(0, 10)}T${text.slice(11).replace(/\+00$/, 'Z')}`);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) });
const query = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const execution = `id, name, target, kind, status, progress, critical_count, high_count, medium_count, low_count, info_count,
  created_at AS "createdAt", created_by_id`;
const result = `id, title, description, severity, rule_id AS "ruleId", cwe_ids AS "cweIds", cvss_score AS "cvssScore", location,
  remediation, "references", tags, fingerprint, created_at AS "createdAt"`;

const resolvers = {
  Query: {
    execution: async (_, { id }) =>
      (await query('execution', `SELECT ${execution} FROM test_executions WHERE id = $1`, [id]))[0],
    async executions(_, { first, after }) {
      const newest = 'ORDER BY id DESC LIMIT $1';
      const rows = after
        ? await query('after', `SELECT ${execution} FROM test_executions WHERE id < $2 ${newest}`, [
            first + 1,
            after,
          ])
        : await query('newest', `SELECT ${execution} FROM test_executions ${newest}`, [first + 1]);
      return pageOf(rows, first);
    },
    async results(_, { filter: { executionId, severity }, first }) {
      const ranks = severity.map((name) => severities.indexOf(name));
      const where = 'WHERE execution_id = $1 AND severity = ANY($2::smallint[])';
      const rows = await query(
        'filtered',
        `SELECT ${result} FROM test_results ${where} ORDER BY id DESC LIMIT $3`,
        [executionId, ranks, first + 1],
      );
      const totalCount = async () => {
        const text = `SELECT count(*)::int AS count FROM test_results ${where}`;
        return (await query('count', text, [executionId, ranks]))[0].count;
      };
      return { ...pageOf(rows, first), totalCount };
    },
  },
  Mutation: {
    async addResults(_, { input: { executionId, results } }) {
      return (await query('addResults', addResults, [executionId, JSON.stringify(results)]))[0];
    },
  },
  TestExecution: {
    severityCounts: (row) => ({
      ...{ critical: row.critical_count, high: row.high_count, medium: row.medium_count },
      ...{ low: row.low_count, info: row.info_count },
      total: row.critical_count + row.high_count + row.medium_count + row.low_count + row.info_count,
    }),
  },
  // Compiled queries call no functions that stand in for values.
  ResultConnection: { totalCount: ({ totalCount }) => totalCount() },
  TestResult: { severity: ({ severity }) => severities[severity] },
};

const loaders = {
  TestExecution: {
    async createdBy(queries) {
      const ids = queries.map(({ obj }) => obj.created_by_id);
      const users = await query('users', 'SELECT id, name FROM users WHERE id = ANY($1::uuid[])', [ids]);
      const byId = new Map(users.map((user) => [user.id, user]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    async results(queries) {
      const { first } = queries[0].params;
      const rows = await query(
        'resultsOf',
        `SELECT r.*, parent.id AS parent FROM unnest($1::uuid[]) AS parent(id), LATERAL (SELECT ${result}
          FROM test_results WHERE execution_id = parent.id ORDER BY id DESC LIMIT $2) AS r`,
        [queries.map(({ obj }) => obj.id), first + 1],
      );
      const byParent = Map.groupBy ? Map.groupBy(rows, ({ parent }) => parent) : groupByParent(rows);
      return queries.map(({ obj }) => pageOf(byParent.get(obj.id) ?? [], first));
    },
  },
};

function groupByParent(rows) {
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(row.parent);
    if (group) group.push(row);
    else groups.set(row.parent, [row]);
  }
  return groups;
}

const app = Fastify({ bodyLimit: 2 ** 20 });
await app.register(mercurius, {
  schema: typeDefs,
  resolvers,
  // Without a cache across requests, which would answer from memory.
  loaders: {
    TestExecution: {
      createdBy: { loader: loaders.TestExecution.createdBy, opts: { cache: false } },
      results: { loader: loaders.TestExecution.results, opts: { cache: false } },
    },
  },
  jit: 1,
  graphiql: false,
});
await listenOn((options) => app.listen(options));
