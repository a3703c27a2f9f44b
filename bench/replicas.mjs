// Measures what a read replica adds: by requests, and by the processor time of both PostgreSQLs for each request, since on few cores
// they share them with everything else: node bench/replicas.mjs
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withParts } from '../anywhere/parts.mjs';
import { dataDir, openDatabases, root, sizeOf } from './database.mjs';
import { startLoadGenerator } from './measure.mjs';
import { readOptions } from './options.mjs';
import { machine } from './report.mjs';
import { admin, startServer } from './server.mjs';
import { workloads } from './workloads.mjs';

const usage = `Usage: node bench/replicas.mjs [options]          (after npm run build; needs Debian's PostgreSQL)

  --only NAMES      of W2, W3 and statistics               (W2,W3,statistics)
  --executions N    --results N                            (500, 12500)
  --seconds N       of each round                          (5)
  --rounds N        in alternation                         (3)
  --connections N   of a load                              (16)
`;
const given = readOptions(usage, {
  only: 'W2,W3,statistics',
  executions: '500',
  results: '12500',
  seconds: '5',
  rounds: '3',
  connections: '16',
});

const secret = 'a-token-for-the-bench-0123456789abcdef';
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const statistics = {
  query:
    '{ statistics { open { critical high } overdue topRules { ruleId count } byBucket { from opened closed } } }',
  variables: () => [{}],
};

await withParts(async (parts) => {
  console.log(machine());
  const primary = await parts.postgres();
  process.env.BENCH_DATABASE_URL = primary.urlOf('postgres');
  const databases = await openDatabases();
  const size = sizeOf({ executions: Number(given.executions), results: Number(given.results) });
  const { url: databaseUrl } = await databases.filled(size, console.log);
  const alone = await start('alone', databaseUrl, {});
  // It is done in the background, and would be measured too.
  await until(async () => (await metricOf(alone, 'executions_unsettled')) === 0);
  await primary.sql('VACUUM ANALYZE', new URL(databaseUrl).pathname.slice(1));
  const standby = await parts.postgres({ copyOf: primary });
  const readUrl = databaseUrl.replace(`:${primary.port}/`, `:${standby.port}/`);
  const generator = startLoadGenerator();
  const servers = { alone, beside: await start('beside', databaseUrl, { DATABASE_READ_URL: readUrl }) };
  try {
    await until(async () => (await metricOf(servers.beside, 'database_replica_up')) === 1);
    console.log(
      '| Workload | Requests/s without and with a replica | Reads on the replica | PostgreSQL, ms for each: alone | primary, for each read on the replica | replica | server without and with | Adds, of its own rate |',
    );
    console.log('|--|--|--|--|--|--|--|--|');
    for (const name of given.only.split(',')) await compare(name, { generator, servers, primary, standby });
  } finally {
    generator.stop();
    for (const { server } of Object.values(servers)) await server.stop();
    await databases.stop();
  }
});

async function start(name, databaseUrl, env) {
  const server = await startServer({
    root,
    dataDir: join(dataDir, `replicas-${name}`),
    databaseUrl,
    env: { LOG_LEVEL: 'warn', METRICS: 'true', METRICS_TOKEN: secret, ...env },
  });
  const answer = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  return { server, accessToken: (await answer.json()).accessToken };
}

async function compare(name, { generator, servers, primary, standby }) {
  const run = (server, seconds) => load(name, server, seconds, { generator, primary, standby });
  const rounds = { alone: [], beside: [] };
  for (const side of Object.keys(rounds)) await run(servers[side], 3);
  for (let round = 0; round < Number(given.rounds); round += 1)
    for (const side of Object.keys(rounds))
      rounds[side].push(await run(servers[side], Number(given.seconds)));
  const of = (side, key) => median(rounds[side].map((outcome) => outcome[key]));
  const alone = of('alone', 'primaryMs');
  const share = of('beside', 'share');
  // What is left of the primary's time, when its own reads cost what they cost alone, is for reads on the replica.
  const asking = (of('beside', 'primaryMs') - (1 - share) * alone) / share;
  const own = of('beside', 'standbyMs') / share;
  const pair = (key, digits) => ['alone', 'beside'].map((side) => of(side, key).toFixed(digits)).join(', ');
  const cells = [name, pair('perSecond', 0), `${(100 * share).toFixed(0)} %`, alone.toFixed(3)];
  cells.push(asking.toFixed(3), own.toFixed(3), pair('serverMs', 3), ((alone - asking) / own).toFixed(2));
  console.log(`| ${cells.join(' | ')} |`);
}

async function load(name, entry, seconds, { generator, primary, standby }) {
  const { server, accessToken } = entry;
  const { query, variables } = name === 'statistics' ? statistics : workloads[name];
  const measure = async () => [
    cpuSeconds([primary]),
    cpuSeconds([standby]),
    ticksOf(server.pid, 2),
    await metricOf(entry, 'database_replica_reads', 'replica'),
    (await metricOf(entry, 'database_replica_reads', 'primary')) +
      (await metricOf(entry, 'database_replica_reads', 'repeated')),
  ];
  const before = await measure();
  const outcome = await generator.run({
    port: server.port,
    path: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
    bodies: variables({}).map((values) => JSON.stringify({ query, variables: values })),
    connections: Number(given.connections),
    seconds,
    firstNumber: 0,
  });
  if (outcome.failed > 0) throw new Error(`${name}: ${outcome.failed} failed: ${outcome.firstFailure}`);
  const after = await measure();
  const [primaryS, standbyS, serverS, onReplica, onPrimary] = after.map((value, at) => value - before[at]);
  const [primaryMs, standbyMs, serverMs] = [primaryS, standbyS, serverS].map(
    (time) => (time * 1000) / outcome.count,
  );
  return {
    ...outcome,
    primaryMs,
    standbyMs,
    serverMs,
    share: onReplica / (onReplica + onPrimary),
  };
}

async function metricOf({ server }, name, side) {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${secret}` } });
  const label = side === undefined ? '' : `{side="${side}"}`;
  const line = (await answer.text())
    .split('\n')
    .find((text) => text.startsWith(`sec_tester_${name}${label} `));
  return Number(line?.split(' ').at(-1));
}

/** Processor time of a cluster: its first process, the children that have ended, and those that run. */
function cpuSeconds(clusters) {
  return clusters.reduce((sum, { home }) => {
    const pid = execFileSync('pgrep', ['-o', '-f', `postgres -D ${home}/data`], { encoding: 'utf8' }).trim();
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean);
    return sum + ticksOf(pid, 4) + children.reduce((total, child) => total + ticksOf(child, 2), 0);
  }, 0);
}

/** @param fields 2 for the process itself, 4 with its children that have ended */
function ticksOf(pid, fields) {
  try {
    const all = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return all.slice(11, 11 + fields).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return 0; // it has ended meanwhile
  }
}

async function until(isSo) {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 100));
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
