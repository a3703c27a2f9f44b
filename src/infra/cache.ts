// Values that are kept for a moment, in the process. What is kept, for how long and when to forget it is up to callers.
import { LRUCache } from 'lru-cache';
import { countWait } from './postgres/acquire-budget.js';
import type { Metrics } from './telemetry/metrics.js';

interface CacheOptions<Value> {
  /** Names it in /metrics. */
  name: string;
  /** How many values; beyond them the one not used for longest goes. */
  max: number;
  /** How long a value is believed when nobody says otherwise. */
  ttlMs: number;
  /** What a value has to do with besides its key, so that it can be forgotten by that. */
  tagsOf?: (value: NonNullable<Value>) => readonly string[];
  metrics: Metrics | undefined;
}

/** A read-through cache. */
export interface Cached<Value> {
  /**
   * The value that is kept, else what `load` gives; however many ask, it is loaded once at a time. Neither errors nor
   * undefined are kept.
   */
  (key: string, load: () => Promise<Value>): Promise<Value>;
  /** The value that is kept, without a wait; undefined for any other. */
  peek(key: string): NonNullable<Value> | undefined;
  /** A read-through of many keys, with one load for all that are missing; what is not found is left out. */
  many(
    keys: readonly string[],
    load: (missing: string[]) => Promise<ReadonlyMap<string, NonNullable<Value>>>,
  ): Promise<Map<string, NonNullable<Value>>>;
  /** Forgets a value. What is being loaded goes to those who wait for it already, and is not kept. */
  forget(key: string): void;
  /** Forgets all values with this tag, in the same way. */
  forgetTag(tag: string): void;
}

export function createCache<Value>({
  name,
  max,
  ttlMs,
  tagsOf,
  metrics,
}: CacheOptions<Value>): Cached<Value> {
  type Kept = NonNullable<Value>;
  const kept = new LRUCache<string, Kept>({ max, ttl: ttlMs });
  const loads = new Map<string, Promise<Value | undefined>>();
  const size = () => kept.size;
  const count = metrics?.cache(name, size) ?? { hit: 0, miss: 0, shared: 0 };

  /** Kept only if this load is still the one for its key: whoever forgets the key takes it out of `loads`. */
  function begin(key: string, load: Promise<Value | undefined>): void {
    loads.set(key, load);
    const isCurrent = () => loads.get(key) === load && loads.delete(key);
    load.then(
      (value) => {
        if (isCurrent() && value != null) kept.set(key, value);
      },
      () => void isCurrent(),
    );
  }

  function cached(key: string, load: () => Promise<Value>): Promise<Value> {
    const value = peek(key);
    if (value !== undefined) return Promise.resolve(value);
    const underWay = loads.get(key) as Promise<Value> | undefined;
    if (underWay !== undefined) {
      count.shared += 1;
      return countWait(underWay);
    }
    count.miss += 1;
    const begun = load();
    begin(key, begun);
    return begun;
  }

  async function many(
    keys: readonly string[],
    load: (missing: string[]) => Promise<ReadonlyMap<string, Kept>>,
  ): Promise<Map<string, Kept>> {
    const found = new Map<string, Kept>();
    const waits: Promise<void>[] = [];
    const missing: string[] = [];
    const take = (key: string, loading: Promise<Value | undefined>) =>
      waits.push(loading.then((value) => void (value != null && found.set(key, value))));
    for (const key of new Set(keys)) {
      const value = peek(key);
      const underWay = loads.get(key);
      if (value !== undefined) {
        found.set(key, value);
      } else if (underWay !== undefined) {
        count.shared += 1;
        take(key, countWait(underWay));
      } else {
        count.miss += 1;
        missing.push(key);
      }
    }
    if (missing.length > 0) {
      const all = load(missing);
      for (const key of missing) {
        const one = all.then((values) => values.get(key));
        begin(key, one);
        take(key, one);
      }
    }
    await Promise.all(waits);
    return found;
  }

  function peek(key: string): Kept | undefined {
    const value = kept.get(key);
    if (value !== undefined) count.hit += 1;
    return value;
  }

  return Object.assign(cached, {
    peek,
    many,
    forget(key: string): void {
      kept.delete(key);
      loads.delete(key);
    },
    forgetTag(tag: string): void {
      for (const [key, value] of kept.entries()) if (tagsOf?.(value).includes(tag)) kept.delete(key);
      loads.clear(); // their tags are not known yet
    },
  });
}
