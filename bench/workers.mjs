// Measures one process against several that share the port (WORKERS), by requests and by processor time for each request, since on
// a machine with few cores the load generator and PostgreSQL take the cores that workers would use: node bench/workers.mjs
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataDir, openDatabases, root, sizeOf } from './database.mjs';
import { startLoadGenerator } from './measure.mjs';
import { readOptions } from './options.mjs';
import { machine } from './report.mjs';
import { admin, residentMb, startServer } from './server.mjs';
import { workloads } from './workloads.mjs';

const usage = `Usage: node bench/workers.mjs [options]          (after npm run build)

  --workers LIST    numbers of processes to compare            (1,2)
  --only NAMES      reads of workloads.mjs without variables   (W1,W2,W3)
  --executions N    --results N                                (2000, 50000)
  --seconds N       of each round                              (5)
  --rounds N        in alternation                             (3)
`;
const given = readOptions(usage, {
  workers: '1,2',
  only: 'W1,W2,W3',
  executions: '2000',
  results: '50000',
  seconds: '5',
  rounds: '3',
});

const connections = 64;
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
console.log(machine());
const databases = await openDatabases();
const generator = startLoadGenerator();
const servers = [];
try {
  const size = sizeOf({ executions: Number(given.executions), results: Number(given.results) });
  const { url: databaseUrl } = await databases.filled(size, console.log);
  for (const workers of given.workers.split(',')) servers.push(await startWith(workers, databaseUrl));
  console.log(
    '| Workload | Processes | Requests/s | ms of the server for each | ms of PostgreSQL for each | p99, ms |',
  );
  console.log('|--|--|--|--|--|--|');
  for (const name of given.only.split(',')) await compare(name);
  for (const { workers, server } of servers)
    console.log(
      `${workers}: ${treeOf(server.pid).reduce((sum, pid) => sum + residentMb(pid), 0)} MB in all processes`,
    );
} finally {
  generator.stop();
  for (const { server } of servers) await server.stop();
  await databases.stop();
}

async function startWith(workers, databaseUrl) {
  const folder = join(dataDir, `workers-${workers}`);
  const server = await startServer({
    root,
    dataDir: folder,
    databaseUrl,
    env: { WORKERS: workers, LOG_LEVEL: 'warn' },
  });
  const answer = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = await answer.json();
  while (treeOf(server.pid).length < (workers === '1' ? 1 : Number(workers) + 1))
    await new Promise((resolve) => setTimeout(resolve, 100));
  return { workers, server, accessToken };
}

async function compare(name) {
  const rounds = new Map(servers.map((entry) => [entry, []]));
  for (const entry of servers) await run(name, entry, 3);
  for (let round = 0; round < Number(given.rounds); round += 1)
    for (const entry of servers) rounds.get(entry).push(await run(name, entry, Number(given.seconds)));
  for (const [{ workers }, outcomes] of rounds) {
    const median = (key) =>
      outcomes.map((outcome) => outcome[key]).sort((a, b) => a - b)[Math.floor(outcomes.length / 2)];
    const cells = [
      Math.round(median('perSecond')),
      ...['serverMs', 'databaseMs', 'p99'].map((key) => median(key).toFixed(2)),
    ];
    console.log(`| ${name} | ${workers} | ${cells.join(' | ')} |`);
  }
}

async function run(name, { server, accessToken }, seconds) {
  const { query, variables } = workloads[name];
  const bodies = variables({}).map((values) => JSON.stringify({ query, variables: values }));
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` };
  const before = [cpuSeconds(treeOf(server.pid)), cpuSeconds(postgresPids())];
  const load = { port: server.port, path: '/graphql', headers, bodies, connections, seconds, firstNumber: 0 };
  const outcome = await generator.run(load);
  if (outcome.failed > 0) throw new Error(`${name}: ${outcome.failed} failed: ${outcome.firstFailure}`);
  const after = [cpuSeconds(treeOf(server.pid)), cpuSeconds(postgresPids())];
  const [serverMs, databaseMs] = after.map(
    (value, index) => ((value - before[index]) * 1000) / outcome.count,
  );
  return { ...outcome, serverMs, databaseMs };
}

/** The process and its workers. */
function treeOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  const workers = children.filter((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('dist/main.js'),
  );
  return [pid, ...workers];
}

/** All of PostgreSQL on this machine: its column says something only where nothing else uses one. */
function postgresPids() {
  return execFileSync('pgrep', ['-x', 'postgres'], { encoding: 'utf8' }).trim().split('\n');
}

function cpuSeconds(pids) {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {} // it has ended meanwhile
  }
  return ticks / ticksPerSecond;
}
