// Seals the audit trail while the server runs: one instance at a time, without holding up those who write to it.
import type { Logger } from 'pino';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import {
  type ChainEvent,
  eventColumns,
  hashEvent,
  hashSeal,
  isSame,
  noHash,
  type Seal,
  sealColumns,
  sealLock,
  signSeal,
} from './chain.js';

interface SealServiceOptions {
  db: Database;
  log: Logger;
  now: () => number;
  everySeconds: number;
  /** Signs the seals; without it they are hashed only. */
  key: string | undefined;
}

/** Most events of one seal: what is held in memory at a time. */
const eventsMax = 1000;

/** The highest number that could be seen, and a transaction that began after all who hold lower ones. */
interface Mark {
  lastEvent: string;
  transactionId: string;
}

export type SealService = ReturnType<typeof createSealService>;

export function createSealService({ db, log, now, everySeconds, key }: SealServiceOptions) {
  let mark: Mark | undefined;
  let head: Pick<Seal, 'number' | 'hash'> | undefined;

  async function lastSeal(tx: Transaction): Promise<Seal | undefined> {
    const [seal] = await tx.query<Seal>(
      sql`SELECT ${sealColumns} FROM audit_seals ORDER BY audit_seals.number DESC LIMIT 1`,
    );
    return seal;
  }

  /** What this instance has seen sealed must still be there: the end of the chain is what nothing follows. */
  async function isIntact(tx: Transaction): Promise<boolean> {
    if (head === undefined) return true;
    const [kept] = await tx.query<{ hash: Buffer }>(
      sql`SELECT hash FROM audit_seals WHERE number = ${head.number}::bigint`,
    );
    return kept !== undefined && isSame(kept.hash, head.hash);
  }

  async function write(tx: Transaction, previous: Seal | undefined, upTo: string): Promise<Seal | undefined> {
    const afterEvent = previous?.lastEvent ?? '0';
    const events = await tx.query<ChainEvent>(sql`
      SELECT ${eventColumns} FROM audit_events
      WHERE audit_events.number > ${afterEvent}::bigint AND audit_events.number <= ${upTo}::bigint
      ORDER BY audit_events.number LIMIT ${eventsMax}`);
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const [next] = await tx.query<{ number: string }>(
      sql`SELECT nextval('audit_seals_number_seq')::text AS number`,
    );
    const body = {
      number: next?.number ?? '',
      afterEvent,
      lastEvent: last.number,
      firstEventId: first.id,
      lastEventId: last.id,
      eventHashes: Buffer.concat(events.map(hashEvent)),
      sealedAt: new Date(now()).toISOString(),
      previousHash: previous?.hash ?? noHash,
    };
    const hash = hashSeal(body);
    const signature = key === undefined ? null : signSeal(hash, key);
    await tx.query(sql`
      INSERT INTO audit_seals (number, after_event, last_event, first_event_id, last_event_id, event_hashes, sealed_at,
        previous_hash, hash, signature)
      VALUES (${body.number}::bigint, ${afterEvent}::bigint, ${body.lastEvent}::bigint, ${first.id}, ${last.id},
        ${body.eventHashes}, ${body.sealedAt}, ${body.previousHash}, ${hash}, ${signature})`);
    const seal = { ...body, hash, signature };
    // The log leaves this machine: a copy of the chain's end that who changes the database cannot reach.
    tx.afterCommit(() => {
      head = { number: seal.number, hash };
      const range = { afterEvent, lastEvent: seal.lastEvent, events: events.length };
      log.info({ event: 'audit_sealed', seal: seal.number, hash: hash.toString('hex'), ...range });
    });
    return seal;
  }

  /** Whether all who hold a number up to the mark's have ended, so that nothing can come in below it any more. */
  async function isSettled(tx: Transaction, { transactionId }: Mark): Promise<boolean> {
    const [row] = await tx.query<{ isSettled: boolean }>(sql`
      SELECT pg_snapshot_xmin(pg_current_snapshot()) > ${transactionId}::xid8 AS "isSettled"`);
    return row?.isSettled === true;
  }

  async function setMark(tx: Transaction, sealedUpTo: string): Promise<void> {
    const [highest] = await tx.query<{ lastEvent: string }>(
      sql`SELECT number::text AS "lastEvent" FROM audit_events ORDER BY audit_events.number DESC LIMIT 1`,
    );
    if (highest === undefined || BigInt(highest.lastEvent) <= BigInt(sealedUpTo)) return;
    // In a statement of its own: it must come after the look at the numbers.
    const [own] = await tx.query<{ transactionId: string }>(
      sql`SELECT pg_current_xact_id()::text AS "transactionId"`,
    );
    tx.afterCommit(() => {
      mark = { lastEvent: highest.lastEvent, transactionId: own?.transactionId ?? '' };
    });
  }

  /**
   * Seals what was marked the last time and is settled by now, and marks what has come since.
   * @returns the number of events sealed; another instance at it: none
   */
  async function seal(): Promise<number> {
    return db.transaction(async (tx) => {
      const [lock] = await tx.query<{ isMine: boolean }>(
        sql`SELECT pg_try_advisory_xact_lock(${sealLock}) AS "isMine"`,
      );
      if (lock?.isMine !== true) return 0;
      if (!(await isIntact(tx))) {
        log.error({ event: 'audit_chain_broken', seal: head?.number }, 'a seal was changed or removed');
        return 0;
      }
      let last = await lastSeal(tx);
      let count = 0;
      if (mark !== undefined) {
        if (!(await isSettled(tx, mark))) return 0;
        for (;;) {
          const written = await write(tx, last, mark.lastEvent);
          if (written === undefined) break;
          last = written;
          count += written.eventHashes.length / noHash.length;
        }
      }
      await setMark(tx, last?.lastEvent ?? '0');
      return count;
    });
  }

  return {
    seal,

    /** Seals every so many seconds from now on; returns how to stop. */
    startSealer(): () => Promise<void> {
      let turn: Promise<unknown> = Promise.resolve();
      let isIdle = true;
      const timer = setInterval(() => {
        if (!isIdle) return;
        isIdle = false;
        turn = seal()
          .catch((error: unknown) => log.warn({ event: 'sealer_failed', err: error }))
          .finally(() => {
            isIdle = true;
          });
      }, everySeconds * 1000);
      return async () => {
        clearInterval(timer);
        await turn;
      };
    },
  };
}
