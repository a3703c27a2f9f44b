// Fills the bench's database by SQL: users, executions over 90 days and their results; done once, then kept.
import pg from 'pg';

const executionsAtOnce = 1000;
/** Also the name of what a run adds, which is older than all else and so on nobody's first page. */
export const addedName = 'Bench';

/**
 * @param {string} databaseUrl a migrated database
 * @param {{ users: number, executions: number, results: number }} size
 * @param {(line: string) => void} tell
 * @throws {Error} when it holds something else already
 */
export async function seed(databaseUrl, size, tell) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT count(*)::int AS count FROM test_executions WHERE name LIKE 'Seeded %'`,
    );
    if (rows[0].count === size.executions) return await removeAdded(client);
    if (rows[0].count > 0) throw new Error('The database was filled with other numbers: remove it first.');
    const startedAt = Date.now();
    // All or nothing; indexes are built afterwards, which takes a fraction of the time.
    await client.query('BEGIN');
    const { rows: indexes } = await client.query(secondaryIndexes);
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    await fill(client, size, tell);
    await client.query(`SET LOCAL maintenance_work_mem = '512MB'`);
    for (const { definition } of indexes) await client.query(definition);
    await client.query('COMMIT');
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
    tell(`filled in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  } finally {
    await client.end();
  }
}

/** What a run added would make the next one's figures another's. */
export async function removeAdded(client) {
  const { rowCount } = await client.query('DELETE FROM test_executions WHERE name = $1', [addedName]);
  if (rowCount === 0) return;
  await client.query('VACUUM (ANALYZE) test_results, test_executions');
  await client.query('CHECKPOINT');
}

/** Running executions that results can be added to. @returns their ids */
export async function addTargets(client, count) {
  const { rows } = await client.query(seedTargets, [addedName, count]);
  return rows.map(({ id }) => id);
}

async function fill(client, { users, executions, results }, tell) {
  const perExecution = Math.round(results / executions);
  await client.query(idFunction);
  await client.query(seedUsers, [users]);
  for (let from = 0; from < executions; from += executionsAtOnce) {
    const to = Math.min(from + executionsAtOnce, executions) - 1;
    await client.query(seedExecutions, [from, to, executions, perExecution, users]);
    await client.query(seedResults, [from, to, perExecution]);
    if (((to + 1) * 4) % executions === 0) tell(`filled ${to + 1} of ${executions} executions`);
  }
}

const secondaryIndexes = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index WHERE indrelid IN ('test_results'::regclass, 'test_executions'::regclass) AND NOT indisunique`;

const seedTargets = `
  INSERT INTO test_executions (id, name, target, kind, status, progress, tool, last_event_number, created_at, started_at)
  SELECT (substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || substr(md5(random()::text), 1, 12))::uuid,
    $1, 'https://bench.test', 'SAST'::test_kind, 'RUNNING'::execution_status, 0, 'bench', 0, at, at
  FROM generate_series(1, $2::int), (SELECT now() - interval '100 days' AS at),
    LATERAL (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS t) AS parts
  RETURNING id`;

/** pg_temp.id_of(moment): a UUIDv7, for any version of PostgreSQL. */
export const idFunction = `
  CREATE FUNCTION pg_temp.id_of(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7' || substr(r, 1, 3) || '-8' || substr(r, 4, 3) || '-' || substr(r, 7, 12))::uuid
    FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS t, md5(random()::text) AS r) AS parts
  $$`;

const seedUsers = `
  INSERT INTO users (id, email, email_key, name, role, status, password_hash, created_at, updated_at)
  SELECT pg_temp.id_of(now() - make_interval(days => 91)), 'user' || n || '@bench.test', 'user' || n || '@bench.test', 'User ' || n,
    (ARRAY['ANALYST', 'VIEWER'])[1 + n % 2]::role, 'ACTIVE', 'none', now(), now()
  FROM generate_series(1, $1::int) AS n`;

const seedExecutions = `
  INSERT INTO test_executions (id, name, target, kind, status, progress, tool, created_by_id, last_event_number,
    info_count, low_count, medium_count, high_count, critical_count, created_at, started_at, finished_at)
  SELECT pg_temp.id_of(at), 'Seeded ' || n, 'https://host-' || n % 500 || '.test',
    (ARRAY['DAST', 'SAST', 'SCA', 'SECRETS', 'IAC', 'CONTAINER'])[1 + n % 6]::test_kind,
    CASE WHEN n % 20 = 0 THEN 'FAILED' ELSE 'COMPLETED' END::execution_status, 100, 'tool-' || n % 12,
    (SELECT array_agg(id) FROM users WHERE email LIKE 'user%@bench.test')[1 + n % $5::int], 0,
    ($4 + 4) / 5, ($4 + 3) / 5, ($4 + 2) / 5, ($4 + 1) / 5, $4 / 5, at, at, at + interval '5 minutes'
  FROM (SELECT n, now() - interval '90 days' * (1 - n::float8 / $3) AS at FROM generate_series($1::int, $2::int) AS n) AS numbers`;

const seedResults = `
  INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, cvss_vector, cvss_score,
    location, evidence, remediation, "references", tags, fingerprint, created_at)
  SELECT pg_temp.id_of(e.created_at + make_interval(secs => i / 1000.0)), e.id, 'Finding of rule ' || i % 40 || ' in file ' || i,
    repeat('User input reaches a statement. ', 6), (i - 1) % 5, 'rule-' || i % 40, ARRAY[79 + i % 30], '{}', NULL, NULL,
    jsonb_build_object('path', 'src/file-' || i || '.ts', 'startLine', i), 'const rows = await query(text + name);',
    'Use parameters.', ARRAY['https://cwe.mitre.org/'], ARRAY['security'], 'bench:' || i || ':' || e.name, e.created_at
  FROM test_executions e, generate_series(1, $3::int) AS i
  WHERE e.name = ANY(SELECT 'Seeded ' || n FROM generate_series($1::int, $2::int) AS n)`;
