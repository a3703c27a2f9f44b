// A project whose lines carry marks: a mark stays with its line through every change, so that the right answer is known.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { languages, nameFrom } from './blocks.mjs';

/** A line with a mark of its own. */
export function createMarks() {
  let last = 0;
  const next = () => {
    last += 1;
    return last;
  };
  return {
    line: ([depth, text, repaired]) => ({ mark: next(), depth, text, repaired }),
    fileMark: () => `file${next()}`,
  };
}

/** @returns a block of a language, with new marks */
export function newBlock(language, random, marks) {
  const make = random.pick(languages[language].blocks);
  return { lines: make(nameFrom(random), random).map(marks.line) };
}

/** @returns {Map<string, object>} files by path: language, indentation, blocks, mark */
export function newProject(random, marks) {
  const files = new Map();
  const add = (path, language, blocks) =>
    files.set(path, {
      language,
      unit: language === 'yaml' ? '  ' : '    ',
      mark: marks.fileMark(),
      blocks: [
        { isHeader: true, lines: languages[language].header.map(marks.line) },
        ...Array.from({ length: blocks }, () => newBlock(language, random, marks)),
      ],
    });
  for (const folder of ['src', 'lib'])
    for (const language of ['c', 'py', 'js']) {
      add(`${folder}/${nameFrom(random)}.${languages[language].extension}`, language, 3 + random.below(4));
      add(
        `${folder}/my dir/${nameFrom(random)}.${languages[language].extension}`,
        language,
        2 + random.below(3),
      );
    }
  add('api/openapi.yaml', 'yaml', 4);
  add(`api/${nameFrom(random)}.yaml`, 'yaml', 3);
  add('deploy/a.env', 'env', 3);
  add(`deploy/${nameFrom(random)}.env`, 'env', 2);
  return files;
}

/** The lines of a file in order. */
export const linesOf = (file) => file.blocks.flatMap(({ lines }) => lines);

const textOf = (line, unit) => (line.text === '' ? '' : unit.repeat(line.depth) + line.text);

/** Writes a project into an empty folder. */
export async function writeProject(files, folder) {
  await rm(folder, { recursive: true, force: true });
  for (const [path, file] of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(
      target,
      `${linesOf(file)
        .map((line) => textOf(line, file.unit))
        .join('\n')}\n`,
    );
  }
}

/** What is needed of a project to judge later: marks and texts of its lines, by path. */
export function snapshot(files) {
  return new Map(
    [...files].map(([path, file]) => [
      path,
      {
        mark: file.mark,
        marks: linesOf(file).map(({ mark }) => mark),
        texts: linesOf(file).map((line) => textOf(line, file.unit)),
      },
    ]),
  );
}
