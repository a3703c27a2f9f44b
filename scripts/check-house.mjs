// Checks the house rules that no linter can state (sizes, TSDoc, casts, full folders, words) and prints each breach.
// Usage: node scripts/check-house.mjs [PATH …] [--counts]. PATH limits the output to files below it.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from '@swc/core';
import { wordsToAvoid } from './house-words.mjs';

/**
 * @typedef {{ file: string, line: number, what: string }} Breach a place that breaks a rule
 * @typedef {{ type: string, span?: { start: number, end: number }, [key: string]: unknown }} Node
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const skipped = /(^|\/)(generated|node_modules|dist|coverage)\//;
/** Data rather than code: these files may be longer than others. */
const isData = /^src\/config\/settings(\/[\w-]+)?\.ts$/;
/** Functions that only declare data may be longer than others. */
const isDeclaration = /^src\/config\/settings(\/[\w-]+)?\.ts$/;

/** @returns {string[]} the files below a folder of the project whose names match, by path from its root */
export function filesIn(folder, pattern = /\.ts$/) {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((name) => pattern.test(name) && !skipped.test(name))
    .sort();
}

/** @returns {string} the text of a file of the project */
export const textOf = (file) => readFileSync(join(root, file), 'utf8');

const lineCount = (text) => text.split('\n').length - 1;
const breach = (file, line, what) => ({ file, line, what });

