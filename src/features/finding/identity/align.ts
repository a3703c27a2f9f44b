// Pairs alike findings of two runs in the order of their lines, so that their distances change as seldom as possible.
import { jump, type Shift } from './shift.js';

interface Placed {
  line: number;
}

/** Most steps of an exact alignment; beyond it, alike findings are paired one after the other. */
const maxSteps = 1_000_000;
const lookAhead = 32;

/**
 * Pairs two sorted lists of alike findings. Each of the shorter list finds a partner; the surplus of the longer one (one of
 * five alike was fixed) is left where the distances between the others stay the same.
 */
export function align<O extends Placed, N extends Placed>(olds: O[], news: N[], shift: Shift): [O, N][] {
  const pairs: [O, N][] = [];
  const taken = takeExpected(olds, news, shift, pairs);
  const [restOlds, restNews] = [
    olds.filter((old) => !taken.has(old)),
    news.filter((seen) => !taken.has(seen)),
  ];
  if (restNews.length > restOlds.length)
    for (const [seen, old] of choose(restNews, restOlds, (n, o) => place(o, n, shift)))
      pairs.push([old, seen]);
  else for (const pair of choose(restOlds, restNews, (o, n) => place(o, n, shift))) pairs.push(pair);
  return pairs;
}

/** Pairs what stands exactly where findings recognised already let expect it. */
function takeExpected<O extends Placed, N extends Placed>(
  olds: readonly O[],
  news: readonly N[],
  shift: Shift,
  pairs: [O, N][],
): Set<Placed> {
  const taken = new Set<Placed>();
  const byLine = new Map<number, N[]>();
  for (const seen of news) byLine.set(seen.line, [...(byLine.get(seen.line) ?? []), seen]);
  for (const old of olds) {
    for (const line of shift.expected(old.line)) {
      const seen = byLine.get(line)?.shift();
      if (seen === undefined) continue;
      pairs.push([old, seen]);
      taken.add(old).add(seen);
      break;
    }
  }
  return taken;
}

interface Place {
  shift: number;
  cost: number;
}

function place(old: Placed, seen: Placed, shift: Shift): Place {
  const distance = shift.distance(old.line, seen.line);
  return { shift: seen.line - old.line, cost: distance === undefined ? 0 : jump(distance) };
}

/** For each of the shorter list one of the longer list, in order, at the least cost. */
function choose<L, S>(longer: readonly L[], shorter: readonly S[], cost: (l: L, s: S) => Place): [L, S][] {
  const surplus = longer.length - shorter.length;
  if (shorter.length === 0) return [];
  if (surplus === 0) return shorter.map((one, index) => [longer[index] as L, one]);
  if (shorter.length * (surplus + 1) ** 2 > maxSteps) return chooseAsTheyCome(longer, shorter, cost);
  const rows: { place: Place; total: number; from: number }[][] = [];
  for (const [index, one] of shorter.entries()) {
    const before = rows[index - 1];
    rows.push(
      Array.from({ length: surplus + 1 }, (_, skipped) => {
        const here = cost(longer[index + skipped] as L, one);
        let [total, from] = [before === undefined ? jump(Math.abs(here.shift)) : Infinity, 0];
        for (let earlier = 0; before !== undefined && earlier <= skipped; earlier += 1) {
          const last = before[earlier] as (typeof before)[number];
          const sum = last.total + jump(Math.abs(here.shift - last.place.shift));
          if (sum < total) [total, from] = [sum, earlier];
        }
        return { place: here, total: total + here.cost, from };
      }),
    );
  }
  return traceBack(longer, shorter, rows);
}

function traceBack<L, S>(
  longer: readonly L[],
  shorter: readonly S[],
  rows: readonly { total: number; from: number }[][],
): [L, S][] {
  const last = rows.at(-1) ?? [];
  let skipped = 0;
  for (const [index, { total }] of last.entries())
    if (total < (last[skipped]?.total ?? Infinity)) skipped = index;
  const pairs: [L, S][] = [];
  for (let index = shorter.length - 1; index >= 0; index -= 1) {
    pairs.push([longer[index + skipped] as L, shorter[index] as S]);
    skipped = rows[index]?.[skipped]?.from ?? 0;
  }
  return pairs.reverse();
}

/** As {@link choose} for long lists: each takes the one that keeps the last shift, among the next few. */
function chooseAsTheyCome<L, S>(
  longer: readonly L[],
  shorter: readonly S[],
  cost: (l: L, s: S) => Place,
): [L, S][] {
  const pairs: [L, S][] = [];
  let at = 0;
  let shift = 0;
  for (const [index, one] of shorter.entries()) {
    const last = Math.min(at + lookAhead, longer.length - (shorter.length - index));
    let [best, bestCost] = [at, Infinity];
    for (let candidate = at; candidate <= last; candidate += 1) {
      const here = cost(longer[candidate] as L, one);
      const total = here.cost + jump(Math.abs(here.shift - shift));
      if (total < bestCost) [best, bestCost] = [candidate, total];
    }
    shift = cost(longer[best] as L, one).shift;
    pairs.push([longer[best] as L, one]);
    at = best + 1;
  }
  return pairs;
}
