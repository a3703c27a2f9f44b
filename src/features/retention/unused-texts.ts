// Removes texts of results that no result uses any more, once a day. An import that is about to use a text stores it first,
// which takes the mark of an unused one away; so a text goes only when no import from before its mark is under way.
import type { Logger } from 'pino';
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { BulkOptions } from '../../infra/postgres/bulk/connection.js';
import { type BulkTransactions, openBulkTransactions } from '../../infra/postgres/bulk/transaction.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** Dependencies of removing texts. */
export interface UnusedTextsOptions {
  bulk: BulkOptions;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

const firstMs = 600_000;
const everyMs = 86_400_000;
/** Time from the mark to the removal: servers' clocks may differ, and those of the version before take no mark away. */
const graceMs = everyMs;
/** Texts of a statement. */
const pieceSize = 1000;

/** Creates the job. */
export function createUnusedTexts(options: UnusedTextsOptions) {
  let removed = 0;
  const run = async (isStopped: () => boolean = () => false): Promise<number> => {
    const transactions = await openBulkTransactions(options.bulk);
    try {
      const count = await sweep(transactions, options.now(), isStopped);
      removed += count;
      if (count > 0) options.log.info({ event: 'texts_removed', texts: count });
      return count;
    } finally {
      await transactions.close();
    }
  };
  return {
    /** Marks unused texts, and removes the ones marked a day ago. @returns the number of removed ones */
    run,
    /** Number of texts that this process has removed. */
    removed: () => removed,
    /** Runs ten minutes from now, and then once a day; returns a function that stops after the piece that is under way. */
    start: () => start(options, run),
  };
}

type Run = ReturnType<typeof createUnusedTexts>['run'];

function start({ log }: UnusedTextsOptions, run: Run): () => Promise<void> {
  let isStopped = false;
  let turn: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const next = (ms: number) => {
    timer = setTimeout(() => {
      turn = run(() => isStopped)
        .catch((error: unknown) => log.warn({ event: 'texts_kept', err: error }))
        .finally(() => {
          if (!isStopped) next(everyMs);
        });
    }, ms).unref();
  };
  next(firstMs);
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    await turn;
  };
}

async function sweep(
  transactions: BulkTransactions,
  nowMs: number,
  isStopped: () => boolean,
): Promise<number> {
  // Before the look at the results: an import that has ended by now has its results seen.
  const before = await transactions.run((tx) => limitOf(tx, nowMs));
  const unused = await transactions.run(findUnused);
  let count = 0;
  for (let from = 0; from < unused.length && !isStopped(); from += pieceSize) {
    const ids = unused.slice(from, from + pieceSize);
    count += await transactions.run((tx) => removePiece(tx, ids, before, new Date(nowMs)));
  }
  return count;
}

/** Texts that were marked before this time are used by no import that is under way. */
async function limitOf(tx: Transaction, nowMs: number): Promise<string> {
  const [row] = await tx.query<{ before: string }>(sql`
    SELECT least(${new Date(nowMs - graceMs)}::timestamptz, min(created_at)) AS before FROM imports WHERE state = 'RUNNING'`);
  return row?.before ?? new Date(0).toISOString();
}

/** Reads all results once: an index of them by text would cost each import. */
async function findUnused(tx: Transaction): Promise<number[]> {
  const rows = await tx.query<{ id: number }>(sql`
    SELECT id FROM result_texts AS text WHERE NOT EXISTS (SELECT FROM test_results WHERE text_id = text.id) ORDER BY id`);
  return rows.map(({ id }) => id);
}

/** A text that an import has stored again since it was found has no mark: it is marked now, and not removed. */
async function removePiece(tx: Transaction, ids: number[], before: string, at: Date): Promise<number> {
  if (!(await tryLock(tx, lockKeys.unusedTexts))) return 0;
  const gone = await tx.query(sql`
    DELETE FROM result_texts WHERE id = ANY(${ids}::int[]) AND unused_at < ${before}::timestamptz RETURNING id`);
  await tx.query(
    sql`UPDATE result_texts SET unused_at = ${at} WHERE id = ANY(${ids}::int[]) AND unused_at IS NULL`,
  );
  return gone.length;
}
