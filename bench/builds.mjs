// Measures the built server beside another checkout's, on a database of its own schema each, in alternation.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, sizeOf } from './database.mjs';
import { connectTo, gatherFacts, measureWorkload } from './measure.mjs';
import { machine, saveFigures } from './report.mjs';
import { removeAdded } from './seed.mjs';
import { residentMb } from './server.mjs';
import { addGenerator } from './stand.mjs';
import { workloads } from './workloads.mjs';

const usage =
  'Usage: node bench/builds.mjs OTHER_CHECKOUT [W1 …] (ROUNDS, SECONDS, WARM_UP, RESULTS in the environment)';
const [other, ...names] = process.argv.slice(2);
if (other === undefined) throw new Error(usage);
const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const options = {
  rounds: number('ROUNDS', 4),
  seconds: number('SECONDS', 2),
  warmUpSeconds: number('WARM_UP', 5),
  connections: 16,
};
const results = number('RESULTS', 50_000);
const size = sizeOf({ executions: results / 25, results });
const wanted = names.length > 0 ? names : Object.keys(workloads).filter((name) => /^W\d$/.test(name));

const closers = [];
try {
  await measure();
} finally {
  for (const close of closers.reverse()) await close();
}

async function measure() {
  const stands = [await standOf(root, 'this'), await standOf(resolve(other), 'other')];
  const clients = stands.map(({ client }) => client);
  const bench = {
    client: { query: (...statement) => Promise.all(clients.map((client) => client.query(...statement))) },
    generator: addGenerator(closers),
    started: stands.map(({ contestant }) => contestant),
    factsOf: (contestant) => stands.find((stand) => stand.contestant === contestant).facts,
    options,
  };
  const figures = { at: new Date().toISOString(), machine: machine(), size, options, workloads: {} };
  console.log(figures.machine);
  console.log(`at rest: ${bench.started.map(({ name, pid }) => `${name} ${residentMb(pid)} MB`).join(', ')}`);
  console.log('\n| | rate | processor time | memory | rounds |\n|--|--:|--:|--:|--|');
  for (const name of wanted) {
    const rows = await measureWorkload(name, bench);
    figures.workloads[name] = rows;
    const cell = (one) => [one.perSecond, one.cpuMs, one.residentMb];
    const [mine, theirs] = [cell(rows.this), cell(rows.other)];
    const compared = mine.map(
      (value, index) =>
        `${[value, theirs[index]].map((one) => one.toFixed(index === 1 ? 3 : 0)).join(' : ')} = ${(value / theirs[index]).toFixed(2)}`,
    );
    console.log(
      `| ${[name, ...compared, `${rows.this.rounds.join(' ')} : ${rows.other.rounds.join(' ')}`].join(' | ')} |`,
    );
  }
  await saveFigures(figures);
}

/** A checkout's PostgreSQL, database and server. */
async function standOf(checkout, name) {
  const load = (file) => import(pathToFileURL(join(checkout, 'bench', file)));
  const { openDatabases } = await load('database.mjs');
  const { contestants } = await load('contestants.mjs');
  const databases = await openDatabases();
  closers.push(() => databases.stop());
  const { url } = await databases.filled(size, console.log);
  const client = await connectTo(url);
  closers.push(() => client.end());
  closers.push(() => removeAdded(client));
  const started = await contestants.product(url);
  closers.push(() => started.stop());
  const contestant = { ...started, name };
  const facts = (await gatherFacts(client, [contestant], size.executions, wanted))(contestant);
  return { client, contestant, facts };
}
