// The connections to one standby, for as long as it stays the same server.
import type pg from 'pg';
import type { Sql } from 'sql-template-tag';
import { detectPooling } from '../connection/pooler.js';
import { createConnections, type Reads } from '../connection/server.js';
import { startOf } from '../connection/settings.js';
import type { PoolOptions } from '../pool.js';
import { type CatchUp, createCatchUp } from './catch-up.js';
import { type Position, type Standby, selectPosition, selectReplayed, selectStandby } from './position.js';

/** A standby that is connected. */
export interface Contact {
  url: string;
  /** Whether a pooler lends connections by the transaction. */
  isShared: boolean;
  /** See {@link startOf}; undefined before the first connection. */
  startedAt: () => string | undefined;
  /** The timeline that it shares with the primary; 0 before it was looked at. */
  timeline: number;
  catchUp: CatchUp;
  busy: () => number;
  identify: () => Promise<Standby | undefined>;
  /** Runs work until {@link abandon}. @throws Error when the contact is given up */
  whileThere: <T>(work: Promise<T>) => Promise<T>;
  run: <Row>(kind: keyof Reads, statement: Sql) => Promise<Row[]>;
  /** Fails what is under way and closes the connections. */
  abandon: () => Promise<void>;
}

/**
 * Connects to a standby. Its connections lead to one server: a name that stands for several would mix their positions up.
 * @param answerMs longest time that it may take to connect, and the primary to tell its position
 * @throws Error when it cannot be reached, or a pooler between has a mode that cannot be used
 */
export async function connectStandby(
  options: PoolOptions,
  primary: Reads,
  waitMs: number,
  answerMs: number,
): Promise<Contact> {
  const { url } = options;
  const pooling = await detectPooling(url, answerMs);
  const server = sameServerOnly(answerMs);
  const verify = (client: pg.ClientBase) => {
    catchUp.forget();
    return server.verify(client);
  };
  const connections = createConnections({ ...options, verify });
  const { reads } = connections;
  const catchUp = createCatchUp({
    askPrimary: async () => (await primary.read<Position>(selectPosition))[0] as Position,
    answerMs,
    askStandby: () => askReplayed(reads),
    waitMs,
    mayRemember: pooling === 'none',
  });
  const underWay = new Set<(error: Error) => void>();

  const whileThere = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      underWay.add(reject);
      work.then(resolve, reject).finally(() => underWay.delete(reject));
    });

  return {
    url,
    isShared: pooling === 'transaction',
    startedAt: server.startedAt,
    timeline: 0,
    catchUp,
    busy: connections.busy,
    identify: async () => (await reads.read<Standby>(selectStandby))[0],
    whileThere,
    run: <Row>(kind: keyof Reads, statement: Sql) => whileThere(reads[kind]<Row>(statement)),
    abandon() {
      for (const reject of underWay) reject(new Error('the replica was given up'));
      return connections.close();
    },
  };
}

async function askReplayed(reads: Reads): Promise<number> {
  const [row] = await reads.read<{ position: number }>(selectReplayed);
  if (row === undefined) throw new Error('it is not in recovery');
  return row.position;
}

/** Refuses connections to another server than the first one led to. */
function sameServerOnly(timeoutMs: number) {
  let first: string | undefined;
  return {
    startedAt: () => first,
    async verify(client: pg.ClientBase): Promise<void> {
      const startedAt = await startOf(client, timeoutMs);
      first ??= startedAt;
      if (startedAt !== first) throw new Error('it leads to another server than before');
    },
  };
}
