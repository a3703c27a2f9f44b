// Measures decisions in one run: triage of 100,000 findings beside the bare SQL of the same rows, the comparison of two
// executions of 50,000 results beside the join in SQL, and a gate beside W4. The bare SQL runs in psql.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { dataDir, root } from './database.mjs';
import { seedFindings } from './findings-seed.mjs';
import { machine, saveFigures } from './report.mjs';
import { admin, startServer } from './server.mjs';
import { withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';
import { workloads } from './workloads.mjs';

const { values } = parseArgs({
  options: {
    findings: { type: 'string', default: '1000000' },
    decided: { type: 'string', default: '100000' },
    results: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const decided = Number(values.decided);

await withDatabases(run);

async function run(databases, closers) {
  console.log(machine());
  const size = Number(values.findings);
  const url = await databases.empty(`bench_findings_${size}`);
  await seedFindings(url, size, console.log);
  const server = await startServer({ root, dataDir: join(dataDir, `findings-${size}`), databaseUrl: url });
  closers.push(() => server.stop());
  const sql = new pg.Client({ connectionString: url });
  await sql.connect();
  closers.push(() => sql.end());
  // The seed gives series and branches their ids.
  for (const table of ['scan_series', 'scan_branches'])
    await sql.query(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), max(id)) FROM ${table}`);
  const stand = { url: server.url, token: await signIn(server.url), sql, databaseUrl: url };
  const figures = { at: new Date().toISOString(), machine: machine(), rows: [] };
  console.log('\n| work | server | bare SQL or W4 | ratio |\n|--|--:|--:|--:|');
  for (const measure of [gates, comparisons, triage])
    for (const row of await measure(stand)) {
      figures.rows.push(row);
      console.log(
        `| ${row.name} | ${ms(row.own)} | ${ms(row.other)} | ${(row.own / row.other).toFixed(2)} |`,
      );
    }
  await saveFigures(figures, values.json ?? join(dataDir, 'decisions.json'));
}

async function signIn(url) {
  const answer = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  return (await answer.json()).accessToken;
}

/** Each in turn, another one first in each round; medians in milliseconds. */
async function alternate(own, other) {
  const times = [[], []];
  await own();
  await other();
  for (let round = 0; round < rounds; round += 1)
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) times[at].push(await [own, other][at]());
  return { own: median(times[0]), other: median(times[1]), times };
}

/** The same decision about the same rows, with history and counters, by filter through the API and bare in psql. */
async function triage({ sql, databaseUrl, ...api }) {
  const { rows } = await sql.query(
    `SELECT first_seen_at AS since FROM findings WHERE project_id = '00000000-0000-7000-8000-000000000001' AND is_present
     ORDER BY first_seen_at DESC OFFSET $1 LIMIT 1`,
    [decided - 10],
  );
  const since = rows[0].since.toISOString();
  const matching = `project_id = '00000000-0000-7000-8000-000000000001' AND is_present AND first_seen_at >= '${since}'`;
  let turn = 0;
  /** A reason that no decision before had, so that each changes all rows. */
  const next = () => {
    turn += 1;
    return `Decision ${turn} of ${Date.now()}`;
  };
  const vacuum = () => sql.query('VACUUM findings, triage_events, finding_counts');
  const own = async () => {
    const input = {
      filter: { project: 'default', firstSeenAfter: since },
      state: 'FALSE_POSITIVE',
      reason: next(),
    };
    const startedAt = performance.now();
    const { triageFindings } = await ask(
      api,
      'mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { matched changed counts { total } } }',
      { input },
    );
    const time = performance.now() - startedAt;
    if (triageFindings.changed < decided - 10) throw new Error(JSON.stringify(triageFindings));
    await vacuum();
    return time;
  };
  const bare = async () => {
    const reason = next();
    const time = psql(
      databaseUrl,
      `BEGIN;
       UPDATE findings SET triage = 'FALSE_POSITIVE', triage_reason = '${reason}', triage_comment = NULL, accepted_until = NULL
         WHERE ${matching};
       INSERT INTO triage_events (id, finding_id, at, actor_label, "from", "to", reason)
         SELECT gen_random_uuid(), id, now(), 'psql', 'OPEN', 'FALSE_POSITIVE', '${reason}' FROM findings WHERE ${matching};
       COMMIT;`,
    );
    await vacuum();
    return time;
  };
  const figures = await alternate(own, bare);
  return [{ name: `triage of ${count(decided)} findings by filter`, ...figures }];
}

/** Counts and first pages of a pull request beside its base, and the full join of the same rows in psql. */
async function comparisons(stand) {
  const { sql, databaseUrl } = stand;
  const total = Number(values.results);
  const base = await imported(stand, 'main', 0, total);
  const head = await imported(stand, 'feature', Math.round(total / 10), total);
  await sql.query('VACUUM ANALYZE test_results, findings');
  const of = async (id) => {
    const { rows } = await sql.query(
      'SELECT scan_branch_id AS branch, run_number AS run FROM test_executions WHERE id = $1',
      [id.slice(4)],
    );
    return `SELECT finding_id FROM test_results WHERE is_shared AND scan_branch_id = ${rows[0].branch} AND from_run <= ${rows[0].run}
      AND (until_run IS NULL OR until_run >= ${rows[0].run}) AND finding_id IS NOT NULL`;
  };
  const join = `SELECT count(*) FILTER (WHERE base.finding_id IS NULL), count(*) FILTER (WHERE head.finding_id IS NULL),
      count(*) FILTER (WHERE base.finding_id = head.finding_id)
    FROM (${await of(base)}) AS base FULL JOIN (${await of(head)}) AS head USING (finding_id);`;
  const timed = (part) => async () => {
    const startedAt = performance.now();
    const answer = await ask(
      stand,
      `query($base: ID!, $head: ID!) { compareExecutions(base: $base, head: $head) {
        new ${part} fixed ${part} unchanged ${part} reopened ${part} } }`,
      { base, head },
    );
    const time = performance.now() - startedAt;
    const { new: added, unchanged } = answer.compareExecutions;
    if (added.totalCount !== Math.round(total / 10) || unchanged.totalCount !== total - added.totalCount)
      throw new Error(JSON.stringify([added.totalCount, unchanged.totalCount]));
    return time;
  };
  const bare = async () => psql(databaseUrl, join);
  const page = '(first: 50) { totalCount nodes { id title severity } }';
  return [
    {
      name: `counts of two executions of ${count(total)}`,
      ...(await alternate(timed('{ totalCount }'), bare)),
    },
    { name: 'counts and four pages of 50', ...(await alternate(timed(page), bare)) },
  ];
}

/** A gate beside W4 on the same execution of 50 results. */
async function gates(stand) {
  const id = await imported(stand, 'gate', 0, 50);
  const timed = (query, variables) => async () => {
    const startedAt = performance.now();
    for (let at = 0; at < 100; at += 1) await ask(stand, query, variables);
    return (performance.now() - startedAt) / 100;
  };
  const gate = timed(
    'query($id: ID!, $policy: GatePolicy!) { gate(executionId: $id, policy: $policy) { verdict reasons counts { critical high total } } }',
    { id, policy: { maxCritical: 0, maxHigh: 0, onlyNew: true, failOnOverdue: true } },
  );
  return [{ name: 'gate of 50 results', ...(await alternate(gate, timed(workloads.W4.query, { id }))) }];
}

/** Imports results numbered from … on, as the run of a branch; the id of its execution. */
async function imported({ url, token }, branch, from, length) {
  const results = Array.from({ length }, (_, at) => ({
    ruleId: `rule-${(from + at) % 500}`,
    level: ['error', 'warning', 'note'][at % 3],
    message: { text: `Problem number ${from + at} of many` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: `src/part-${(from + at) % 1000}/file-${from + at}.ts` },
          region: { startLine: 1 + (at % 400), snippet: { text: `call(${from + at})` } },
        },
      },
    ],
  }));
  const report = { version: '2.1.0', runs: [{ tool: { driver: { name: 'bench' } }, results }] };
  const answer = await fetch(`${url}/api/v1/imports?target=compared-${length}&branch=${branch}&wait=120`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(report),
  });
  let receipt = await answer.json();
  while (receipt.state === 'RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const query = 'query($id: ID!) { import(id: $id) { state errorMessage execution { id } } }';
    const { import: now } = await ask({ url, token }, query, { id: receipt.id });
    receipt = { ...receipt, ...now, executionId: now.execution.id };
  }
  if (receipt.state !== 'COMPLETED') throw new Error(JSON.stringify(receipt));
  return receipt.executionId;
}

/** Runs a script in psql; milliseconds as `\timing` reports them, without the start of psql. */
function psql(databaseUrl, script) {
  const output = execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', databaseUrl], {
    input: `SET jit = off;\n\\timing on\n${script}\n`,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const times = [...output.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, time]) => Number(time));
  return times.reduce((sum, time) => sum + time, 0);
}

async function ask({ url, token }, query, variables) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors !== undefined) throw new Error(`${query}: ${errors[0].message}`);
  return data;
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}
