// Fills a development database with a believable month: 50 users, some 600 executions, their logs and results. See demo/.
import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { scoreCvss } from '../dist/features/result/cvss.js';
import { computeFingerprint } from '../dist/features/result/fingerprint.js';
import { createPasswordHasher } from '../dist/infra/credentials/password-hasher.js';
import { applyMigrations } from '../dist/infra/migrations/migrate.js';
import { emailKeyOf } from '../dist/validation/email.js';
import { foldForSearch } from '../dist/validation/search-text.js';
import { projects as software } from './demo/catalogue.mjs';
import { makeMonth } from './demo/month.mjs';
import { addProjects, decide, demoProjects, settleAll } from './demo/projects.mjs';
import { openDevDatabase } from './dev-database.mjs';

const usage = `Usage: npm run seed:demo -- [--seed TEXT] [--until YYYY-MM-DD] [--remove] [--yes]
  --seed    another month (default: demo); the same seed and day give the same
  --until   the day it ends (default: today, from 18:00 UTC, or yesterday)
  --remove  takes the demonstration users away, and all they made
  --yes     also in a database on another machine
Their password is SEED_PASSWORD, or a random one that is shown.`;
const eveningMs = 18 * 3_600_000;
const defaultProject = '00000000-0000-7000-8000-000000000001';
const isDemoUser = `email LIKE '%@demo.test'`;
const options = readOptions();
const database = await openDevDatabase();
try {
  process.exitCode = await seed(database);
} finally {
  await database.close();
}

function readOptions() {
  try {
    if (process.env.NODE_ENV === 'production') throw new Error('Not in production.');
    const text = { type: 'string' };
    const flag = { type: 'boolean' };
    const { values } = parseArgs({ options: { seed: text, until: text, remove: flag, yes: flag } });
    const day = values.until === undefined ? Date.now() - eveningMs : Date.parse(values.until);
    if (Number.isNaN(day)) throw new Error(`--until ${values.until} is not a day like 2026-01-31`);
    // The last evening, so that a day gives the same whenever it is asked for.
    return {
      ...values,
      seed: values.seed ?? 'demo',
      until: new Date(day).setUTCHours(0, 0, 0, 0) + eveningMs,
    };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
}

async function seed({ url, where, isEmbedded }) {
  const { hostname } = new URL(url);
  if (!['127.0.0.1', 'localhost', '[::1]', ''].includes(hostname) && !options.yes) {
    console.error(`${where} is on another machine: say --yes if you mean it.`);
    return 2;
  }
  if (isEmbedded) await applyMigrations(url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN');
    const code = options.remove ? await remove(client) : await add(client, where);
    await client.query('COMMIT');
    await client.query('ANALYZE users, test_executions, execution_events, test_results');
    if (code === 0 && !options.remove) await addFindings(client, url);
    await client.query('ANALYZE findings, test_results');
    return code;
  } finally {
    await client.end();
  }
}

async function add(client, where) {
  if ((await client.query(`SELECT FROM users WHERE ${isDemoUser} LIMIT 1`)).rowCount > 0) {
    console.log('The demonstration month is there already: nothing was changed (--remove takes it away).');
    return 0;
  }
  const password = process.env.SEED_PASSWORD || randomBytes(12).toString('base64url');
  const hasher = createPasswordHasher({ memoryKib: 19_456, iterations: 2, parallelism: 1, queueMax: 1 });
  const rows = makeMonth({
    ...{ seed: options.seed, until: options.until, passwordHash: await hasher.hash(password) },
    fingerprintOf: computeFingerprint,
    scoreOf: (vector) => scoreCvss(vector).score,
  });
  const search = (...parts) => foldForSearch(parts.filter(Boolean).join('\n'));
  const withSearch = (items, textOf) => items.map((item) => ({ ...item, searchText: textOf(item) }));
  const users = withSearch(rows.users, ({ name, email }) => search(name, email));
  await insert(
    client,
    'users',
    users.map((user) => ({ ...user, emailKey: emailKeyOf(user.email) })),
  );
  const projectOf = await addProjects(client, software, rows.users);
  await insert(
    client,
    'test_executions',
    withSearch(rows.executions, ({ name, target }) => search(name, target)).map((execution) => ({
      ...execution,
      projectId: projectOf(execution.target) ?? defaultProject,
    })),
  );
  await insert(client, 'execution_events', rows.events);
  await insert(
    client,
    'test_results',
    rows.results.map((result) => ({
      ...result,
      contentKey: randomUUID(),
      vulnerabilityIds: [],
      searchText: search(
        result.title,
        result.ruleId,
        ...Object.values(result.location ?? {}),
        ...result.cveIds,
      ),
    })),
  );
  const numbers = [rows.users.length, rows.executions.length, rows.events.length, rows.results.length];
  const [userCount, executionCount, eventCount, resultCount] = numbers.map((number) =>
    number.toLocaleString('en'),
  );
  console.log(
    `${where}: ${userCount} users, ${executionCount} executions, ${eventCount} events, ${resultCount} results.`,
  );
  const signIns = ['ADMIN', 'ANALYST', 'VIEWER'].map((role) => {
    const { email } = rows.users.find((user) => user.role === role);
    return `  ${role.toLowerCase().padEnd(8)} ${email}`;
  });
  console.log(`Sign in with the password ${password} as, for example:\n${signIns.join('\n')}`);
  return 0;
}

/** Findings that live across the month, and decisions about them. */
async function addFindings(client, url) {
  const runs = await settleAll(client, url);
  const { rows } = await client.query(
    `SELECT id, email FROM users WHERE ${isDemoUser} AND role = 'ANALYST' AND status = 'ACTIVE' ORDER BY id LIMIT 1`,
  );
  if (runs === 0 || rows.length === 0) return;
  await decide(client, rows[0]);
  const { rows: counts } = await client.query(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE is_present)::int AS present FROM findings`,
  );
  console.log(
    `${runs} runs have met the findings: ${counts[0].all}, of which ${counts[0].present} are present; projects ${demoProjects.map(({ key }) => key).join(', ')}.`,
  );
}

async function remove(client) {
  const ofThem = `created_by_id IN (SELECT id FROM users WHERE ${isDemoUser})`;
  const executions = await client.query(`DELETE FROM test_executions WHERE ${ofThem}`);
  await client.query(
    `DELETE FROM findings WHERE NOT EXISTS (SELECT FROM test_results WHERE finding_id = findings.id)`,
  );
  await client.query(
    `DELETE FROM projects WHERE key = ANY($1) AND NOT EXISTS (SELECT FROM test_executions WHERE project_id = projects.id)`,
    [demoProjects.map(({ key }) => key)],
  );
  const users = await client.query(`DELETE FROM users WHERE ${isDemoUser}`);
  console.log(`Removed ${users.rowCount} users and ${executions.rowCount} executions with their results.`);
  return 0;
}

/** Many rows in one statement: a row's keys in snake case are the columns. */
async function insert(client, table, rows) {
  const keys = Object.keys(rows[0]);
  const nameOf = (key) => `"${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`;
  const columns = keys.map(nameOf).join(', ');
  for (let start = 0; start < rows.length; start += 1000) {
    const part = JSON.stringify(rows.slice(start, start + 1000));
    const renamed = keys.map((key) => `'${nameOf(key).slice(1, -1)}', item -> '${key}'`).join(', ');
    await client.query(
      `INSERT INTO ${table} (${columns})
       SELECT ${columns} FROM jsonb_array_elements($1::jsonb) AS item,
         jsonb_populate_record(NULL::${table}, jsonb_build_object(${renamed}))`,
      [part],
    );
  }
}
