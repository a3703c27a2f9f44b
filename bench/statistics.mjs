// Measures statistics beside the counting scan that they replace, in two databases, the larger one ten times the smaller, in one
// run. Their findings come from nightly runs, and their rollups from the migration that counts the findings that are there.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { dataDir, root } from './database.mjs';
import { machine, saveFigures } from './report.mjs';
import { admin, startServer } from './server.mjs';
import { withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';

const seriesCount = 400;
const chunk = 250_000;
const counts = '{ total critical high medium low info }';
const query = `query Statistics($filter: StatisticsFilter) { statistics(filter: $filter) {
  open ${counts} byBucket { from opened closed open ${counts} } topRules { ruleId title count } topCwes { cweId count }
  topTargets { target counts ${counts} } meanSecondsToResolve overdue } }`;
const openOnly = `query Open($filter: StatisticsFilter) { statistics(filter: $filter) { open ${counts} } }`;
const filters = {
  'everything, 30 days of UTC': {},
  'everything, 30 days of Berlin': { timeZone: 'Europe/Berlin' },
  'everything, 12 months of Kathmandu': {
    timeZone: 'Asia/Kathmandu',
    bucket: 'MONTH',
    from: '2025-12-01T00:00:00Z',
  },
  'a project, 30 days of UTC': { project: 'bench-1' },
  'a project, 30 days of Berlin': { project: 'bench-1', timeZone: 'Europe/Berlin' },
  'a target, 30 days of UTC': { target: 'target-7' },
};

const { values } = parseArgs({
  options: {
    findings: { type: 'string', default: '1000000,10000000' },
    rounds: { type: 'string', default: '25' },
    json: { type: 'string' },
  },
});
const sizes = values.findings.split(',').map(Number);

async function run(databases, closers) {
  console.log(machine());
  const stands = [];
  for (const size of sizes) stands.push(await standOf(databases, closers, size));
  for (const stand of stands) await stand.signIn();
  const figures = { at: new Date().toISOString(), machine: machine(), sizes, rows: [] };
  const times = new Map();
  const names = [
    'counting scan',
    'open, everything',
    'open, a project',
    'all counted',
    ...Object.keys(filters),
  ];
  const work = {
    'counting scan': (stand) => stand.count([scan]),
    'open, everything': (stand) => stand.ask(openOnly, {}),
    'open, a project': (stand) => stand.ask(openOnly, { project: 'bench-1' }),
    'all counted': (stand) => stand.count(scans),
  };
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const name of names)
      for (const [index, stand] of stands.entries()) {
        const startedAt = performance.now();
        await (filters[name] === undefined ? work[name](stand) : stand.ask(query, filters[name]));
        const key = `${name}/${index}`;
        times.set(key, [...(times.get(key) ?? []), performance.now() - startedAt]);
      }
  const of = (name, index) => median(times.get(`${name}/${index}`));
  console.log(
    `\n${machine()}\n\n| | ${sizes.map(count).join(' | ')} | of its count | ratio |\n|--|${sizes.map(() => '--:').join('|')}|--:|--:|`,
  );
  for (const name of names) {
    const medians = sizes.map((_size, index) => of(name, index));
    const [small, large] = medians;
    const share = (small / of(name.startsWith('open') ? 'counting scan' : 'all counted', 0)).toFixed(3);
    const ratio = large === undefined ? '' : (large / small).toFixed(2);
    console.log(`| ${[name, ...medians.map(ms), share, ratio].join(' | ')} |`);
    figures.rows.push({ name, medians });
  }
  await saveFigures(figures, values.json ?? join(dataDir, 'statistics.json'));
}

async function standOf(databases, closers, size) {
  const databaseUrl = await databases.empty(`bench_statistics_${size}`);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  closers.push(() => client.end());
  await fill(client, size);
  const server = await startServer({ root, dataDir: join(dataDir, `statistics-${size}`), databaseUrl });
  closers.push(() => server.stop());
  const post = async (path, body, token) => {
    const headers = {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
    };
    return (
      await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    ).json();
  };
  let accessToken;
  return {
    // Late, as filling the other database takes longer than a token lives.
    signIn: async () => {
      ({ accessToken } = await post('/api/v1/auth/login', admin));
    },
    ask: async (query, filter) => {
      const { data, errors } = await post('/graphql', { query, variables: { filter } }, accessToken);
      if (errors !== undefined) throw new Error(errors[0].message);
      if (data.statistics.byBucket?.length < 10 || data.statistics.open.total === 0)
        throw new Error('Nothing was counted.');
    },
    count: async (statements) => {
      for (const statement of statements) await client.query(statement);
    },
  };
}

const isOpen = `is_present AND triage IN ('OPEN', 'CONFIRMED')`;
const scan = `SELECT severity, count(*) FROM findings WHERE ${isOpen} GROUP BY severity`;
/** The same figures as the query of everything, counted. */
const scans = [
  scan,
  `SELECT rule_id, min(title), count(*) FROM findings WHERE ${isOpen} GROUP BY 1 ORDER BY 3 DESC LIMIT 10`,
  `SELECT unnest(cwe_ids), count(*) FROM findings WHERE ${isOpen} GROUP BY 1 ORDER BY 2 DESC LIMIT 10`,
  `SELECT target, severity, count(*) FROM findings JOIN scan_series AS series ON series.id = series_id WHERE ${isOpen} GROUP BY 1, 2`,
  `SELECT count(*) FROM findings WHERE ${isOpen} AND due_at < now()`,
  `SELECT date_trunc('day', at), severity, sum(change), count(*) FROM findings
   CROSS JOIN LATERAL (VALUES (first_seen_at, 1), (turned_at, -1)) AS turn(at, change) WHERE at IS NOT NULL GROUP BY 1, 2`,
];

