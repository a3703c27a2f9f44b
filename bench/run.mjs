// The bench's command line: what to measure and how long. Each measurement is in a file of its own.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `Usage: npm run bench -- [WHAT] [options]

  W1 … W7, import       workloads, beside the peers; W1 to W7 when left out
  clients               W2 as Apollo, urql, Relay and graphql-request send it, beside plain requests
  signins               sign-ins beside the native hash rate, and other requests meanwhile
  oidc                  sign-ins at an identity provider beside its own rate, and W2 meanwhile
  growth                reads with 1,000,000 and 10,000,000 results
  findings              pages of findings by every filter and order; takes the options of findings.mjs
  statistics            statistics beside a counting scan; takes the options of statistics.mjs
  webhooks              delivery of 10,000 events, and none lost; takes the options of webhooks.mjs
  decisions             triage of 100,000 findings, comparisons and gates; takes the options of decisions.mjs
  startup               first and second start
  soak                  memory under a long mixed load
  live                  streams and runners; takes the options of live.mjs

  --only NAMES          of product, limit, postgraphile, mercurius, apollo, separated by commas (all)
  --rounds N            loads of each, in alternation        (5)
  --seconds N           length of each load                  (3)
  --warm-up N           seconds before the first round       (10)
  --connections N       connections of a load                (16)
  --minutes N           length of the soak                   (10)
  --scale N             size of the database: 1 is 20,000 executions and 1,000,000 results (1)
  --executions N, --results N   another size
  --json FILE           where the figures go                 (last.json in BENCH_DATA_DIR)

The PostgreSQL is that of BENCH_DATABASE_URL, whose role must be allowed to create databases, or an embedded one in
BENCH_DATA_DIR (bench/.data). Databases are filled once and kept.
`;

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
const alone = {
  live: './live.mjs',
  findings: './findings.mjs',
  decisions: './decisions.mjs',
  statistics: './statistics.mjs',
  webhooks: './webhooks.mjs',
};
if (Object.hasOwn(alone, process.argv[2] ?? '')) {
  const [name] = process.argv.splice(2, 1);
  buildProduct();
  await import(alone[name]);
} else {
  await run();
}

async function run() {
  const { values: given, positionals } = parseArguments();
  if (given.help) return process.stdout.write(usage);
  buildProduct();
  const { sizeOf } = await import('./database.mjs');
  const { workloads } = await import('./workloads.mjs');
  const measurements = {
    clients: async (settings) => (await import('./clients.mjs')).clients(settings),
    signins: async (settings) => (await import('./signins.mjs')).signins(settings),
    oidc: async (settings) => (await import('./oidc-signins.mjs')).oidcSignins(settings),
    growth: async (settings) => (await import('./growth.mjs')).growth({ ...settings, scales: [1, 10] }),
    startup: async (settings) => (await import('./startup.mjs')).startup(settings),
    soak: async (settings) => (await import('./soak.mjs')).soak(settings),
  };
  const settings = settingsOf(given, sizeOf);
  const [first] = positionals;
  if (measurements[first] !== undefined) return measurements[first](settings);
  const unknown = positionals.find((name) => workloads[name] === undefined);
  if (unknown !== undefined) throw new Error(`There is no ${unknown} to measure: see --help`);
  const { compare } = await import('./compare.mjs');
  return compare(positionals, settings);
}

function parseArguments() {
  const number = (text) => ({ type: 'string', default: text });
  return parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      rounds: number('5'),
      seconds: number('3'),
      'warm-up': number('10'),
      connections: number('16'),
      minutes: number('10'),
      scale: number('1'),
      executions: { type: 'string' },
      results: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function settingsOf(given, sizeOf) {
  return {
    size: sizeOf({
      scale: Number(given.scale),
      ...(given.executions !== undefined && { executions: Number(given.executions) }),
      ...(given.results !== undefined && { results: Number(given.results) }),
    }),
    options: {
      rounds: Number(given.rounds),
      seconds: Number(given.seconds),
      warmUpSeconds: Number(given['warm-up']),
      connections: Number(given.connections),
    },
    minutes: Number(given.minutes),
    only: given.only?.split(','),
    file: given.json,
  };
}

/** The bench measures what is in the sources: it installs and builds the server where that has not been done. */
function buildProduct() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const call = (program, args) =>
    execFileSync(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (!existsSync(join(root, 'node_modules'))) call('npm', ['ci', '--no-audit', '--no-fund']);
  call(process.execPath, ['scripts/build.mjs', '--if-stale']);
}
