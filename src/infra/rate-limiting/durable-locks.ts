// Locks after failed attempts in PostgreSQL, so that an emptied, replaced or write-refusing Redis lifts none.
import { LRUCache } from 'lru-cache';
import type { Database } from '../postgres/database.js';
import { sql } from '../postgres/sql.js';

/** A lock as it is stored. */
export interface DurableLock {
  failed: number;
  /** Milliseconds since 1970. */
  lockedUntil: number;
}

/** Reads and writes locks of one name. */
export interface DurableLocks {
  /** The lock of a key, stored by any instance; undefined where there is none. */
  read: (key: string) => Promise<DurableLock | undefined>;
  /** Stores a lock; an earlier one that lasts longer stays. */
  write: (key: string, lock: DurableLock) => Promise<void>;
  /** Lifts a lock. */
  lift: (key: string) => Promise<void>;
}

/** Time that expired locks are kept: their count of failures makes the next lock longer. */
const memorySeconds = 12 * 60 * 60;

/** Creates the locks of one name. Reading costs one indexed statement per attempt, beside the hash of a password. */
export function createDurableLocks(db: Pick<Database, 'query' | 'read'>, name: string): DurableLocks {
  // Lets one writer in a hundred remove what has expired.
  const swept = new LRUCache<string, true>({ max: 1, ttl: 60_000 });
  return {
    async read(key) {
      const [row] = await db.read<{ failed: number; lockedUntil: string }>(sql`
        SELECT failed, locked_until AS "lockedUntil" FROM attempt_locks WHERE name = ${name} AND key = ${key}`);
      return row && { failed: row.failed, lockedUntil: Date.parse(row.lockedUntil) };
    },
    async write(key, { failed, lockedUntil }) {
      await db.query(sql`
        INSERT INTO attempt_locks (name, key, failed, locked_until)
        VALUES (${name}, ${key}, ${failed}, ${new Date(lockedUntil)})
        ON CONFLICT (name, key) DO UPDATE SET failed = GREATEST(attempt_locks.failed, excluded.failed),
          locked_until = GREATEST(attempt_locks.locked_until, excluded.locked_until)`);
      if (swept.has(name)) return;
      swept.set(name, true);
      await db.query(sql`
        DELETE FROM attempt_locks
        WHERE name = ${name} AND locked_until < now() - make_interval(secs => ${memorySeconds})`);
    },
    async lift(key) {
      await db.query(sql`DELETE FROM attempt_locks WHERE name = ${name} AND key = ${key}`);
    },
  };
}
