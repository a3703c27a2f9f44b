// Measures the product beside its peers on the workloads and prints the table.
import { checkAnswers } from './answers.mjs';
import { contestants } from './contestants.mjs';
import { measureWorkload } from './measure.mjs';
import { machine, saveFigures } from './report.mjs';
import { withStand } from './stand.mjs';
import { tablesOf } from './table.mjs';
import { workloads } from './workloads.mjs';

/**
 * @param {string[]} names workloads; W1 to W7 when empty
 * @param {{ size: object, options: object, only?: string[], file?: string }} settings
 */
export async function compare(names, { size, options, only, file }) {
  const wanted = names.length > 0 ? names : Object.keys(workloads).filter((name) => /^W\d$/.test(name));
  const who = only ?? Object.keys(contestants);
  const figures = { at: new Date().toISOString(), machine: machine(), size, options, workloads: {} };
  console.log(figures.machine);
  await withStand({ size, who, names: wanted }, async (stand) => {
    await checkAnswers(stand.started, wanted, stand.factsOf);
    console.log(`all ${who.length} answer the same to ${wanted.join(' ')}`);
    for (const name of wanted) {
      figures.workloads[name] = await measureWorkload(name, { ...stand, options });
      console.log(lineOf(name, figures.workloads[name]));
      await saveFigures(figures, file); // a long run that is interrupted has been worth something
    }
  });
  console.log(`\n${tablesOf(figures)}`);
}

function lineOf(name, row) {
  const parts = Object.entries(row).map(([who, { perSecond }]) => `${who} ${Math.round(perSecond)}/s`);
  return `${name}: ${parts.join(', ')}`;
}
