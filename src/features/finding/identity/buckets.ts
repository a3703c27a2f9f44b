// Puts findings of two runs side by side by a text that they share.

/** The findings of both runs with one text, each in the order given. */
export interface Bucket<O, N> {
  olds: O[];
  news: N[];
}

/** Buckets of all texts that both sides have, in the order of the olds; null is in none. */
export function bucketsOf<O, N>(
  olds: readonly O[],
  news: readonly N[],
  textOf: (candidate: O | N) => string | null,
): Bucket<O, N>[] {
  const buckets = new Map<string, Bucket<O, N>>();
  for (const old of olds) {
    const text = textOf(old);
    if (text === null) continue;
    const bucket = buckets.get(text);
    if (bucket === undefined) buckets.set(text, { olds: [old], news: [] });
    else bucket.olds.push(old);
  }
  for (const seen of news) {
    const text = textOf(seen);
    if (text !== null) buckets.get(text)?.news.push(seen);
  }
  return [...buckets.values()].filter((bucket) => bucket.news.length > 0);
}
