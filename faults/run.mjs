// npm run faults -- F3 F12: plays these faults, or all, one after another; exits with 1 where a figure is missed.

import { readdirSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { createFigures, tableOf } from './kit/figures.mjs';
import { withScene } from './kit/scene.mjs';

const longestMs = 180_000;
const files = readdirSync(new URL('.', import.meta.url)).filter((name) => /^f\d\d-.*\.mjs$/.test(name));
const faults = await Promise.all(
  files.sort().map(async (name) => {
    const { title, run } = await import(`./${name}`);
    return { id: `F${Number(name.slice(1, 3))}`, title, run };
  }),
);

const wanted = process.argv.slice(2).map((name) => name.toUpperCase());
const unknown = wanted.filter((name) => !faults.some(({ id }) => id === name));
if (unknown.length > 0 || wanted.includes('--HELP')) {
  console.log('Usage: npm run faults -- [NAME…]     (all when none is named)\n');
  for (const { id, title } of faults) console.log(`  ${id.padEnd(4)} ${title}`);
  process.exit(2);
}

console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`,
);
const missed = [];
for (const fault of faults.filter(({ id }) => wanted.length === 0 || wanted.includes(id))) {
  const figures = createFigures();
  const startedAt = performance.now();
  const failure = await play(fault, figures);
  console.log(tableOf(fault, figures.rows));
  if (failure !== undefined) console.log(`It could not be played to the end: ${failure.stack}\n`);
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  if (failure !== undefined || figures.rows.some(({ isMet }) => !isMet)) missed.push(fault.id);
}
console.log(missed.length === 0 ? 'All goals are met.' : `Missed: ${missed.join(', ')}`);
process.exit(missed.length === 0 ? 0 : 1);

/** The error that ended it, if any. */
async function play(fault, figures) {
  let timer;
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`longer than ${longestMs / 1000} s`)), longestMs);
  });
  try {
    await withScene((scene) => Promise.race([fault.run(scene, figures), tooLong]));
    return undefined;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}
