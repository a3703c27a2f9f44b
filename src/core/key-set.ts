// A set of 64-bit keys in a few bytes each, to recognise repeated ones among millions.

/** A growing set of keys. */
export interface KeySet {
  /**
   * Adds the first 64 bits of a UUID that was made from a digest.
   * @returns whether they are new; two UUIDs with the same first 64 bits count as one
   */
  add(uuid: string): boolean;
  readonly size: number;
}

/** Creates a set: open addressing over two arrays, at most two thirds full. */
export function createKeySet(): KeySet {
  let capacity = 1024;
  let high = new Uint32Array(capacity);
  let low = new Uint32Array(capacity);
  let size = 0;

  const place = (highs: Uint32Array, lows: Uint32Array, a: number, b: number): number => {
    let slot = b & (highs.length - 1);
    while ((highs[slot] !== 0 || lows[slot] !== 0) && (highs[slot] !== a || lows[slot] !== b))
      slot = (slot + 1) & (highs.length - 1);
    return slot;
  };

  const grow = () => {
    const highs = new Uint32Array(capacity * 2);
    const lows = new Uint32Array(capacity * 2);
    for (let slot = 0; slot < capacity; slot += 1) {
      const [a, b] = [high[slot] as number, low[slot] as number];
      if (a === 0 && b === 0) continue;
      const to = place(highs, lows, a, b);
      highs[to] = a;
      lows[to] = b;
    }
    capacity *= 2;
    high = highs;
    low = lows;
  };

  return {
    add(uuid) {
      const a = Number.parseInt(uuid.slice(0, 8), 16);
      const b = Number.parseInt(uuid.slice(9, 13) + uuid.slice(14, 18), 16) || 1; // both zero marks a free slot
      const slot = place(high, low, a, b);
      if (high[slot] === a && low[slot] === b) return false;
      high[slot] = a;
      low[slot] = b;
      size += 1;
      if (size * 3 > capacity * 2) grow();
      return true;
    },
    get size() {
      return size;
    },
  };
}
