// Recognises findings within scopes (one rule in one file), the surest evidence first; recognised findings help with the rest.
import { align } from './align.js';
import { type Bucket, bucketsOf } from './buckets.js';
import { findChain } from './chain.js';
import type { IdentityKeys } from './keys.js';
import { type Anchor, firstAtOrAfter, learnShift, type Shift } from './shift.js';

/** A finding or result to be matched; ids are unique on each side. */
export interface Candidate extends IdentityKeys {
  id: number | string;
}

/** Evidence: findings with the same text are alike; null says nothing. */
interface Rung {
  textOf: (candidate: Candidate) => string | null;
  /** Worth of a finding in a chain by this evidence; such a chain is sought where nothing is recognised yet. */
  worth?: number;
  /** Only where one old and one new have it. */
  isForSingles?: boolean;
  /** Most lines between a finding and where the others let expect it; without it any number. */
  reach?: number;
}

const rungs: readonly Rung[] = [
  { textOf: (candidate) => `${codeOf(candidate)} ${candidate.messageKey}`, worth: 3 },
  { textOf: ({ fingerprintKey }) => fingerprintKey, isForSingles: true },
  { textOf: codeOf },
  // The tool's fingerprints died with the lines.
  { textOf: ({ contentKey, messageKey }) => (contentKey === null ? messageKey : null), worth: 3 },
  // Without lines: a new version of a package, a page that says another time.
  { textOf: ({ messageKey, line }) => (line === 0 ? messageKey : null) },
  { textOf: ({ messageKey }) => messageKey, worth: 2, reach: 10 },
  { textOf: () => '', worth: 1.7, reach: 3 },
];

/** The code that was found, or the tool's fingerprint, which is a hash of it as a rule. */
export function codeOf({ contentKey, fingerprintKey }: Candidate): string | null {
  return contentKey ?? fingerprintKey;
}

/** Longest list of new findings that an old one is compared with where only the line decides. */
const maxNeighbours = 16;

/**
 * Matches within scopes; all findings of a file given at once help each other, because they tell how its lines have moved.
 * @returns pairs in which each old and each new one is at most once; the order of the arguments does not matter
 */
export function climb<O extends Candidate, N extends Candidate>(
  olds: readonly O[],
  news: readonly N[],
  scopeOf: (candidate: Candidate) => string,
): [O, N][] {
  const left = { olds: [...olds].sort(compare), news: [...news].sort(compare) };
  const pairs: [O, N][] = [];
  for (const rung of rungs) {
    if (left.olds.length === 0 || left.news.length === 0) break;
    const textOf = (candidate: Candidate) => {
      const text = rung.textOf(candidate);
      return text === null ? null : `${scopeOf(candidate)} ${text}`;
    };
    if (rung.worth !== undefined && pairs.length === 0) {
      for (const pair of findChain(left.olds, left.news, textOf, rung.worth)) pairs.push(pair);
      takeOut(left, pairs);
    }
    const before = pairs.length;
    takeStep(pairs, bucketsOf(left.olds, left.news, textOf), rung);
    takeOut(left, pairs.slice(before));
  }
  return pairs;
}

/** Adds the pairs that one evidence gives: single ones first, because they tell where the others are. */
function takeStep<O extends Candidate, N extends Candidate>(
  pairs: [O, N][],
  buckets: readonly Bucket<O, N>[],
  { isForSingles = false, reach }: Rung,
): void {
  const isSingle = ({ olds, news }: Bucket<O, N>) => olds.length === 1 && news.length === 1;
  const before = pairs.length;
  const shift = learnShift(pairs.map(anchorOf));
  if (reach === undefined)
    for (const bucket of buckets.filter(isSingle))
      addPlausible(pairs, [[bucket.olds[0] as O, bucket.news[0] as N]], shift);
  if (isForSingles) return;
  const learned = pairs.length === before ? shift : learnShift(pairs.map(anchorOf));
  for (const bucket of buckets) {
    if (reach !== undefined) for (const pair of nearest(bucket, learned, reach)) pairs.push(pair);
    else if (!isSingle(bucket)) addPlausible(pairs, align(bucket.olds, bucket.news, learned), learned);
  }
}

function takeOut<O extends Candidate, N extends Candidate>(
  left: Bucket<O, N>,
  pairs: readonly [O, N][],
): void {
  if (pairs.length === 0) return;
  const taken = new Set<Candidate>(pairs.flat());
  left.olds = left.olds.filter((old) => !taken.has(old));
  left.news = left.news.filter((seen) => !taken.has(seen));
}

/** Without code, a finding whose neighbours are all where they were has not gone past them. */
function addPlausible<O extends Candidate, N extends Candidate>(
  pairs: [O, N][],
  added: readonly [O, N][],
  shift: Shift,
): void {
  for (const pair of added) {
    const [old, { line: newLine }] = pair;
    const { line } = old;
    if (codeOf(old) !== null || line === 0 || newLine === 0 || shift.isBetween(line, newLine))
      pairs.push(pair);
  }
}

function anchorOf([{ line: oldLine }, { line: newLine }]: readonly [Candidate, Candidate]): Anchor {
  return { oldLine, newLine };
}

/** Pairs by the distance to where a finding is expected, the nearest first. */
function nearest<O extends Candidate, N extends Candidate>(
  { olds, news }: Bucket<O, N>,
  shift: Shift,
  reach: number,
): [O, N][] {
  const near: { old: O; seen: N; distance: number }[] = [];
  const isSingle = olds.length === 1 && news.length === 1;
  for (const old of olds) {
    const expected = shift.expected(old.line);
    for (const line of expected.length === 0 ? [old.line] : expected) {
      let at = firstAtOrAfter(news, line - reach, ({ line }) => line);
      for (let count = 0; count < maxNeighbours; count += 1, at += 1) {
        const seen = news[at];
        if (seen === undefined || seen.line > line + reach) break;
        // Without a line, nothing is near.
        if (!isSingle && (old.line === 0 || seen.line === 0)) continue;
        near.push({ old, seen, distance: Math.abs(seen.line - line) });
      }
    }
  }
  near.sort((a, b) => a.distance - b.distance);
  const taken = new Set<Candidate>();
  return near.flatMap(({ old, seen }): [O, N][] => {
    if (taken.has(old) || taken.has(seen)) return [];
    taken.add(old).add(seen);
    return [[old, seen]];
  });
}

/** By line, then by everything else, so that the order in which findings come does not matter. */
export function compare(a: Candidate, b: Candidate): number {
  return (
    a.line - b.line ||
    order(a.fingerprintKey ?? '', b.fingerprintKey ?? '') ||
    order(a.contentKey ?? '', b.contentKey ?? '') ||
    order(a.messageKey, b.messageKey) ||
    order(a.path, b.path) ||
    (typeof a.id === 'number' && typeof b.id === 'number' ? a.id - b.id : order(String(a.id), String(b.id)))
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
