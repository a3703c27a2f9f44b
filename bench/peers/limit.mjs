// The limit: a bare node:http server that sends the JSON text of one prepared statement per workload; no GraphQL, no checks.
import { createServer } from 'node:http';
import pg from 'pg';
import { addResults } from './add-results.mjs';
import { readBody, serve } from './process.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) });

const summary = `'id', e.id, 'name', e.name, 'target', e.target, 'kind', e.kind, 'status', e.status, 'progress', e.progress,
  'severityCounts', json_build_object('critical', e.critical_count, 'high', e.high_count, 'medium', e.medium_count,
    'low', e.low_count, 'info', e.info_count,
    'total', e.critical_count + e.high_count + e.medium_count + e.low_count + e.info_count),
  'createdAt', e.created_at,
  'createdBy', (SELECT json_build_object('id', u.id, 'name', u.name) FROM users u WHERE u.id = e.created_by_id)`;
const severity = `(ARRAY['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])[r.severity + 1]`;
const brief = `'id', r.id, 'title', r.title, 'severity', ${severity}`;
const full = `${brief}, 'description', r.description, 'ruleId', r.rule_id, 'cweIds', r.cwe_ids, 'cvssScore', r.cvss_score,
  'location', CASE WHEN r.location IS NULL THEN NULL ELSE json_build_object('path', r.location -> 'path',
    'startLine', r.location -> 'startLine', 'url', r.location -> 'url') END,
  'remediation', r.remediation, 'references', r."references", 'tags', r.tags, 'fingerprint', r.fingerprint, 'createdAt', r.created_at`;
const firstResults = `'results', json_build_object('nodes', (SELECT coalesce(json_agg(json_build_object(${brief})), '[]')
  FROM (SELECT * FROM test_results WHERE execution_id = e.id ORDER BY id DESC LIMIT 5) AS r))`;

/** A page of `rows`, of which one more than `limit` were read. */
const pageOf = (
  alias,
  limit,
  fields,
) => `'nodes', (SELECT coalesce(json_agg(json_build_object(${fields})), '[]')
    FROM (SELECT * FROM page LIMIT ${limit}) AS ${alias}),
  'pageInfo', json_build_object('hasNextPage', (SELECT count(*) > ${limit} FROM page),
    'endCursor', (SELECT id FROM (SELECT id FROM page LIMIT ${limit}) AS shown ORDER BY id LIMIT 1))`;
const executions = (condition, fields) => `
  WITH page AS MATERIALIZED (SELECT * FROM test_executions ${condition} ORDER BY id DESC LIMIT 21)
  SELECT json_build_object('data', json_build_object('executions', json_build_object(${pageOf('e', 20, fields)})))::text`;

const statements = {
  W2: executions('', summary),
  W3: executions('', `${summary}, ${firstResults}`),
  W4: `
    WITH page AS MATERIALIZED (SELECT * FROM test_results WHERE execution_id = $1::uuid ORDER BY id DESC LIMIT 51)
    SELECT json_build_object('data', json_build_object('execution', (SELECT json_build_object(${summary}, 'results',
      json_build_object(${pageOf('r', 50, full)})) FROM test_executions e WHERE e.id = $1::uuid)))::text`,
  W5: `
    WITH page AS MATERIALIZED (SELECT * FROM test_results WHERE execution_id = $1::uuid
      AND severity = ANY('{3,4}'::smallint[]) ORDER BY id DESC LIMIT 21)
    SELECT json_build_object('data', json_build_object('results', json_build_object('totalCount',
      (SELECT count(*) FROM test_results WHERE execution_id = $1::uuid AND severity = ANY('{3,4}'::smallint[])),
      ${pageOf('r', 20, brief)})))::text`,
  W6: addResults.replace(
    /SELECT total AS added, (.*) AS duplicates FROM counts$/,
    `SELECT json_build_object('data', json_build_object('addResults', json_build_object('added', total, 'duplicates', $1)))::text FROM counts`,
  ),
  W7: executions('WHERE id < $1::uuid', summary),
};
statements.import = statements.W6;
const valuesOf = {
  W4: ({ id }) => [id],
  W5: ({ id }) => [id],
  W6: ({ input }) => [input.executionId, JSON.stringify(input.results)],
  import: ({ input }) => [input.executionId, JSON.stringify(input.results)],
  W7: ({ after }) => [after],
};

async function answer(request) {
  const name = request.url.slice(1);
  if (name === 'W1') return '{"data":{"__typename":"Query"}}';
  const body = await readBody(request);
  const values = valuesOf[name]?.(JSON.parse(body).variables);
  const { rows } = await pool.query({ name, text: statements[name], values, rowMode: 'array' });
  return rows[0][0];
}

serve(
  createServer((request, response) => {
    answer(request).then(
      (text) => {
        response.setHeader('Content-Type', 'application/json');
        response.setHeader('Content-Length', Buffer.byteLength(text));
        response.end(text);
      },
      (error) => {
        response.statusCode = 500;
        response.end(error.message);
      },
    );
  }),
);
