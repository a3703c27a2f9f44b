// Finds out at the start whether a pooler such as PgBouncer lends connections, and refuses modes that would mix statements up.
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { openClient } from './open.js';
import { targetOf } from './target.js';

/** How connections of PostgreSQL are lent: not at all, for a session, or for a transaction. */
export type Pooling = 'none' | 'session' | 'transaction';

const advice = {
  statement: 'set pool_mode = transaction (with max_prepared_statements) or session in pgbouncer.ini',
  unnamed:
    'PgBouncer 1.21 or newer: set max_prepared_statements = 200 in pgbouncer.ini; older: set pool_mode = session',
  small:
    'set default_pool_size in pgbouncer.ini to more than DATABASE_POOL_MAX times the number of instances',
};

const rounds = 4;

/**
 * Detects a pooler by what it does: it gives a client another process number than PostgreSQL's.
 * @param timeoutMs longest time that each connection, and each answer, may take
 * @throws Error in words that say what to set, when its mode does not work
 */
export async function detectPooling(url: string, timeoutMs: number): Promise<Pooling> {
  const first = await openRaw(url, timeoutMs);
  try {
    if ((await backendOf(first)) === processIdOf(first)) return 'none';
    const second = await openSecond(url, timeoutMs);
    try {
      if (!(await isLentByTransaction(first, second))) return 'session';
      await assertRenames(first);
      targetOf(url).isShared = true;
      return 'transaction';
    } finally {
      await second.end().catch(() => {});
    }
  } finally {
    await first.end().catch(() => {});
  }
}

const openRaw = (url: string, timeoutMs: number): Promise<pg.Client> =>
  openClient(url, { connectTimeoutMs: timeoutMs, answerTimeoutMs: timeoutMs, isRaw: true });

async function openSecond(url: string, timeoutMs: number): Promise<pg.Client> {
  try {
    const client = await openRaw(url, timeoutMs);
    // A pooler lends a connection of PostgreSQL with the first statement only.
    await client.query('SELECT 1');
    return client;
  } catch (error) {
    throw new Error(`The pooler has no second connection: ${advice.small}.`, { cause: error });
  }
}

/** While one client holds a connection in a transaction, a session of another keeps the connection that it has. */
async function isLentByTransaction(first: pg.Client, second: pg.Client): Promise<boolean> {
  const own = await backendOf(first);
  for (let round = 0; round < rounds; round += 1) {
    await second.query('BEGIN').catch((error: Error) => {
      if (/statement pooling/i.test(error.message))
        throw new Error(`The pooler is in statement mode, without transactions: ${advice.statement}.`);
      throw error;
    });
    const held = await backendOf(second);
    const later = await backendOf(first);
    await second.query('COMMIT');
    if (held === own || later !== own) return true;
  }
  return false;
}

/** A pooler that supports prepared statements gives them names of its own; else one client would run another's. */
async function assertRenames(client: pg.Client): Promise<void> {
  // A name of its own: PostgreSQL's connections outlive the start that has used them.
  const name = `st_probe_${randomUUID()}`;
  const { rows } = await client.query<{ name: string }>({
    name,
    text: `SELECT name FROM pg_prepared_statements WHERE name = '${name}'`,
  });
  if (rows.length === 0) return;
  await client.query(`DEALLOCATE "${name}"`).catch(() => {});
  throw new Error(`The pooler is in transaction mode without prepared statements: ${advice.unnamed}.`);
}

async function backendOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

/** The number that the other side gave at the start, for cancelling; @types/pg leaves it out. */
const processIdOf = (client: pg.Client): unknown => (client as pg.Client & { processID?: number }).processID;
