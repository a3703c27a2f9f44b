// Matches the reports `run1.*` and `run2shift.*` of each folder: the same sources, a few lines further down.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contestants } from './contestants.mjs';
import { itemsOf, keysOf } from './read.mjs';

/** @param {string} root folder of folders, one per tool */
export async function pairs(root) {
  console.log(
    '| reports | findings | matched | falsely new | falsely absent | matched by another line than the rest |',
  );
  console.log('|--|--:|--:|--:|--:|--:|');
  const { product } = contestants('');
  for (const folder of (await readdir(root)).sort()) {
    const names = (await readdir(join(root, folder)).catch(() => [])).sort();
    for (const name of names.filter((one) => one.includes('run2shift'))) {
      const first = join(root, folder, name.replace('run2shift', 'run1'));
      const reports = [];
      for (const path of [first, join(root, folder, name)]) {
        const items = await itemsOf(await readFile(path)).catch((error) => {
          console.log(`| ${folder}/${name} | ${error.message} |`);
          return undefined;
        });
        if (items === undefined) break;
        reports.push({ results: keysOf(items).map((keys, index) => ({ keys, item: items[index] })) });
      }
      if (reports.length === 2) print(`${folder}/${name}`, reports, product(...reports));
    }
  }
}

function print(name, [before, after], found) {
  const shifts = found.map(([old, now]) => after.results[now].keys.line - before.results[old].keys.line);
  const usual = [0, mostOf(shifts)];
  const odd = shifts.filter((shift) => !usual.includes(shift)).length;
  const figures = [
    before.results.length,
    found.length,
    after.results.length - found.length,
    before.results.length - found.length,
    odd,
  ];
  console.log(`| ${[name, ...figures].join(' | ')} |`);
}

function mostOf(values) {
  const counts = new Map();
  for (const value of values) if (value !== 0) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}
