// Reads the sources for the rules of the house: sizes of files and functions, documentation of exports, casts, words.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from '@swc/core';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A place that breaks a rule. */
export interface Breach {
  file: string;
  line: number;
  what: string;
}

interface Node {
  type: string;
  span?: { start: number; end: number };
  [key: string]: unknown;
}

/** Source files below a folder of the project, by path from its root. */
export function sourceFiles(folder: string, pattern = /\.ts$/): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((name) => pattern.test(name) && !/(^|\/)(generated|node_modules|dist)\//.test(name))
    .sort();
}

/** The text of a file of the project. */
export const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

const lineCount = (text: string): number => text.split('\n').length - 1;

/** A parsed file, with a way from offsets to lines; swc counts bytes, and goes on counting over files. */
function parse(file: string) {
  const text = textOf(file);
  const bytes = Buffer.from(text);
  const module = parseSync(text, { syntax: 'typescript', target: 'es2022' }) as unknown as Node;
  const first = (module.span as { start: number }).start;
  // The module begins at its first token, behind the comments of the head.
  const head = Buffer.byteLength(/^(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0] ?? '');
  const base = first - head;
  const lineAt = (offset: number) => lineCount(bytes.subarray(0, offset - base).toString('utf8')) + 1;
  return { text, module, lineAt };
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (typeof node === 'object' && node !== null) {
    const { type } = node as Node;
    if (typeof type === 'string') visit(node as Node);
    for (const key in node) if (key !== 'span') walk((node as Record<string, unknown>)[key], visit);
  }
}

const functions = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'MethodProperty',
  'Constructor',
]);

/** Functions of more than `max` lines. */
export function longFunctions(file: string, max: number): Breach[] {
  const { module, lineAt } = parse(file);
  const found: Breach[] = [];
  walk(module, (node) => {
    if (!functions.has(node.type)) return;
    // A method's own span may be missing: the body's will do.
    const span = (node.span ??
      (node.body as Node | undefined)?.span ??
      (node.function as Node | undefined)?.span) as { start: number; end: number } | undefined;
    if (span === undefined) return;
    const lines = lineAt(span.end) - lineAt(span.start) + 1;
    if (lines > max) found.push({ file, line: lineAt(span.start), what: `${lines} lines` });
  });
  return found;
}

/** Exported functions without TSDoc ahead of them. */
export function undocumentedExports(file: string): Breach[] {
  const text = textOf(file);
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const name =
      /^export (?:async )?function\*? (\w+)/.exec(line)?.[1] ??
      /^export const (\w+)(?:: [^=]+)? = (?:async )?(?:<[^>]*>)?\(/.exec(line)?.[1];
    if (name === undefined) return [];
    let above = index - 1;
    while (/^\s*(?:\/\/ biome-ignore|@)/.test(lines[above] ?? '')) above -= 1;
    return /\*\/\s*$/.test(lines[above] ?? '') ? [] : [{ file, line: index + 1, what: name }];
  });
}

/** Casts that switch the type checker off. */
export function bareCasts(file: string): Breach[] {
  return textOf(file)
    .split('\n')
    .flatMap((line, index) =>
      /\bas (?:never|any)\b|\bas unknown as\b/.test(line.replace(/\/\/.*$/, ''))
        ? [{ file, line: index + 1, what: line.trim().slice(0, 100) }]
        : [],
    );
}

/** Spreads of object literals that are used once: properties written elsewhere in the same literal. */
export function literalSpreads(file: string): Breach[] {
  return textOf(file)
    .split('\n')
    .flatMap((line, index) =>
      /\.\.\.\{ /.test(line) ? [{ file, line: index + 1, what: line.trim().slice(0, 100) }] : [],
    );
}

/** Folders with more than `max` files side by side. */
export function fullFolders(files: readonly string[], max: number): Breach[] {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(posix.dirname(file), (counts.get(posix.dirname(file)) ?? 0) + 1);
  return [...counts].flatMap(([folder, count]) =>
    count > max ? [{ file: folder, line: 0, what: `${count} files` }] : [],
  );
}

/** Lines of each file. */
export const linesOf = (file: string): number => lineCount(textOf(file));

/** Occurrences of words in a text, outside of code identifiers where a rule says so. */
export function wordsIn(file: string, words: RegExp): Breach[] {
  return textOf(file)
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(words)].map(([word]) => ({ file, line: index + 1, what: word })),
    );
}
