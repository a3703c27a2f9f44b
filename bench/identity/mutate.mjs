// Changes to a project as developers make them. A mark stays with its line; copies and new lines get new marks.
import { languages, nameFrom } from './blocks.mjs';
import { newBlock } from './project.mjs';

const bodies = (file) => file.blocks.filter(({ isHeader }) => !isHeader);
const filesOf = (files, languagesWanted) =>
  [...files.values()].filter(({ language }) => languagesWanted.includes(language));
const all = Object.keys(languages);
const code = ['c', 'py', 'js'];

/** Each takes (files, random, marks) and changes the project in place. */
export const mutations = {
  insert(files, random, marks) {
    const file = random.pick([...files.values()]);
    const { lines } = random.pick(file.blocks);
    const at = file.language === 'yaml' ? 0 : random.below(lines.length + 1);
    const count = random.pick([1, 1, 2, 3, 7, 20]);
    const depth = lines[at]?.depth ?? 0;
    const fillers = Array.from({ length: count }, () =>
      marks.line([depth, languages[file.language].filler(nameFrom(random))]),
    );
    lines.splice(at, 0, ...fillers);
  },
  insertOnTop(files, random, marks) {
    const file = random.pick([...files.values()]);
    const filler = () => marks.line([0, languages[file.language].filler(nameFrom(random))]);
    file.blocks[0].lines.unshift(...Array.from({ length: 1 + random.below(5) }, filler));
  },
  insertBlock(files, random, marks) {
    const file = random.pick([...files.values()]);
    file.blocks.splice(1 + random.below(file.blocks.length), 0, newBlock(file.language, random, marks));
  },
  deleteBlock(files, random) {
    const file = random.pick([...files.values()].filter(({ blocks }) => blocks.length > 2));
    if (file !== undefined) file.blocks.splice(1 + random.below(file.blocks.length - 1), 1);
  },
  deleteLine(files, random) {
    const file = random.pick([...files.values()]);
    const filler = languages[file.language].filler('').trim().slice(0, 2).trim();
    for (const { lines } of file.blocks) {
      const at = lines.findIndex(({ text }) => text === '' || text.startsWith(filler));
      if (at !== -1) lines.splice(at, 1);
    }
  },
  reindentFile(files, random) {
    const file = random.pick(filesOf(files, [...code, 'yaml']));
    const units = file.language === 'yaml' ? ['  ', '    '] : ['  ', '    ', '\t'];
    file.unit = random.pick(units.filter((unit) => unit !== file.unit));
  },
  wrapBlock(files, random, marks) {
    const file = random.pick(filesOf(files, code));
    const block = random.pick(bodies(file));
    const [open, close] = languages[file.language].wrap;
    const inner = block.lines.filter(({ depth, text }) => depth > 0 || text === '');
    const first = block.lines.indexOf(inner[0]);
    if (first === -1) return;
    for (const line of inner) line.depth += 1;
    block.lines.splice(first, 0, marks.line([1, open]));
    if (close !== null) block.lines.splice(block.lines.length - 1, 0, marks.line([1, close]));
  },
  renameFile(files, random) {
    const [path, file] = random.pick([...files]);
    const renamed = `${path.slice(0, path.lastIndexOf('/') + 1)}${nameFrom(random)}.${languages[file.language].extension}`;
    replacePath(files, path, renamed);
  },
  moveFile(files, random) {
    const [path] = random.pick([...files]);
    replacePath(files, path, `moved/${path.slice(path.lastIndexOf('/') + 1)}`);
  },
  renameFolder(files, random) {
    const folder = random.pick([...files.keys()]).split('/')[0];
    const renamed = `${folder}${random.below(90) + 10}`;
    for (const path of [...files.keys()])
      if (path.startsWith(`${folder}/`)) replacePath(files, path, renamed + path.slice(folder.length));
  },
  moveBlock(files, random) {
    const language = random.pick(all);
    const from = random.pick(filesOf(files, [language]).filter(({ blocks }) => blocks.length > 2));
    const to = random.pick(filesOf(files, [language]).filter((file) => file !== from));
    if (from === undefined || to === undefined) return;
    const [block] = from.blocks.splice(1 + random.below(from.blocks.length - 1), 1);
    to.blocks.splice(1 + random.below(to.blocks.length), 0, block);
  },
  duplicateBlock(files, random, marks) {
    const language = random.pick(all);
    const from = random.pick(filesOf(files, [language]));
    const to = random.chance(0.5) ? from : random.pick(filesOf(files, [language]));
    const block = random.pick(bodies(from));
    if (block === undefined) return;
    const name = nameFrom(random);
    const lines = block.lines.map(({ depth, text, repaired }) =>
      marks.line([depth, text.replace(/[a-z]+_[a-z]+\d+/, name), repaired]),
    );
    to.blocks.splice(1 + random.below(to.blocks.length), 0, { lines });
  },
  duplicateFile(files, random, marks) {
    const [path, file] = random.pick([...files]);
    const copy = { ...file, mark: marks.fileMark(), blocks: file.blocks.map((block) => ({ ...block })) };
    for (const block of copy.blocks)
      block.lines = block.lines.map(({ depth, text, repaired }) => marks.line([depth, text, repaired]));
    files.set(path.replace(/([^/]*)$/, `${nameFrom(random)}_$1`), copy);
  },
  repairOne(files, random, marks) {
    const file = random.pick([...files.values()]);
    const weak = bodies(file).flatMap(({ lines }) => lines.filter(({ repaired }) => repaired !== undefined));
    if (weak.length === 0) return;
    const line = random.pick(weak);
    const { lines } = file.blocks.find((block) => block.lines.includes(line));
    const removed = random.chance(0.3) && line.repaired.endsWith(';');
    const fresh = removed ? [] : [marks.line([line.depth, line.repaired])];
    lines.splice(lines.indexOf(line), 1, ...fresh);
  },
  editLine(files, random) {
    const file = random.pick(filesOf(files, code));
    const weak = bodies(file).flatMap(({ lines }) => lines.filter(({ repaired }) => repaired !== undefined));
    const line = random.pick(weak);
    if (line === undefined) return;
    const edited = line.text.replace(
      /\b(buf|line|data|text|cmd|x|body|p)\b(?=[,);])/,
      `$1_${random.below(9)}`,
    );
    line.text = edited;
  },
};

function replacePath(files, path, renamed) {
  if (files.has(renamed)) return;
  const entries = [...files].map(([key, file]) => [key === path ? renamed : key, file]);
  files.clear();
  for (const [key, file] of entries) files.set(key, file);
}

const weights = { insert: 3, insertOnTop: 2, repairOne: 4, editLine: 1, renameFile: 1 };

/** Makes three to eight changes; returns their names. */
export function mutate(files, random, marks) {
  const bag = Object.keys(mutations).flatMap((name) => Array(weights[name] ?? 1).fill(name));
  const names = Array.from({ length: 3 + random.below(6) }, () => random.pick(bag));
  for (const name of names) mutations[name](files, random, marks);
  return names;
}
