// Recognises results as findings of earlier runs: within one rule and file first, then across files for the rest.
import { type Candidate, climb } from './ladder.js';
import { matchFiles, matchSingles } from './moves.js';

export type { Candidate } from './ladder.js';

/**
 * Matches old and new within groups, the surest first, each at most once. It matches never across groups; given all groups of a
 * file at once, it learns from all of them how the lines of the file have moved. Time grows as n log n.
 * @returns pairs of an old and a new one; the order of the arguments does not matter
 */
export function matchGroup<O extends Candidate, N extends Candidate>(olds: O[], news: N[]): [O, N][] {
  return climb(olds, news, ({ groupKey }) => groupKey);
}

/**
 * Matches across files: first renamed or moved files, then single findings where the same code of the same rule has left one file
 * and come up in one other. URLs, hosts and packages without a file do not move. Time grows as n log n.
 * @returns pairs of an old and a new one; the order of the arguments does not matter
 */
export function matchMoves<O extends Candidate, N extends Candidate>(olds: O[], news: N[]): [O, N][] {
  const [movedOlds, movedNews] = [olds.filter(canMove), news.filter(canMove)];
  const pairs = matchFiles(movedOlds, movedNews);
  const taken = new Set<Candidate>(pairs.flat());
  return pairs.concat(
    matchSingles(
      movedOlds.filter((old) => !taken.has(old)),
      movedNews.filter((seen) => !taken.has(seen)),
    ),
  );
}

/** Whether it lies in a file, which may be renamed. */
export function canMove({ path }: Candidate): boolean {
  return path !== '' && !/^[a-z][a-z0-9+.-]+:\/\//i.test(path);
}
