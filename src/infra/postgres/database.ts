// The database as services see it: plain SQL and transactions on one pool, and Prisma's client over the same pool.
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../../generated/prisma/client.js';
import { createConnections, type Reads } from './connection/server.js';
import type { PoolOptions } from './pool.js';
import { readsOfLists } from './replica/lists.js';
import { createReplica, type Replica, type ReplicaOptions } from './replica/replica.js';
import { createTransactions, type RunTransaction } from './transaction.js';

export type { Reads } from './connection/server.js';
export type { Statements, Transaction } from './transaction.js';

/** Rows of plain SQL: timestamps are RFC 3339 text, so that they are not parsed only to be printed. */
export type SqlRow<Model> = {
  [Key in keyof Model]: Model[Key] extends Date
    ? string
    : Model[Key] extends Date | null
      ? string | null
      : Model[Key];
};

/** The database as services see it. */
export interface Database extends Reads {
  /** Prisma's typed client over the same pool, for entities that are not hot. */
  prisma: PrismaClient;
  /**
   * Reads of lists, statistics and exports: on the replica where there is one and it shows everything that was committed
   * before, else on the primary (docs/adr/0028).
   */
  lists: Reads;
  /** Absent without DATABASE_READ_URL. */
  replica: Replica | undefined;
  /**
   * Runs work in one transaction (READ COMMITTED), again after a deadlock, up to three times.
   * @throws UNAVAILABLE as {@link query} does
   */
  transaction: RunTransaction;
  /** Connections at this moment: open, idle, the limit, and the requests that wait for one. */
  poolState(): { total: number; idle: number; waiting: number; max: number };
  close(): Promise<void>;
}

/** Opens the pool, and one on the replica; both connect on first use. */
export function createDatabase(options: PoolOptions & { replica?: ReplicaOptions | undefined }): Database {
  const { pool, run, reads, poolState, ...primary } = createConnections(options);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const replica =
    options.replica && createReplica({ ...options, ...options.replica, primary: { reads, ...primary } });
  return {
    prisma,
    ...reads,
    lists: replica === undefined ? reads : readsOfLists(reads, replica),
    replica,
    transaction: createTransactions(pool, run, options.metrics),
    poolState,
    async close() {
      await Promise.all([replica?.close(), prisma.$disconnect()]);
      await primary.close();
    },
  };
}
