// Limits caches of many small entries, which LRUCache would otherwise allocate room for when it is created.

/**
 * Limits a cache to a number of entries. `max` does so too, but allocates about 24 bytes for each of them at once, which a
 * server that few people use never fills.
 * @param count entries at most; the least recently used one is dropped
 * @returns options of LRUCache
 */
export function entryLimit(count: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: count, sizeCalculation: one };
}

const one = () => 1;
