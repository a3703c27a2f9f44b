// Finds the findings that stay in order in a file, as a comparison of texts finds the lines that stay: alike ones whose lines moved
// together. In code that repeats itself, this distinguishes alike findings.
import { bucketsOf } from './buckets.js';
import { jump } from './shift.js';

interface Placed {
  line: number;
}

/** Most pairs of alike findings that are compared with each other, which takes milliseconds. */
const maxPairs = 2500;
/** The cost of a shift at the beginning of a chain: of two equal explanations, the one in which less has moved is the better. */
const start = 1.2;

interface Link {
  old: number;
  seen: number;
  shift: number;
  total: number;
  previous: number;
}

/**
 * The chain of alike pairs with growing lines on both sides that holds the most findings at the fewest changes of the shift.
 * @param olds sorted by line, as are `news`
 * @param textOf evidence; findings with the same text are alike, null is like none
 * @param worth what a finding in the chain is worth: a change of the shift by one line costs 1, by 16 lines 2, by 256 lines 3
 */
export function findChain<O extends Placed, N extends Placed>(
  olds: readonly O[],
  news: readonly N[],
  textOf: (candidate: O | N) => string | null,
  worth: number,
): [O, N][] {
  const links = linksOf(olds, news, textOf);
  let last = -1;
  for (const [at, link] of links.entries()) {
    link.total = worth - start * jump(Math.abs(link.shift));
    for (let earlier = at - 1; earlier >= 0; earlier -= 1) {
      const before = links[earlier] as Link;
      if (before.old >= link.old || before.seen >= link.seen) continue;
      const total = before.total + worth - jump(Math.abs(link.shift - before.shift));
      if (total > link.total) [link.total, link.previous] = [total, earlier];
    }
    if (link.total > (links[last]?.total ?? 0)) last = at;
  }
  const chain: [O, N][] = [];
  for (let at = last; at !== -1; at = (links[at] as Link).previous) {
    const { old, seen } = links[at] as Link;
    chain.push([olds[old] as O, news[seen] as N]);
  }
  return chain.reverse();
}

/** Pairs of alike findings, in order: those of the rarest evidence as far as there is room. */
function linksOf<O extends Placed, N extends Placed>(
  olds: readonly O[],
  news: readonly N[],
  textOf: (candidate: O | N) => string | null,
): Link[] {
  const oldIndex = new Map(olds.map((old, index) => [old, index]));
  const newIndex = new Map(news.map((seen, index) => [seen, index]));
  const buckets = bucketsOf(olds, news, textOf)
    .map((bucket) => ({ ...bucket, size: bucket.olds.length * bucket.news.length }))
    .sort((a, b) => a.size - b.size);
  const links: Link[] = [];
  for (const bucket of buckets) {
    if (links.length + bucket.size > maxPairs) break;
    for (const old of bucket.olds)
      for (const seen of bucket.news)
        links.push({
          old: oldIndex.get(old) as number,
          seen: newIndex.get(seen) as number,
          shift: seen.line - old.line,
          total: 0,
          previous: -1,
        });
  }
  return links.sort((a, b) => a.old - b.old || a.seen - b.seen);
}
