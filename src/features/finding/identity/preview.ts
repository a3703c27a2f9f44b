// Compares two recipes on two runs, so that a change of the recipe shows what it would merge or split before it is made.
import type { ReportItem } from '../../../reports/item.js';
import type { IdentityKeys } from './keys.js';
import { type Candidate, matchGroup, matchMoves } from './match.js';

/** Makes keys of a result, as `identityOf` does. */
export type Recipe = (item: ReportItem) => IdentityKeys;

/** A result of the earlier run and one of the later run, by their positions. */
export type Recognised = [old: number, seen: number];

/** The effect of another recipe on two runs. */
export interface RecipePreview {
  /** Results that are recognised today and would become a new and an absent finding, or another finding. */
  split: Recognised[];
  /** Results that are a new and an absent finding today, or other findings, and would be recognised. */
  merged: Recognised[];
}

/**
 * Matches two whole runs in memory: each file by itself, then across files.
 * @returns pairs of an old and a new one, each at most once
 */
export function matchRuns<O extends Candidate, N extends Candidate>(
  olds: readonly O[],
  news: readonly N[],
): [O, N][] {
  const files = new Map<string, { olds: O[]; news: N[] }>();
  const fileOf = ({ path, groupKey }: Candidate) => {
    const key = path === '' ? groupKey : path;
    const file = files.get(key) ?? { olds: [], news: [] };
    files.set(key, file);
    return file;
  };
  for (const old of olds) fileOf(old).olds.push(old);
  for (const seen of news) fileOf(seen).news.push(seen);
  const pairs = [...files.values()].flatMap((file) => matchGroup(file.olds, file.news));
  const taken = [
    new Set<Candidate>(pairs.map(([old]) => old)),
    new Set<Candidate>(pairs.map(([, seen]) => seen)),
  ];
  const moved = matchMoves(
    olds.filter((old) => taken[0]?.has(old) === false),
    news.filter((seen) => taken[1]?.has(seen) === false),
  );
  return pairs.concat(moved);
}

/** Shows what a proposed recipe would change between two runs of a tool. */
export function previewRecipe(
  current: Recipe,
  proposed: Recipe,
  earlier: readonly ReportItem[],
  later: readonly ReportItem[],
): RecipePreview {
  const [today, then] = [current, proposed].map((recipe) => {
    const withKeys = (item: ReportItem, id: number) => ({ id, ...recipe(item) });
    const pairs = matchRuns(earlier.map(withKeys), later.map(withKeys));
    return new Map(pairs.map(([old, seen]): Recognised => [old.id, seen.id]));
  }) as [Map<number, number>, Map<number, number>];
  return { split: notIn(today, then), merged: notIn(then, today) };
}

function notIn(pairs: ReadonlyMap<number, number>, others: ReadonlyMap<number, number>): Recognised[] {
  return [...pairs].filter(([old, seen]) => others.get(old) !== seen).sort(([a], [b]) => a - b);
}
