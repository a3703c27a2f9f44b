// Puts up what a measurement needs, database, contestants, load generator, and takes it down again, also after a fault.
import { contestants } from './contestants.mjs';
import { openDatabases } from './database.mjs';
import { connectTo, gatherFacts, startLoadGenerator } from './measure.mjs';
import { removeAdded } from './seed.mjs';

/**
 * @param {{ size: import('./database.mjs').Size, who: string[], names: string[] }} wanted contestants and workloads
 * @param {(stand: { client: object, generator: object, started: object[], factsOf: Function }) => Promise<void>} work
 */
export async function withStand({ size, who, names }, work) {
  await withDatabases(async (databases, closers) => {
    const { url } = await databases.filled(size, console.log);
    const { client, started, factsOf } = await startOn(url, { size, who, names }, closers);
    await work({ client, generator: addGenerator(closers), started, factsOf });
  });
}

/** Runs work with PostgreSQL up; what it pushes to `closers` is run backwards at the end. */
export async function withDatabases(work) {
  const databases = await openDatabases();
  const closers = [() => databases.stop()];
  try {
    await work(databases, closers);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Contestants on one database, with what the workloads ask about. */
export async function startOn(url, { size, who, names }, closers) {
  const client = await connectTo(url);
  closers.push(async () => {
    await removeAdded(client);
    await client.end();
  });
  const started = [];
  for (const name of who) {
    const contestant = await contestants[name](url);
    closers.push(() => contestant.stop());
    started.push(contestant);
  }
  return { client, started, factsOf: await gatherFacts(client, started, size.executions, names) };
}

/** One more load generator. */
export function addGenerator(closers, ...program) {
  const generator = startLoadGenerator(...program);
  closers.push(() => generator.stop());
  return generator;
}
