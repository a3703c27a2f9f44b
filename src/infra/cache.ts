// A read-through cache in the process for values that are valid for a moment. Its callers choose the values and
// invalidate them.
import { LRUCache } from 'lru-cache';
import { entryLimit } from './entry-limit.js';
import { countWait } from './postgres/acquire-budget.js';
import type { CacheCounts, Metrics } from './telemetry/metrics.js';

interface CacheOptions<Value> {
  /** Names the cache in /metrics. */
  name: string;
  /** Values at most; the least recently used one is dropped. */
  max: number;
  /** Time for which a value is valid unless it is invalidated. */
  ttlMs: number;
  /** Tags by which a value can be invalidated besides its key. */
  tagsOf?: (value: NonNullable<Value>) => readonly string[];
  metrics: Metrics | undefined;
}

/** A read-through cache. */
export interface Cached<Value> {
  /**
   * The cached value, else the result of `load`. Concurrent callers share one load. Errors and undefined are not cached.
   */
  (key: string, load: () => Promise<Value>): Promise<Value>;
  /** The cached value, without a wait; undefined if there is none. */
  peek(key: string): NonNullable<Value> | undefined;
  /** The values of many keys, with one load for all that are missing. Keys without a value are left out. */
  many(
    keys: readonly string[],
    load: (missing: string[]) => Promise<ReadonlyMap<string, NonNullable<Value>>>,
  ): Promise<Map<string, NonNullable<Value>>>;
  /** Invalidates a value. The result of a load in progress goes to its present callers and is not cached. */
  forget(key: string): void;
  /** Invalidates all values with this tag, in the same way. */
  forgetTag(tag: string): void;
  /** Invalidates all values, in the same way. */
  clear(): void;
}

/** The state of one cache. */
interface Store<Kept extends {}> {
  values: LRUCache<string, Kept>;
  /** Loads in progress. Invalidating a key removes its load, so that the result is not cached. */
  loads: Map<string, Promise<Kept | null | undefined>>;
  count: CacheCounts;
}

/** Creates a cache. */
export function createCache<Value>(options: CacheOptions<Value>): Cached<Value> {
  type Kept = NonNullable<Value>;
  const { name, max, ttlMs, tagsOf, metrics } = options;
  const values = new LRUCache<string, Kept>({ ...entryLimit(max), ttl: ttlMs });
  const count = metrics?.cache(name, () => values.size) ?? { hit: 0, miss: 0, shared: 0 };
  const store: Store<Kept> = { values, loads: new Map(), count };
  const { loads } = store;

  function cached(key: string, load: () => Promise<Value>): Promise<Value> {
    const value = peek(store, key);
    if (value !== undefined) return Promise.resolve(value);
    const inProgress = loads.get(key) as Promise<Value> | undefined;
    if (inProgress !== undefined) {
      count.shared += 1;
      return countWait(inProgress);
    }
    count.miss += 1;
    const loading = load();
    begin(store, key, loading as Promise<Kept | null | undefined>);
    return loading;
  }

  return Object.assign(cached, {
    peek: (key: string) => peek(store, key),
    many: (keys: readonly string[], load: (missing: string[]) => Promise<ReadonlyMap<string, Kept>>) =>
      readMany(store, keys, load),
    forget(key: string): void {
      values.delete(key);
      loads.delete(key);
    },
    forgetTag(tag: string): void {
      for (const [key, value] of values.entries()) if (tagsOf?.(value).includes(tag)) values.delete(key);
      loads.clear(); // the tags of their results are not known yet
    },
    clear(): void {
      values.clear();
      loads.clear();
    },
  });
}

function peek<Kept extends {}>({ values, count }: Store<Kept>, key: string): Kept | undefined {
  const value = values.get(key);
  if (value !== undefined) count.hit += 1;
  return value;
}

/** Caches the result of a load, unless the key has been invalidated meanwhile. */
function begin<Kept extends {}>(
  { values, loads }: Store<Kept>,
  key: string,
  load: Promise<Kept | null | undefined>,
): void {
  loads.set(key, load);
  const isCurrent = () => loads.get(key) === load && loads.delete(key);
  load.then(
    (value) => {
      if (isCurrent() && value != null) values.set(key, value);
    },
    () => void isCurrent(),
  );
}

async function readMany<Kept extends {}>(
  store: Store<Kept>,
  keys: readonly string[],
  load: (missing: string[]) => Promise<ReadonlyMap<string, Kept>>,
): Promise<Map<string, Kept>> {
  const { loads, count } = store;
  const found = new Map<string, Kept>();
  const waits: Promise<void>[] = [];
  const missing: string[] = [];
  const take = (key: string, loading: Promise<Kept | null | undefined>) =>
    waits.push(loading.then((value) => void (value != null && found.set(key, value))));
  for (const key of new Set(keys)) {
    const value = peek(store, key);
    const inProgress = loads.get(key);
    if (value !== undefined) {
      found.set(key, value);
    } else if (inProgress !== undefined) {
      count.shared += 1;
      take(key, countWait(inProgress));
    } else {
      count.miss += 1;
      missing.push(key);
    }
  }
  if (missing.length > 0) {
    const all = load(missing);
    for (const key of missing) {
      const one = all.then((values) => values.get(key));
      begin(store, key, one);
      take(key, one);
    }
  }
  await Promise.all(waits);
  return found;
}
