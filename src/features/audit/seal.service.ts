// Seals the audit trail while the server runs: one instance at a time, without holding up its writers.
import type { Logger } from 'pino';
import { repeat } from '../../core/repeat.js';
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditHead } from './audit-head.js';
import {
  type ChainEvent,
  eventColumns,
  hashEvent,
  hashSeal,
  isSame,
  noHash,
  type Seal,
  sealColumns,
  signSeal,
} from './chain.js';

/** Dependencies of making seals. */
export interface SealServiceOptions {
  db: Database;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  everySeconds: number;
  /** Signs the seals; without it they are hashed only. */
  key: string | undefined;
  /** Keeps the end of the chain outside of the database. */
  keepHead: (head: AuditHead) => Promise<void>;
}

/** Most events of one seal, which are in memory at a time. */
const eventsMax = 1000;

/** The highest visible number, and a transaction that began after all transactions with lower numbers. */
interface Mark {
  lastEvent: string;
  transactionId: string;
}

/** The state of this instance between turns. */
interface Memory {
  mark: Mark | undefined;
  head: Pick<Seal, 'number' | 'hash'> | undefined;
}

/** Seals the trail. */
export type SealService = ReturnType<typeof createSealService>;

/** Creates the service. */
export function createSealService(options: SealServiceOptions) {
  const memory: Memory = { mark: undefined, head: undefined };
  const seal = () => sealSettled(options, memory);
  return {
    /**
     * Seals the events that the turn before marked and that are settled now, and marks the events since then.
     * @returns the number of sealed events; 0 while another instance seals
     */
    seal,

    /** Seals every `everySeconds` from now on; returns a function that stops it. */
    startSealer: () =>
      repeat(options.everySeconds * 1000, seal, (error) =>
        options.log.warn({ event: 'sealer_failed', err: error }),
      ),
  };
}

async function sealSettled(options: SealServiceOptions, memory: Memory): Promise<number> {
  const { db, log } = options;
  const sealed: Seal[] = [];
  const count = await db.transaction(async (tx) => {
    sealed.length = 0;
    if (!(await tryLock(tx, lockKeys.auditSeals))) return 0;
    if (!(await isIntact(tx, memory))) {
      log.error({ event: 'audit_chain_broken', seal: memory.head?.number }, 'a seal was changed or removed');
      return 0;
    }
    let last = await lastSeal(tx);
    if (memory.mark !== undefined) {
      if (!(await isSettled(tx, memory.mark))) return 0;
      for (;;) {
        const written = await writeSeal(options, memory, tx, last, memory.mark.lastEvent);
        if (written === undefined) break;
        last = written;
        sealed.push(written);
      }
    }
    await setMark(memory, tx, last?.lastEvent ?? '0');
    return sealed.reduce((sum, { eventHashes }) => sum + eventHashes.length / noHash.length, 0);
  });
  const last = sealed.at(-1);
  if (last !== undefined) await options.keepHead(headOf(last));
  return count;
}

function headOf({ number, hash, lastEvent, sealedAt }: Seal): AuditHead {
  return { seal: number, hash: hash.toString('hex'), lastEvent, sealedAt };
}

async function lastSeal(tx: Transaction): Promise<Seal | undefined> {
  const [seal] = await tx.query<Seal>(
    sql`SELECT ${sealColumns} FROM audit_seals ORDER BY audit_seals.number DESC LIMIT 1`,
  );
  return seal;
}

/** Whether the last seal that this instance saw is still there: nothing in the chain follows its end. */
async function isIntact(tx: Transaction, { head }: Memory): Promise<boolean> {
  if (head === undefined) return true;
  const [kept] = await tx.query<{ hash: Buffer }>(
    sql`SELECT hash FROM audit_seals WHERE number = ${head.number}::bigint`,
  );
  return kept !== undefined && isSame(kept.hash, head.hash);
}

/** @returns undefined when no event is left to seal */
async function writeSeal(
  { log, now, key }: SealServiceOptions,
  memory: Memory,
  tx: Transaction,
  previous: Seal | undefined,
  upTo: string,
): Promise<Seal | undefined> {
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
  tx.afterCommit(() => {
    memory.head = { number: seal.number, hash };
    const range = { afterEvent, lastEvent: seal.lastEvent, events: events.length };
    log.info({ event: 'audit_sealed', seal: seal.number, hash: hash.toString('hex'), ...range });
  });
  return seal;
}

/** Whether all transactions with numbers up to the mark's have ended, so that no lower number can appear. */
async function isSettled(tx: Transaction, { transactionId }: Mark): Promise<boolean> {
  const [row] = await tx.query<{ isSettled: boolean }>(sql`
    SELECT pg_snapshot_xmin(pg_current_snapshot()) > ${transactionId}::xid8 AS "isSettled"`);
  return row?.isSettled === true;
}

async function setMark(memory: Memory, tx: Transaction, sealedUpTo: string): Promise<void> {
  const [highest] = await tx.query<{ lastEvent: string }>(
    sql`SELECT number::text AS "lastEvent" FROM audit_events ORDER BY audit_events.number DESC LIMIT 1`,
  );
  if (highest === undefined || BigInt(highest.lastEvent) <= BigInt(sealedUpTo)) return;
  // In a statement of its own: the id must be taken after the look at the numbers.
  const [own] = await tx.query<{ transactionId: string }>(
    sql`SELECT pg_current_xact_id()::text AS "transactionId"`,
  );
  tx.afterCommit(() => {
    memory.mark = { lastEvent: highest.lastEvent, transactionId: own?.transactionId ?? '' };
  });
}
