// Histories: projects that change step by step, scanned by real tools after each step, each time in another checkout.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contestants } from './contestants.mjs';
import { add, judge } from './judge.mjs';
import { mutate } from './mutate.mjs';
import { createMarks, newProject, snapshot, writeProject } from './project.mjs';
import { createRandom } from './random.mjs';
import { itemsOf, keysOf } from './read.mjs';
import { installTools, isInstalled, tools } from './tools.mjs';

/**
 * @param {{ folder: string, seeds: number, first: number, steps: number, isVerbose: boolean, doesReuse: boolean }} options
 * @returns {Promise<Record<string, Record<string, object>>>} figures by tool and contestant
 */
export async function histories({ folder, seeds, first, steps, isVerbose, doesReuse }) {
  installTools(folder);
  const names = [];
  for (const name of Object.keys(tools)) {
    if (await isInstalled(name)) names.push(name);
    else console.log(`${name} is not installed and is left out`);
  }
  const figures = {};
  const all = contestants(folder);
  for (let seed = first; seed < first + seeds; seed += 1) {
    let before;
    for await (const { changes, reports } of versionsOf({ folder, seed, steps, names, doesReuse })) {
      if (before !== undefined)
        for (const name of names) {
          figures[name] ??= {};
          const facts = await compare(all, before[name], reports[name]);
          for (const [who, result] of Object.entries(facts)) {
            figures[name][who] = add(figures[name][who] ?? {}, result);
            if (isVerbose && who === 'product' && result.falselyNew + result.falselyAbsent + result.wrong > 0)
              console.log(`seed ${seed}, ${name}, ${changes.join(' + ')}: ${JSON.stringify(result)}`);
          }
        }
      before = reports;
    }
    console.log(`history ${seed} done`);
  }
  return figures;
}

async function* versionsOf({ folder, seed, steps, names, doesReuse }) {
  const random = createRandom(seed);
  const marks = createMarks();
  const files = newProject(random, marks);
  for (let step = 0; step <= steps; step += 1) {
    const changes = step === 0 ? [] : mutate(files, random, marks);
    const job = join(folder, 'jobs', `job-${seed}-${step}`);
    const checkout = join(job, 'checkout');
    await mkdir(job, { recursive: true });
    await writeProject(files, checkout);
    const reports = {};
    for (const name of names) {
      const kept = join(job, `${name}.sarif`);
      const text = doesReuse ? await readFile(kept, 'utf8').catch(() => undefined) : undefined;
      const sarif = text === undefined ? await tools[name](checkout, folder) : JSON.parse(text);
      reports[name] = await readReport(sarif, checkout, snapshot(files));
      if (text === undefined) await writeFile(kept, JSON.stringify(sarif));
    }
    yield { changes, reports };
    await rm(checkout, { recursive: true, force: true });
  }
}

/** Results with the marks of their lines, which no contestant sees. */
export async function readReport(sarif, checkout, files) {
  sarif.runs[0].results ??= [];
  const items = await itemsOf(JSON.stringify(sarif));
  const keys = keysOf(items);
  if (items.length !== sarif.runs[0].results.length) throw new Error('a result is not one item');
  const results = items.map((item, index) => {
    const given = item.location?.path ?? '';
    const path = (given.startsWith(checkout) ? given.slice(checkout.length + 1) : given).replace(/^\.\//, '');
    const line = item.location?.startLine ?? 0;
    const file = files.get(path);
    if (file === undefined) throw new Error(`no such file: ${given}`);
    const tag = `${item.ruleId} ${file.marks[line - 1] ?? file.mark}`;
    const message = (item.description ?? item.title).replace(/\d+/g, '#');
    return { item, keys: keys[index], path, line, text: file.texts[line - 1] ?? '', tag, message };
  });
  return { sarif, results };
}

async function compare(all, before, after) {
  const facts = {};
  for (const [who, match] of Object.entries(all))
    facts[who] = judge(before.results, after.results, await match(before, after));
  return facts;
}
