// Recognises findings in files that were renamed or moved, and single findings whose code went to another file.
import { bucketsOf } from './buckets.js';
import { type Candidate, climb, codeOf, compare } from './ladder.js';

/** Most files on each side that one and the same evidence may be in to make two files candidates. */
const maxFiles = 24;

/** Unmatched findings and results of one file. */
interface FileLeft<C> {
  path: string;
  items: C[];
  /** Number of times that each evidence is in the file. */
  signs: Map<string, number>;
}

/** Two files that may be one. */
interface FilePair<O, N> {
  from: FileLeft<O>;
  to: FileLeft<N>;
  score: number;
}

/** Matches the findings of files that were renamed or moved: most of what is left of both finds a partner. */
export function matchFiles<O extends Candidate, N extends Candidate>(
  olds: readonly O[],
  news: readonly N[],
): [O, N][] {
  const [froms, tos] = [filesOf(olds), filesOf(news)];
  const pairs = candidatesOf(froms, tos).flatMap(({ from, to }): FilePair<O, N>[] => {
    const score = scoreOf(from, to);
    return score === null ? [] : [{ from, to, score }];
  });
  pairs.sort((a, b) => b.score - a.score || order(a.from.path, b.from.path) || order(a.to.path, b.to.path));
  return clearOnes(pairs).flatMap(({ from, to }) => climb(from.items, to.items, ({ ruleKey }) => ruleKey));
}

/** Of pairs with falling scores the best of each file; files with equally good partners have none. */
function clearOnes<O, N>(pairs: readonly FilePair<O, N>[]): FilePair<O, N>[] {
  const settled = new Set<unknown>();
  const found: FilePair<O, N>[] = [];
  for (let start = 0, end = 0; start < pairs.length; start = end) {
    const equal: FilePair<O, N>[] = [];
    for (; pairs[end]?.score === pairs[start]?.score; end += 1) equal.push(pairs[end] as FilePair<O, N>);
    const open = equal.filter(({ from, to }) => !settled.has(from) && !settled.has(to));
    const times = new Map<unknown, number>();
    for (const file of open.flatMap(({ from, to }) => [from, to]))
      times.set(file, (times.get(file) ?? 0) + 1);
    for (const pair of open) {
      settled.add(pair.from).add(pair.to);
      if (times.get(pair.from) === 1 && times.get(pair.to) === 1) found.push(pair);
    }
  }
  return found;
}

/** Matches single findings with the same rule and code that left one file and came up in one other. */
export function matchSingles<O extends Candidate, N extends Candidate>(
  olds: readonly O[],
  news: readonly N[],
): [O, N][] {
  const buckets = bucketsOf([...olds].sort(compare), [...news].sort(compare), (candidate) => {
    const code = codeOf(candidate);
    return code === null ? null : `${candidate.ruleKey} ${code}`;
  });
  return buckets.flatMap((bucket): [O, N][] => {
    const paths = new Set([...bucket.olds.map(({ path }) => path), ...bucket.news.map(({ path }) => path)]);
    const isClear = paths.size === 2 && bucket.olds[0]?.path !== bucket.news[0]?.path;
    if (!isClear || bucket.olds.length !== bucket.news.length) return [];
    return bucket.olds.map((old, index) => [old, bucket.news[index] as N]);
  });
}

function signOf({ ruleKey, contentKey, messageKey }: Candidate): string {
  return `${ruleKey} ${contentKey ?? messageKey}`;
}

function filesOf<C extends Candidate>(items: readonly C[]): Map<string, FileLeft<C>> {
  const files = new Map<string, FileLeft<C>>();
  for (const item of items) {
    const file = files.get(item.path) ?? { path: item.path, items: [], signs: new Map<string, number>() };
    files.set(item.path, file);
    file.items.push(item);
    const sign = signOf(item);
    file.signs.set(sign, (file.signs.get(sign) ?? 0) + 1);
  }
  return files;
}

/** Files that share rare evidence, all of their evidence, or the end of their paths. */
function candidatesOf<O, N>(
  froms: ReadonlyMap<string, FileLeft<O>>,
  tos: ReadonlyMap<string, FileLeft<N>>,
): { from: FileLeft<O>; to: FileLeft<N> }[] {
  const found = new Map<FileLeft<O>, Set<FileLeft<N>>>();
  const link = (textsOf: (file: FileLeft<unknown>) => Iterable<string>) => {
    const index = new Map<string, { froms: FileLeft<O>[]; tos: FileLeft<N>[] }>();
    for (const from of froms.values())
      for (const text of textsOf(from)) {
        const entry = index.get(text);
        if (entry === undefined) index.set(text, { froms: [from], tos: [] });
        else entry.froms.push(from);
      }
    for (const to of tos.values()) for (const text of textsOf(to)) index.get(text)?.tos.push(to);
    for (const entry of index.values()) {
      if (entry.froms.length > maxFiles || entry.tos.length > maxFiles) continue;
      for (const from of entry.froms) {
        const linked = found.get(from) ?? new Set();
        for (const to of entry.tos) linked.add(to);
        found.set(from, linked);
      }
    }
  };
  link(({ signs }) => signs.keys());
  link(({ signs }) => [
    [...signs]
      .map(([sign, count]) => `${sign} ${count}`)
      .sort()
      .join('\n'),
  ]);
  link(({ path }) => endingsOf(path));
  return [...found].flatMap(([from, linked]) => [...linked].map((to) => ({ from, to })));
}

/** The last one to four parts of a path, each as a text of its own. */
function endingsOf(path: string): string[] {
  const parts = path.split('/');
  return [1, 2, 3, 4].filter((count) => count <= parts.length).map((count) => parts.slice(-count).join('/'));
}

/** The confidence that two files are the same, from 0; null when they are not. */
function scoreOf<O extends Candidate, N extends Candidate>(
  from: FileLeft<O>,
  to: FileLeft<N>,
): number | null {
  if (from.path === to.path) return null;
  let shared = 0;
  for (const [sign, count] of from.signs) shared += Math.min(count, to.signs.get(sign) ?? 0);
  if (shared === 0) return null;
  const part = shared / Math.max(from.items.length, to.items.length);
  const all = shared / Math.min(from.items.length, to.items.length);
  const [a, b] = [from.path.split('/'), to.path.split('/')];
  let ending = 0;
  while (ending < Math.min(a.length, b.length) && a.at(-1 - ending) === b.at(-1 - ending)) ending += 1;
  const lines = new Set(from.items.map((item) => `${signOf(item)} ${item.line}`));
  const inPlace = to.items.filter((item) => lines.has(`${signOf(item)} ${item.line}`)).length;
  const hasCode = from.items.some(({ contentKey }) => contentKey !== null);
  const isSure = ending > 0 || inPlace === shared || (hasCode ? shared >= 1 : shared >= 3);
  if (!isSure || (all < 1 && part < 0.5)) return null;
  return part * 4 + Math.min(ending, 4) + inPlace / shared + Math.min(shared, 16) / 16;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
