// Measures the product beside its peers on W1 to W7 and prints the table.
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { checkAnswers } from './answers.mjs';
import { contestants } from './contestants.mjs';
import { dataDir, openDatabases, sizeOf } from './database.mjs';
import { connectTo, gatherFacts, measureWorkload, startLoadGenerator } from './measure.mjs';
import { removeAdded } from './seed.mjs';
import { tableOf } from './table.mjs';
import { workloads } from './workloads.mjs';

/**
 * @param {string[]} names workloads; all when empty
 * @param {Record<string, string>} given the command line's options
 */
export async function compare(names, given) {
  const wanted = names.length > 0 ? names : Object.keys(workloads);
  const unknown = wanted.find((name) => workloads[name] === undefined);
  if (unknown !== undefined) throw new Error(`There is no ${unknown}: see --help`);
  const who = given.only?.split(',') ?? Object.keys(contestants);
  const size = sizeFrom(given);
  const options = {
    rounds: Number(given.rounds),
    seconds: Number(given.seconds),
    warmUpSeconds: Number(given['warm-up']),
    connections: Number(given.connections),
  };
  const figures = { at: new Date().toISOString(), machine: machine(), size, options, workloads: {} };
  console.log(figures.machine);

  const databases = await openDatabases();
  const started = [];
  let client;
  let generator;
  try {
    const { url } = await databases.filled(size, console.log);
    client = await connectTo(url);
    for (const name of who) started.push(await contestants[name](url));
    const factsOf = await gatherFacts(client, started, size.executions, wanted);
    await checkAnswers(started, wanted, factsOf);
    console.log(`all ${started.length} answer the same to ${wanted.join(' ')}`);
    generator = startLoadGenerator();
    for (const name of wanted) {
      const bench = { client, generator, started, factsOf, options };
      figures.workloads[name] = await measureWorkload(name, bench);
      console.log(lineOf(name, figures.workloads[name]));
    }
  } finally {
    generator?.stop();
    for (const contestant of started) await contestant.stop();
    if (client !== undefined) {
      await removeAdded(client);
      await client.end();
    }
    await databases.stop();
  }
  console.log(`\n${tableOf(figures)}`);
  const file = given.json ?? join(dataDir, 'last.json');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(figures, null, 2)}\n`);
}

export function sizeFrom({ scale, executions, results }) {
  return sizeOf({
    scale: Number(scale),
    ...(executions !== undefined && { executions: Number(executions) }),
    ...(results !== undefined && { results: Number(results) }),
  });
}

export function machine() {
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${cpus()[0]?.model}), ${memoryGb} GB, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`;
}

function lineOf(name, row) {
  const parts = Object.entries(row).map(([who, { perSecond }]) => `${who} ${Math.round(perSecond)}/s`);
  return `${name}: ${parts.join(', ')}`;
}
