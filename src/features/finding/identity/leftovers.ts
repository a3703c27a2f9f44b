// Keeps what found no partner in its own file, to be matched across files: bounded, because it is in memory together.
import { type Candidate, canMove, matchMoves } from './match.js';

/** Most findings, and most results, that are compared across files. */
export const maxLeft = 50_000;

/** Findings and results without a partner in their files. */
export interface Leftovers<O, N> {
  add: (olds: Iterable<O>, news: Iterable<N>) => void;
  /** The pairs across files, or undefined when there were too many to look for them. */
  match: () => [O, N][] | undefined;
}

/** Creates an empty collection. URLs, hosts and packages do not move, so they take no room. */
export function createLeftovers<O extends Candidate, N extends Candidate>(max = maxLeft): Leftovers<O, N> {
  const olds: O[] = [];
  const news: N[] = [];
  // One beyond the limit is kept, which tells that there were more.
  const keep = <C extends Candidate>(list: C[], added: Iterable<C>) => {
    for (const one of added) if (list.length <= max && canMove(one)) list.push(one);
  };
  return {
    add(moreOlds, moreNews) {
      keep(olds, moreOlds);
      keep(news, moreNews);
    },
    match() {
      if (olds.length === 0 || news.length === 0) return [];
      return olds.length > max || news.length > max ? undefined : matchMoves(olds, news);
    },
  };
}
