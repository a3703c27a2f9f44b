// Measures how surely findings are recognised: `pairs FOLDER` on reports that lie there, `histories` on projects made here.
//   node bench/identity/run.mjs pairs FOLDER
//   node bench/identity/run.mjs histories [--seeds 20] [--first 1] [--steps 3] [--folder DIR] [--reuse] [--verbose]
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { histories } from './histories.mjs';
import { add, errorsOf } from './judge.mjs';
import { pairs } from './pairs.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: 'string', default: join(tmpdir(), 'sec-tester-identity') },
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    steps: { type: 'string', default: '3' },
    reuse: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

function printHistories(figures) {
  const sums = {};
  console.log('\n| | | findings | falsely new | falsely absent | wrongly matched | errors |');
  console.log('|--|--|--:|--:|--:|--:|--:|');
  const row = (tool, who, one) =>
    console.log(
      `| ${[tool, who, one.findings, one.falselyNew, one.falselyAbsent, one.wrong, errorsOf(one)].join(' | ')} |`,
    );
  for (const [tool, rows] of Object.entries(figures))
    for (const [who, one] of Object.entries(rows)) {
      row(tool, who, one);
      sums[who] = add(sums[who] ?? {}, one);
    }
  for (const [who, one] of Object.entries(sums)) row('all', who, one);
}

const [command, folder] = positionals;
if (command === 'pairs' && folder !== undefined) await pairs(folder);
else if (command === 'histories')
  printHistories(
    await histories({
      folder: values.folder,
      seeds: Number(values.seeds),
      first: Number(values.first),
      steps: Number(values.steps),
      doesReuse: values.reuse,
      isVerbose: values.verbose,
    }),
  );
else {
  console.error(
    'usage: run.mjs pairs FOLDER | histories [--seeds N] [--first N] [--steps N] [--folder DIR] [--reuse] [--verbose]',
  );
  process.exitCode = 2;
}