/** Fills an empty database, once. */
async function fill(client, size) {
  const { rows } = await client.query(
    'SELECT count(*)::int AS count FROM (SELECT FROM findings LIMIT 1) AS few',
  );
  if (rows[0].count > 0) return;
  const startedAt = Date.now();
  await client.query('BEGIN');
  await client.query('SET LOCAL session_replication_role = replica');
  await client.query(`SET LOCAL maintenance_work_mem = '1GB'`);
  const indexes = (await client.query(secondaryIndexes)).rows;
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
  await client.query(projects);
  await client.query(series, [seriesCount]);
  for (let from = 0; from < size; from += chunk)
    await client.query(findings, [from, Math.min(from + chunk, size) - 1, seriesCount]);
  for (const { definition, isSearch } of indexes) if (!isSearch) await client.query(definition);
  await client.query(`INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
    SELECT project_id, triage, severity, is_present, count(*) FROM findings GROUP BY 1, 2, 3, 4`);
  await client.query('COMMIT');
  await client.query('VACUUM (ANALYZE) findings');
  console.log(`filled ${size} findings in ${seconds(startedAt)} s`);
  const countedAt = Date.now();
  const file = join(root, 'prisma/migrations/20261128050100_statistics_backfill/migration.sql');
  await client.query(await readFile(file, 'utf8'));
  console.log(`counted them in ${seconds(countedAt)} s`);
  await addUp(client);
  await client.query('VACUUM (ANALYZE)');
  await client.query('CHECKPOINT');
}

/** As the server does in the background. */
async function addUp(client) {
  const { compactRollups } = await import(join(root, 'dist/features/finding/finding.rollups.js'));
  const query = async ({ text, values: given }) => (await client.query(text, given)).rows;
  const startedAt = Date.now();
  const hasMany = async (table) =>
    (await client.query(`SELECT FROM ${table} WHERE NOT is_sum LIMIT 1000`)).rowCount === 1000;
  for (const table of ['open_counts', 'due_counts', 'trend_counts'])
    while (await hasMany(table)) await compactRollups({ query });
  console.log(`added them up in ${seconds(startedAt)} s`);
}

const secondaryIndexes = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition, amname = 'gin' AS "isSearch"
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
  WHERE indrelid = 'findings'::regclass AND NOT indisprimary`;
const projects = `
  INSERT INTO projects (id, key, name, default_branch, created_at)
  SELECT gen_random_uuid(), 'bench-' || n, 'Bench ' || n, 'main', now() FROM generate_series(1, 3) AS n`;
const series = `
  INSERT INTO scan_series (id, project_id, target, tool, category)
  SELECT s, (SELECT id FROM projects ORDER BY key OFFSET greatest(s % 9 - 5, 0) LIMIT 1), 'target-' || s / 4, 'tool-' || s % 4, ''
  FROM generate_series(1, $1::int) AS s`;
/** A series runs every night of 200 days, at a time of its own; a seventh of the findings is gone, a fifth decided. */
const findings = `
  INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids, triage,
    accepted_until, due_at, is_present, first_seen_at, last_seen_at, turned_at, recipe, group_key, rule_key, message_key, line, path,
    search_text)
  SELECT id, project_id, series_id, id, 'Weak hash number ' || c, 'rule-' || b, severity, severity,
    CASE WHEN b % 3 = 0 THEN ARRAY[79] WHEN b % 3 = 1 THEN ARRAY[89, b] ELSE '{}' END, '{}', triage::triage_state,
    CASE WHEN triage = 'RISK_ACCEPTED' THEN timestamptz '2099-01-01' END,
    CASE WHEN severity >= 2 THEN seen + interval '90 days' END, b % 7 <> 0, seen,
    CASE WHEN b % 7 = 0 THEN seen + interval '20 days' END, CASE WHEN b % 7 = 0 THEN seen + interval '21 days' END, 1,
    md5('g' || series_id || b)::uuid, md5('r' || b)::uuid, md5('m' || n)::uuid, a, 'src/file-' || c || '.ts', 'weak hash number ' || c
  FROM (
    SELECT n, md5(n::text)::uuid AS id, series_id, project_id, a, b, c,
      CASE WHEN a < 30 THEN 0 WHEN a < 60 THEN 1 WHEN a < 85 THEN 2 WHEN a < 97 THEN 3 ELSE 4 END AS severity,
      CASE WHEN c % 100 < 80 THEN 'OPEN' WHEN c % 100 < 81 THEN 'CONFIRMED' WHEN c % 100 < 92 THEN 'FALSE_POSITIVE'
        WHEN c % 100 < 96 THEN 'RISK_ACCEPTED' ELSE 'RESOLVED' END AS triage,
      date_trunc('day', now()) - (1 + night) * interval '1 day' + series_id * interval '3 minutes' AS seen
    FROM (
      SELECT n, 1 + (hashint4(n) & 1048575) % $3::int AS series_id, (hashint4(n + 1000003) & 1048575) % 100 AS a,
        (hashint4(n + 2000003) & 1048575) % 1000 AS b, (hashint4(n + 3000017) & 1048575) % 100000 AS c,
        (hashint4(n + 4000037) & 1048575) % 200 AS night
      FROM generate_series($1::int, $2::int) AS n
    ) AS number JOIN scan_series AS series ON series.id = series_id
  ) AS finding`;

const seconds = (startedAt) => Math.round((Date.now() - startedAt) / 1000);
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

await withDatabases(run);
