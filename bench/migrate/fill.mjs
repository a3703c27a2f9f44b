// Fills a database as an earlier version leaves it: targets scanned again and again, whose results come, stay and go; and recounts
// by hand which findings these results are.
import { idFunction } from '../seed.mjs';

/** Results of execution n: 500 issues of its target of which the first two go and two come with each run. */
export async function fill(client, { executions, perExecution, targets }) {
  await client.query(idFunction);
  for (let from = 0; from < executions; from += 100) {
    await client.query(insertExecutions, [from, Math.min(from + 100, executions) - 1, targets, perExecution]);
    await client.query(insertResults, [from, Math.min(from + 100, executions) - 1, targets, perExecution]);
  }
  await client.query(settleEdges);
  await client.query('VACUUM (ANALYZE)');
}

/** Of all kinds: without a tool, on a branch, failed, cancelled, running, by deleted users; those of target 3 end without results. */
const insertExecutions = `
  INSERT INTO test_executions (id, name, target, kind, status, progress, tool, branch, last_event_number, info_count, low_count,
    medium_count, high_count, critical_count, created_at, started_at, finished_at)
  SELECT pg_temp.id_of(at), 'Run ' || n, 'target-' || n % $3::int, 'SAST',
    (CASE WHEN n / $3 % 20 = 19 THEN 'FAILED' WHEN n / $3 % 33 = 32 THEN 'CANCELLED' WHEN n % 400 = 399 THEN 'RUNNING'
      ELSE 'COMPLETED' END)::execution_status, 100,
    CASE n % $3 % 5 WHEN 0 THEN NULL WHEN 1 THEN 'ZAP ' ELSE 'tool-' || n % $3 % 5 END,
    CASE n / $3 % 7 WHEN 6 THEN 'feature' ELSE 'main' END, 0, $4::int / 5, $4 / 5, $4 / 5, $4 / 5, $4 / 5, at, at,
    CASE WHEN n % 400 <> 399 OR n / $3 % 20 = 19 OR n / $3 % 33 = 32 THEN at + interval '5 minutes' END
  FROM (SELECT n, now() - interval '90 days' + n * interval '1 minute' AS at FROM generate_series($1::int, $2::int) AS n) AS numbers`;

const insertResults = `
  INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, location, evidence,
    remediation, "references", tags, fingerprint, search_text, created_at)
  SELECT pg_temp.id_of(e.created_at + make_interval(secs => i / 1000.0)), e.id, 'Weakness ' || translate(i::text, '0123456789', 'abcdefghij') || ' of rule ' || i % 40,
    repeat('User input reaches a statement. ', 6), i % 5, CASE WHEN i % 11 > 0 THEN 'rule-' || i % 40 END, ARRAY[79 + i % 30], '{}',
    CASE WHEN i % 13 > 0 THEN jsonb_build_object('path', 'src/file-' || i % 97 || '.ts', 'startLine', i) END,
    'const rows = await query(text + name);', 'Use parameters.', ARRAY['https://cwe.mitre.org/'], ARRAY['security'],
    'scan:' || e.target || ':' || i, 'weakness ' || translate(i::text, '0123456789', 'abcdefghij') || ' of rule ' || i % 40, e.created_at
  FROM (SELECT *, substr(name, 5)::int AS n FROM test_executions WHERE name LIKE 'Run %') AS e,
    LATERAL generate_series(e.n / $3::int * 2, e.n / $3 * 2 + $4::int - 1) AS i
  WHERE e.n BETWEEN $1::int AND $2::int AND NOT (e.target = 'target-3' AND e.n / $3 = 98)`;

/** Executions that ended without results count none. */
const settleEdges = `UPDATE test_executions SET info_count = 0, low_count = 0, medium_count = 0, high_count = 0, critical_count = 0
  WHERE NOT EXISTS (SELECT FROM test_results WHERE execution_id = test_executions.id)`;

/** Findings and present ones of the filled results, from results and executions alone: never from what the server derived. */
export const recount = `
  WITH run AS (
    SELECT id, target, lower(trim(coalesce(tool, ''))) AS tool, branch, finished_at, status = 'COMPLETED' AS is_complete
    FROM test_executions WHERE name LIKE 'Run %' AND finished_at IS NOT NULL
  ), seen AS (
    SELECT run.target, run.tool, result.fingerprint,
      max(run.finished_at) FILTER (WHERE branch = 'main') AS last_main
    FROM test_results AS result JOIN run ON run.id = result.execution_id GROUP BY 1, 2, 3
  ), whole AS (
    SELECT target, tool, max(finished_at) AS last_whole FROM run WHERE branch = 'main' AND is_complete GROUP BY 1, 2
  )
  SELECT count(*)::int AS findings, count(*) FILTER (WHERE last_main >= last_whole)::int AS present FROM seen JOIN whole USING (target, tool)`;
