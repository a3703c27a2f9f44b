// Fills a migrated database with findings by SQL: projects, series with branches and runs, results and findings; done once.
import pg from 'pg';

const chunk = 100_000;
const seriesCount = 400;

/**
 * @param {string} databaseUrl a migrated database
 * @param {number} findings how many
 * @param {(line: string) => void} tell
 */
export async function seedFindings(databaseUrl, findings, tell) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      'SELECT count(*)::int AS count FROM (SELECT FROM findings LIMIT 1) AS few',
    );
    if (rows[0].count > 0) return;
    const startedAt = Date.now();
    await client.query('BEGIN');
    // Neither foreign keys nor counters row by row; indexes are built afterwards, which takes a fraction of the time.
    await client.query(`SET LOCAL session_replication_role = replica`);
    const { rows: indexes } = await client.query(secondaryIndexes);
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    await client.query(series, [seriesCount]);
    for (let from = 0; from < findings; from += chunk) {
      const to = Math.min(from + chunk, findings) - 1;
      await client.query(resultsSql, [from, to, seriesCount]);
      await client.query(findingsSql, [from, to, seriesCount]);
      if ((to + 1) % (10 * chunk) === 0) tell(`filled ${to + 1} of ${findings} findings`);
    }
    await client.query(sightings, [seriesCount]);
    await client.query(counts);
    await client.query(`SET LOCAL maintenance_work_mem = '1GB'`);
    for (const { definition } of indexes) await client.query(definition);
    await client.query('COMMIT');
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
    tell(`filled ${findings} findings in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  } finally {
    await client.end();
  }
}

const secondaryIndexes = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index WHERE indrelid IN ('test_results'::regclass, 'findings'::regclass) AND NOT indisprimary`;

/** Four projects, of which the first has two thirds; a series has the branch main, and one in ten feature too. */
const series = `
  WITH projects AS (
    INSERT INTO projects (id, key, name, default_branch, created_at)
    SELECT gen_random_uuid(), 'bench-' || n, 'Bench ' || n, 'main', now() FROM generate_series(1, 3) AS n RETURNING id, key
  ), numbered AS (
    SELECT id, row_number() OVER (ORDER BY key) AS n FROM projects
    UNION ALL SELECT '00000000-0000-7000-8000-000000000001', 0
  ), series AS (
    INSERT INTO scan_series (id, project_id, target, tool, category)
    SELECT s, (SELECT id FROM numbered WHERE n = CASE WHEN s % 9 < 6 THEN 0 ELSE s % 9 - 5 END),
      'target-' || s / 4, 'tool-' || s % 4, '' FROM generate_series(1, $1::int) AS s RETURNING id, project_id
  ), branches AS (
    INSERT INTO scan_branches (id, series_id, name, is_default, last_run, last_run_at, last_execution_id)
    SELECT id, id, 'main', true, 1, timestamptz '2026-06-01' + id * interval '7 minutes',
      ('00000000-0000-7000-9000-' || lpad(to_hex(id), 12, '0'))::uuid FROM series
    UNION ALL
    SELECT 10000 + id, id, 'feature', false, 1, timestamptz '2026-06-02', NULL FROM series WHERE id % 10 = 8 OR id BETWEEN 28 AND 31
    RETURNING id
  )
  INSERT INTO test_executions (id, name, target, kind, status, progress, created_at, started_at, finished_at, project_id, scan_branch_id,
    run_number, is_shared)
  SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(id), 12, '0'))::uuid, 'Run', 'target', 'SAST', 'COMPLETED', 100,
    now(), now(), now(), project_id, id, 1, true FROM series`;

/** Finding n: its id, series and the like, the same in all statements. Hashes make columns independent of each other. */
const numbers = `
  SELECT n, ('01950000-' || lpad(to_hex(n / 65536), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
    1 + (hashint4(n) & 1048575) % $3::int AS series_id, (hashint4(n + 1000003) & 1048575) % 100 AS a,
    (hashint4(n + 2000003) & 1048575) % 1000 AS b, (hashint4(n + 3000017) & 1048575) % 100000 AS c,
    timestamptz '2026-01-01' + ((hashint4(n + 4000037) & 1048575) % 12000000) * interval '1 second' AS seen
  FROM generate_series($1::int, $2::int) AS n`;
const severity =
  'CASE WHEN a < 30 THEN 0 WHEN a < 60 THEN 1 WHEN a < 85 THEN 2 WHEN a < 97 THEN 3 ELSE 4 END';
const title = `CASE b % 5 WHEN 0 THEN 'SQL injection in a query' WHEN 1 THEN 'Cross-site scripting' ELSE 'Weak hash number ' || c END`;

const resultsSql = `
  INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, location, remediation,
    "references", tags, fingerprint, content_key, created_at, finding_id, scan_branch_id, from_run, until_run, delta, is_shared)
  SELECT id, ('00000000-0000-7000-9000-' || lpad(to_hex(series_id), 12, '0'))::uuid, ${title}, 'It is as bad as it looks, number ' || n,
    ${severity}, 'rule-' || b, ARRAY[79], '{}', jsonb_build_object('path', 'src/file-' || c || '.ts', 'startLine', a),
    'Do not do that.', '{https://example.test}', '{tag}', 'f' || n, gen_random_uuid(), seen, id, series_id, 1,
    CASE WHEN b % 7 = 0 THEN 1 END, 0, true
  FROM (${numbers}) AS number`;

const findingsSql = `
  INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids, triage,
    accepted_until, assignee_id, due_at, is_present, first_seen_at, first_seen_in_id, last_seen_at, recipe, group_key, rule_key,
    message_key, line, path, search_text)
  SELECT number.id, series.project_id, series_id, number.id, ${title}, 'rule-' || b, ${severity}, ${severity},
    CASE WHEN c = 7 THEN ARRAY[4242] WHEN b % 3 = 0 THEN ARRAY[79] WHEN b % 3 = 1 THEN ARRAY[89, b] ELSE '{}' END,
    CASE WHEN b % 20 = 0 THEN ARRAY['CVE-2024-' || 1000 + c % 5000] ELSE '{}' END,
    (CASE WHEN c % 100 < 80 THEN 'OPEN' WHEN c % 100 < 81 THEN 'CONFIRMED' WHEN c % 100 < 92 THEN 'FALSE_POSITIVE'
      WHEN c % 100 < 96 THEN 'RISK_ACCEPTED' ELSE 'RESOLVED' END)::triage_state,
    CASE WHEN c % 100 BETWEEN 92 AND 95 THEN timestamptz '2099-01-01' END, NULL,
    CASE WHEN a >= 60 THEN seen + interval '90 days' END, b % 7 <> 0, seen, NULL,
    CASE WHEN b % 7 = 0 THEN seen + interval '20 days' END, 1, md5('g' || series_id || b)::uuid, md5('r' || b)::uuid,
    md5('m' || n)::uuid, a, 'src/file-' || c || '.ts',
    lower(${title}) || E'\\nrule-' || b || E'\\nsrc/file-' || c || '.ts' || CASE WHEN c = 77 THEN ' needle-in-haystack' ELSE '' END
  FROM (${numbers}) AS number JOIN scan_series AS series ON series.id = series_id`;

/** What the feature branches see: a fifth of the findings of their series. */
const sightings = `
  INSERT INTO test_results (id, execution_id, title, severity, fingerprint, "references", tags, created_at, finding_id, scan_branch_id,
    from_run, delta, is_shared)
  SELECT gen_random_uuid(), ('00000000-0000-7000-9000-' || lpad(to_hex(findings.series_id), 12, '0'))::uuid, title, severity, 'f', '{}', '{}',
    now(), findings.id, branch.id, 1, 1, true
  FROM findings JOIN scan_branches AS branch ON branch.id = 10000 + findings.series_id
  WHERE line % 5 = 0 AND $1::int > 0`;

const counts = `
  INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
  SELECT project_id, triage, severity, is_present, count(*) FROM findings GROUP BY 1, 2, 3, 4`;