/** Parses a file. swc's offsets count bytes and continue from file to file, so they are rebased on this one. */
function parse(file) {
  const text = textOf(file);
  const bytes = Buffer.from(text);
  const module = parseSync(text, { syntax: 'typescript', target: 'es2022' });
  const head = Buffer.byteLength(/^(?:\s|#![^\n]*\n|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0] ?? '');
  const base = module.span.start - head;
  const before = (offset) => bytes.subarray(0, offset - base).toString('utf8');
  return { module, before, lineAt: (offset) => lineCount(before(offset)) + 1 };
}

/** Calls `visit` for each node of a syntax tree. */
function walk(node, visit) {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (typeof node === 'object' && node !== null) {
    if (typeof node.type === 'string') visit(node);
    for (const key in node) if (key !== 'span') walk(node[key], visit);
  }
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'MethodProperty',
  'Constructor',
]);

/** @returns {Breach[]} the functions of a file with more than `max` lines */
export function longFunctions(file, max = 60) {
  if (isDeclaration.test(file)) return [];
  const { module, lineAt } = parse(file);
  const found = [];
  walk(module, (node) => {
    if (!functionTypes.has(node.type)) return;
    const span = node.span ?? node.body?.span ?? node.function?.span;
    if (span === undefined) return;
    const lines = lineAt(span.end) - lineAt(span.start) + 1;
    if (lines > max) found.push(breach(file, lineAt(span.start), `function of ${lines} lines`));
  });
  return found;
}

/** @returns {Breach[]} the exported functions of a file that have no TSDoc */
export function undocumentedFunctions(file) {
  const { module, before, lineAt } = parse(file);
  return module.body.flatMap(({ type, span, declaration }) => {
    if (type !== 'ExportDeclaration') return [];
    const isFunction = ({ type }) => type === 'ArrowFunctionExpression' || type === 'FunctionExpression';
    const names =
      declaration.type === 'FunctionDeclaration'
        ? [declaration.identifier.value]
        : (declaration.declarations ?? [])
            .filter(({ init }) => init && isFunction(init))
            .map(({ id }) => id.value);
    const ahead = before(span.start).replace(/(?:\s*\/\/[^\n]*)*\s*$/, '');
    return ahead.endsWith('*/') ? [] : names.map((name) => breach(file, lineAt(span.start), name));
  });
}

/** @returns {Breach[]} the lines of a file that match, comments aside */
function linesWith(file, pattern) {
  return textOf(file)
    .split('\n')
    .flatMap((line, index) =>
      pattern.test(line.replace(/^\s*(\/\/|\*).*$|\s\/\/ .*$/, ''))
        ? [breach(file, index + 1, line.trim().slice(0, 100))]
        : [],
    );
}

/** @returns {Breach[]} the casts of a file that switch the type checker off */
export const bareCasts = (file) => linesWith(file, /\bas (never|any)\b|\bas unknown as\b/);

/** @returns {Breach[]} those casts of a file that no comment explains on their line or the one above */
export function unexplainedCasts(file) {
  const lines = textOf(file).split('\n');
  return bareCasts(file).filter(
    ({ line }) => !/\/\/ |\*\//.test(lines[line - 1]) && !/^\s*\/\/|\*\/\s*$/.test(lines[line - 2] ?? ''),
  );
}

/** @returns {Breach[]} object literals that are spread where they are written, in place of plain properties */
export const literalSpreads = (file) => linesWith(file, /\.\.\.\{ /);

/** @returns {Breach[]} the folders that hold more than `max` of the files side by side */
export function fullFolders(files, max = 15) {
  const counts = new Map();
  for (const file of files) counts.set(posix.dirname(file), (counts.get(posix.dirname(file)) ?? 0) + 1);
  return [...counts].flatMap(([folder, count]) =>
    count > max ? [breach(folder, 0, `${count} files side by side`)] : [],
  );
}

/** @returns {number} the lines of a file */
export const linesOf = (file) => lineCount(textOf(file));

/** @returns {Breach[]} the file itself when it has more than `max` lines */
export function longFile(file, max = 250) {
  const lines = linesOf(file);
  return lines > max && !isData.test(file) ? [breach(file, 0, `${lines} lines`)] : [];
}

/** @returns {number} the median of the files' lines */
export function medianLines(files) {
  const sizes = files.map(linesOf).sort((a, b) => a - b);
  return sizes[Math.floor(sizes.length / 2)];
}

/** @returns {Breach[]} words of a text that house English avoids, with what to write */
function avoidedWords(file, text) {
  return text
    .split('\n')
    .flatMap((line, index) =>
      wordsToAvoid.flatMap(([pattern, advice]) =>
        [...line.matchAll(pattern)].map(([word]) => breach(file, index + 1, `“${word}”: ${advice}`)),
      ),
    );
}

/** @returns {Breach[]} words of a file that house English avoids */
export const wordsIn = (file) => avoidedWords(file, textOf(file));

/** @returns {Breach[]} words of a test file's head and of its tests' names that house English avoids */
export function wordsInTestNames(file) {
  const text = textOf(file);
  const isName = /^\s*(?:\/\/|(?:[\w.]*(?:describe|it|test)\b[^'"`]*)?['"`][^\n]*['"`],?.*\{?$)/;
  const isTitle = /\b(?:describe|describeServer|it|test)(?:\.\w+)*(?:\([^'"`]*\))?\(\s*$|\]\)\(\s*$/;
  const lines = text.split('\n');
  const kept = lines.map((line, index) => {
    const starts = /\b(?:describe\w*|it|test)(?:\.\w+)*\(\s*['"`]|^\s*\]\)\(['"`]/.test(line);
    const continues = isTitle.test(lines[index - 1] ?? '') && isName.test(line);
    const inHead = /^\/\//.test(line);
    return starts || continues || inHead ? line : '';
  });
  return avoidedWords(file, kept.join('\n'));
}

const prose = () => [
  'README.md',
  'CONTRIBUTING.md',
  'schema.graphql',
  'openapi.yaml',
  ...filesIn('docs', /\.md$/),
];

/** @returns {Record<string, Breach[]>} every breach of the project by rule */
export function checkHouse() {
  const source = filesIn('src');
  const tests = filesIn('tests', /\.(ts|mjs)$/);
  return {
    'functions over 60 lines': source.flatMap((file) => longFunctions(file)),
    'exported functions without TSDoc': source.flatMap(undocumentedFunctions),
    'casts that switch the type checker off (10 or more are too many)': source.flatMap(bareCasts),
    'casts without a reason beside them': source.flatMap(unexplainedCasts),
    'spread object literals': source.flatMap(literalSpreads),
    'folders with more than 15 files': fullFolders([...source, ...tests]),
    'files over 250 lines': source.flatMap((file) => longFile(file)),
    'words in src, docs and contracts': [...source, ...prose()].flatMap(wordsIn),
    'words in names of tests': tests.flatMap(wordsInTestNames),
  };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const paths = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  for (const [rule, breaches] of Object.entries(checkHouse())) {
    const shown = breaches.filter(
      ({ file }) => paths.length === 0 || paths.some((path) => file.startsWith(path)),
    );
    console.log(`${rule}: ${shown.length}`);
    if (process.argv.includes('--counts')) continue;
    for (const { file, line, what } of shown) console.log(`  ${file}${line > 0 ? `:${line}` : ''} ${what}`);
  }
  console.log(`median of src: ${medianLines(filesIn('src'))} lines (at most 90)`);
}
