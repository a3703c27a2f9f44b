// Notes when credentials were last used: at most once a minute each, beside the request.
import { LRUCache } from 'lru-cache';
import { entryLimit } from './entry-limit.js';
import type { Database } from './postgres/database.js';
import type { Sql } from './postgres/sql.js';

const everyMs = 60_000;

/**
 * Creates the function that notes a use. A lost note does no harm.
 * @param max credentials whose last note an instance remembers
 * @param update the statement that stores a time of use
 */
export function createUseNotes(
  { db, now }: { db: Database; now: () => number },
  max: number,
  update: (id: string, at: Date) => Sql,
): (id: string) => void {
  const notedAt = new LRUCache<string, number>(entryLimit(max));
  return (id) => {
    const at = now();
    if (at - (notedAt.get(id) ?? 0) < everyMs) return;
    notedAt.set(id, at);
    db.query(update(id, new Date(at))).catch(() => notedAt.delete(id));
  };
}
