// The removal worker: removes what is deleted piece by piece in the background, on one instance at a time, and starts again
// where a killed process stopped.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { BulkOptions } from '../../infra/postgres/bulk/connection.js';
import {
  type BulkTransactions,
  isRetryable,
  openBulkTransactions,
} from '../../infra/postgres/bulk/transaction.js';
import type { Database } from '../../infra/postgres/database.js';
import { codeOf } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Unmerging } from '../finding/runs/unmerge.js';
import { type Piece, type Position, removePiece } from './removal-pieces.js';

/** Dependencies of the worker. */
export interface RemovalWorkerOptions {
  db: Database;
  bulk: BulkOptions;
  events: Events;
  unmerging: Unmerging;
  log: Logger;
}

interface DeletedProject {
  id: string;
  key: string;
}

const everyMs = 1000;
/** Deleted projects of a turn. */
const batchSize = 100;
/** Time that a piece should take; its size follows from the time of the one before. */
const pieceMs = 40;
const sizes = { first: 500, least: 50, most: 5000 };
const lockNotAvailable = '55P03';

/** Removes what is deleted. */
export type RemovalWorker = ReturnType<typeof createRemovalWorker>;

/** Creates the worker. */
export function createRemovalWorker(options: RemovalWorkerOptions) {
  const counts = { removed: 0, waiting: 0 };
  let turn: Promise<void> | undefined;
  let isWanted = false;
  let isStopped = true;

  const runTurn = async (): Promise<void> => {
    const deleted = await options.db.read<DeletedProject>(sql`
      SELECT id, key FROM projects WHERE deleted_at IS NOT NULL ORDER BY deleted_at, id LIMIT ${batchSize}`);
    counts.waiting = deleted.length;
    if (deleted.length === 0) return;
    const transactions = await openBulkTransactions(options.bulk);
    try {
      for (const project of deleted) {
        const isDone = await removeAll(options, transactions, project, counts, () => isStopped);
        if (isDone) counts.waiting -= 1;
      }
    } finally {
      await transactions.close();
    }
  };
  const wake = (): void => {
    isWanted = true;
    if (isStopped || turn !== undefined) return;
    turn = (async () => {
      while (isWanted && !isStopped) {
        isWanted = false;
        await runTurn();
      }
    })()
      .catch((error: unknown) => options.log.warn({ event: 'removal_failed', err: error }))
      .finally(() => {
        turn = undefined;
      });
  };
  return {
    wake,
    /** Rows that this process has removed. */
    removed: () => counts.removed,
    /** Deleted projects and executions that wait for their removal, at most 100, as of the last turn. */
    waiting: () => counts.waiting,

    /** Looks for deleted rows every second from now on; returns a function that stops after the piece that is under way. */
    start(): () => Promise<void> {
      isStopped = false;
      const timer = setInterval(wake, everyMs);
      return async () => {
        isStopped = true;
        clearInterval(timer);
        await turn;
      };
    },
  };
}

/** @returns whether all rows are gone; otherwise a later turn goes on */
async function removeAll(
  { unmerging, events, log }: RemovalWorkerOptions,
  transactions: BulkTransactions,
  { id, key }: DeletedProject,
  counts: { removed: number },
  isStopped: () => boolean,
): Promise<boolean> {
  const position: Position = {};
  let size = sizes.first;
  let rows = 0;
  while (!isStopped()) {
    const startedAt = performance.now();
    const piece = await transactions
      .run((tx) => removePiece(tx, unmerging, id, position, size))
      .catch(busyUnlessFault);
    const ms = performance.now() - startedAt;
    if (piece.rows > 0)
      size = Math.round(Math.min(sizes.most, Math.max(sizes.least, (size * pieceMs) / Math.max(ms, 1))));
    rows += piece.rows;
    counts.removed += piece.rows;
    if (piece.outcome === 'BUSY') return false;
    if (piece.outcome === 'DONE') {
      events.publish('project.changed', { projectId: id });
      log.info({ event: 'rows_removed', project: key, rows });
      return true;
    }
    await sleep(1); // others get their turn between two pieces
  }
  return false;
}

/** Locks that others hold, and deadlocks with them, are no faults: a later turn tries again. */
function busyUnlessFault(error: unknown): Piece {
  if (codeOf(error) === lockNotAvailable || isRetryable(error)) return { outcome: 'BUSY', rows: 0 };
  throw error;
}
