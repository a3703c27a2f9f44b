// Measures the built server in production mode on a database of its own and prints a table; what it asks is in workloads.mjs.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createClient, load, oneByOne } from './client.mjs';
import { seed } from './seed.mjs';
import { startServer } from './server.mjs';
import { workloads } from './workloads.mjs';

const usage = `Usage: node bench/run.mjs [options]          (after npm run build)

  --executions N        how many to have in the database         (20000)
  --results N           and how many results                     (1000000)
  --seconds N           length of each load                      (10)
  --memory-seconds N    length of the load that memory is read under (60)
  --connections N       connections of a load                    (16)
  --only NAMES          workloads to run, separated by commas    (all)

The database is BENCH_DATABASE_URL, an empty one, or an embedded one in bench/.data. It is kept and used again.
`;

const number = (text) => ({ type: 'string', default: text });
const { values: given } = parseArgs({
  options: {
    executions: number('20000'),
    results: number('1000000'),
    seconds: number('10'),
    'memory-seconds': number('60'),
    connections: number('16'),
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (given.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const seconds = Number(given.seconds);
const connections = Number(given.connections);
const wanted = given.only?.split(',') ?? workloads.map(({ name }) => name);

/** Rows of the table: what, figure, what it should be at most or at least. */
const rows = [];
const note = (what, figure, goal = '') => {
  rows.push([what, figure, goal]);
  console.log(`${what}: ${figure}`);
};
const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
);
const options = {
  root: fileURLToPath(new URL('..', import.meta.url)),
  dataDir: fileURLToPath(new URL('.data', import.meta.url)),
  databaseUrl: process.env.BENCH_DATABASE_URL,
};

const first = await startServer(options);
try {
  await seed(
    first.databaseUrl(),
    { executions: Number(given.executions), results: Number(given.results) },
    console.log,
  );
} finally {
  await first.stop();
}

const server = await startServer(options);
try {
  note('Ready after a second start', ms(server.readyMs), '< 5,000 ms');
  note('Resident memory at rest', `${server.residentMb()} MB`);
  const client = await createClient(server);
  for (const workload of workloads.filter(({ name }) => wanted.includes(name))) {
    const next = await workload.prepare(client);
    await oneByOne(client, next, { seconds: 1 }); // warm-up
    const single = await oneByOne(client, next, { seconds: Math.min(seconds, 5), max: workload.max });
    note(`${workload.title}, one at a time, median`, ms(single.medianMs), workload.goal);
    note(`${workload.title}, one at a time, 99 %`, ms(single.p99Ms));
    if (workload.isSequential) continue;
    const many = await load(client, next, { seconds, connections });
    note(`${workload.title}, ${connections} connections`, `${Math.round(many.perSecond)} requests/s`);
    note(`${workload.title}, ${connections} connections, median`, ms(many.medianMs));
  }
  const memorySeconds = Number(given['memory-seconds']);
  if (memorySeconds > 0)
    note(
      `Resident memory, ${memorySeconds} s of load`,
      `${await memoryUnderLoad(client, memorySeconds)} MB`,
      '< 250 MB',
    );
} finally {
  await server.stop();
}
print(rows);

/** The highest resident memory while all workloads that can run side by side do. */
async function memoryUnderLoad(client, forSeconds) {
  let highest = 0;
  const timer = setInterval(() => {
    highest = Math.max(highest, server.residentMb());
  }, 250);
  const parallel = workloads.filter(({ isSequential }) => !isSequential);
  await Promise.all(
    parallel.map(async (workload) => {
      const next = await workload.prepare(client);
      await load(client, next, {
        seconds: forSeconds,
        connections: Math.ceil(connections / parallel.length),
      });
    }),
  );
  clearInterval(timer);
  return highest;
}

function print(table) {
  console.log('\n| What | Measured | Goal |\n|--|--|--|');
  for (const row of table) console.log(`| ${row.join(' | ')} |`);
}
