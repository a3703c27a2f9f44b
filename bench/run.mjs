// The bench's command line: what to measure on which database. Each measurement is in a file of its own.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `Usage: npm run bench -- [WORKLOADS] [options]

  WORKLOADS             of W1 to W7, all by default
  --only NAMES          of product, limit, postgraphile, mercurius, apollo, separated by commas (all)
  --rounds N            loads of each, in alternation        (5)
  --seconds N           length of each load                  (5)
  --warm-up N           seconds before the first round       (10)
  --connections N       connections of a load                (16)
  --scale N             size of the database: 1 is 20,000 executions and 1,000,000 results (1)
  --executions N, --results N   another size
  --json FILE           where the figures go                 (bench/.data/last.json)

The PostgreSQL is that of BENCH_DATABASE_URL (its role must be allowed to create databases), or an embedded one in
BENCH_DATA_DIR (bench/.data). Databases are filled once and kept.
`;

const number = (text) => ({ type: 'string', default: text });
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: number('5'),
    seconds: number('5'),
    'warm-up': number('10'),
    connections: number('16'),
    scale: number('1'),
    executions: { type: 'string' },
    results: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (given.help) {
  process.stdout.write(usage);
  process.exit(0);
}
buildProduct();
const { compare } = await import('./compare.mjs');
await compare(positionals, given);

/** The bench measures what is in the sources: it installs and builds the server where that has not been done. */
function buildProduct() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const run = (program, args) =>
    execFileSync(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (!existsSync(join(root, 'node_modules'))) run('npm', ['ci', '--no-audit', '--no-fund']);
  run(process.execPath, ['scripts/build.mjs', '--if-stale']);
}
