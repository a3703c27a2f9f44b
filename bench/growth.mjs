// Measures whether the product's reads cost more when there is ten times as much: two databases, side by side.
import { sizeOf } from './database.mjs';
import { measureWorkload } from './measure.mjs';
import { machine, saveFigures } from './report.mjs';
import { addGenerator, startOn, withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';

const names = ['W2', 'W4', 'W5', 'W7'];

/** @param {{ options: object, scales: number[], file?: string }} settings */
export async function growth({ options, scales, file }) {
  const figures = { at: new Date().toISOString(), machine: machine(), options, workloads: {} };
  console.log(figures.machine);
  await withDatabases(async (databases, closers) => {
    const stands = [];
    for (const scale of scales) {
      const size = sizeOf({ scale });
      const { url } = await databases.filled(size, console.log);
      const stand = await startOn(url, { size, who: ['product'], names }, closers);
      const contestant = { ...stand.started[0], name: `${count(size.results)} results` };
      stands.push({ contestant, facts: stand.factsOf(stand.started[0]), client: stand.client });
    }
    const started = stands.map(({ contestant }) => contestant);
    const factsOf = (contestant) => stands.find((stand) => stand.contestant === contestant).facts;
    const bench = { client: stands[0].client, generator: addGenerator(closers), started, factsOf, options };
    for (const name of names) figures.workloads[name] = await measureWorkload(name, bench);
  });
  console.log('\n| | results | requests/s | p50 | p99 | of the smallest |\n|--|--|--:|--:|--:|--:|');
  for (const [name, rows] of Object.entries(figures.workloads)) {
    const [smallest] = Object.values(rows);
    for (const [title, { perSecond, p50, p99 }] of Object.entries(rows)) {
      const ratio = (perSecond / smallest.perSecond).toFixed(2);
      console.log(`| ${[name, title, count(perSecond), ms(p50), ms(p99), ratio].join(' | ')} |`);
    }
  }
  await saveFigures(figures, file);
}
