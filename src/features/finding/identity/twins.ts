// Matches a file in which some results are twins of findings: they stand in the very place with the very content. Where lines
// moved by the distance between alike findings, the twin of a finding is another one, and the rest of the file shows it.
import { type Candidate, matchGroup } from './match.js';

/** A finding and the result with its place and content. */
export interface Twins<O, N> {
  old: O;
  seen: N;
}

/** The pairing of a file's findings and results. */
export interface MatchedFile<O, N> {
  /** Without the twins that stay together. */
  pairs: [O, N][];
  /** Twins of which at least one has another partner. */
  parted: Twins<O, N>[];
}

/** Matches what is left of a file together with its twins. Twins stay together unless the others tell them apart. */
export function matchFile<O extends Candidate, N extends Candidate>(
  olds: readonly O[],
  news: readonly N[],
  twins: readonly Twins<O, N>[],
): MatchedFile<O, N> {
  if (twins.length === 0 || news.length === 0) return { pairs: matchGroup([...olds], [...news]), parted: [] };
  const pairs = matchGroup(
    [...olds, ...twins.map(({ old }) => old)],
    [...news, ...twins.map(({ seen }) => seen)],
  );
  const seenOf = new Map<O, N>(pairs);
  const oldOf = new Map<N, O>(pairs.map(([old, seen]) => [seen, old]));
  const parted = twins.filter(
    ({ old, seen }) => seenOf.get(old) !== seen && (seenOf.has(old) || oldOf.has(seen)),
  );
  const staying = new Set<O>(twins.map(({ old }) => old));
  for (const { old } of parted) staying.delete(old);
  return { pairs: pairs.filter(([old]) => !staying.has(old)), parted };
}
