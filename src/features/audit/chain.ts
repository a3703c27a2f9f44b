// The hash chain over the audit trail: its input and its hash, in one place for sealing and verifying. It reads nothing.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { raw } from '../../infra/postgres/sql.js';

/** Bytes of a SHA-256. */
export const hashBytes = 32;
/** The hash that the first seal follows. */
export const noHash = Buffer.alloc(hashBytes);

/** An event as it is hashed: every column as text in one fixed form. */
export interface ChainEvent {
  number: string;
  id: string;
  at: string;
  action: string;
  outcome: string;
  actorId: string | null;
  actorLabel: string;
  targetType: string | null;
  targetId: string | null;
  ip: string | null;
  userAgent: string | null;
  correlationId: string;
  changes: string | null;
}

/** A seal without its own hash. Numbers are decimal text, as they may pass 2^53. */
export interface SealBody {
  number: string;
  afterEvent: string;
  lastEvent: string;
  firstEventId: string;
  lastEventId: string;
  /** SHA-256 of each event, one after the other. */
  eventHashes: Buffer;
  sealedAt: string;
  previousHash: Buffer;
}

export interface Seal extends SealBody {
  hash: Buffer;
  signature: Buffer | null;
}

/** jsonb prints in one form, and so does to_char, independently of the session's settings. */
const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Select list of a {@link ChainEvent}. */
export const eventColumns = raw(`number::text AS "number", id::text AS "id", ${utc('at')} AS "at", action,
  outcome::text AS "outcome", actor_id::text AS "actorId", actor_label AS "actorLabel", target_type AS "targetType",
  target_id::text AS "targetId", ip, user_agent AS "userAgent", correlation_id AS "correlationId", changes::text AS "changes"`);

/** Select list of a {@link Seal}. */
export const sealColumns = raw(`number::text AS "number", after_event::text AS "afterEvent",
  last_event::text AS "lastEvent", first_event_id::text AS "firstEventId", last_event_id::text AS "lastEventId",
  event_hashes AS "eventHashes", ${utc('sealed_at')} AS "sealedAt", previous_hash AS "previousHash", hash, signature`);

/** SHA-256 of one event: of a JSON list, so that no text can pass for the border between two columns. */
export function hashEvent(event: ChainEvent): Buffer {
  const { number, id, at, action, outcome, actorId, actorLabel, targetType, targetId } = event;
  const { ip, userAgent, correlationId, changes } = event;
  const columns = [number, id, at, action, outcome, actorId, actorLabel, targetType, targetId];
  return sha256(JSON.stringify(['event-1', ...columns, ip, userAgent, correlationId, changes]));
}

/** SHA-256 of a seal, over everything it says and the hash of the one before it. */
export function hashSeal(seal: SealBody): Buffer {
  const { number, afterEvent, lastEvent, firstEventId, lastEventId, sealedAt } = seal;
  const events = sha256(seal.eventHashes).toString('hex');
  const columns = [number, afterEvent, lastEvent, firstEventId, lastEventId, sealedAt, events];
  return sha256(JSON.stringify(['seal-1', ...columns, seal.previousHash.toString('hex')]));
}

/** HMAC-SHA-256 of a seal's hash: a writer to the database without the key cannot forge the chain. */
export function signSeal(hash: Buffer, key: string): Buffer {
  return createHmac('sha256', key).update('audit-seal-1').update(hash).digest();
}

/** Compares without telling by its time where two hashes differ. */
export function isSame(first: Buffer, second: Buffer): boolean {
  return first.length === second.length && timingSafeEqual(first, second);
}

/** Cuts a seal's event hashes apart. */
export function splitHashes(hashes: Buffer): Buffer[] {
  return Array.from({ length: hashes.length / hashBytes }, (_, index) =>
    hashes.subarray(index * hashBytes, (index + 1) * hashBytes),
  );
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}
