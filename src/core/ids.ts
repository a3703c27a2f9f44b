// Creates and parses public ids: a prefix that names the type, then the row's UUIDv7.
import { hash } from 'node:crypto';
import { v7 } from 'uuid';

/** Prefix of each type's public id. */
export const idPrefixes = {
  User: 'usr',
  UserIdentity: 'idn',
  Session: 'ses',
  ApiKey: 'key',
  TestExecution: 'exe',
  TestResult: 'res',
  ExecutionEvent: 'evt',
  AuditEvent: 'aud',
  Project: 'prj',
  Finding: 'fnd',
  Import: 'imp',
  Webhook: 'whk',
  WebhookDelivery: 'whd',
  GroupMapping: 'gmp',
  Mail: 'mai',
  WorkloadTrust: 'wtr',
  ScimToken: 'sct',
  ScimGroup: 'grp',
  Passkey: 'pky',
} as const;

export type IdType = keyof typeof idPrefixes;

const typeOfPrefix = new Map<string, IdType>(
  Object.entries(idPrefixes).map(([type, prefix]) => [prefix, type as IdType]),
);
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Random bytes for many ids at once: asking the system for each takes longer than making it. */
const pool = new Uint8Array(16 * 256);
const words = new DataView(pool.buffer);
let used = pool.length;
let last = { ms: 0, seq: 0 };

/** A new row id: UUIDv7 (RFC 9562), so that id order is time order; monotonic within the process. */
export function newId(): string {
  const random = nextRandom();
  const now = Date.now();
  // A counter that begins anywhere in its first half; once it is used up it lends from the next millisecond.
  if (now > last.ms) last = { ms: now, seq: words.getUint32(random.byteOffset) >>> 2 };
  else if (last.seq < maxSeq) last.seq += 1;
  else last = { ms: last.ms + 1, seq: 0 };
  return v7({ random, msecs: last.ms, seq: last.seq });
}
const maxSeq = 0x7fffffff;

/** A UUIDv7 of a moment whose counter is given: among ids of the same moment it is the order. @param seq below 2^32 */
export function idAt(ms: number, seq: number): string {
  return v7({ random: nextRandom(), msecs: ms, seq });
}

function nextRandom(): Uint8Array {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += 16;
  return pool.subarray(used - 16, used);
}

/** A UUID of the first 128 bits of a text's SHA-256. */
export function uuidOf(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** When a UUIDv7 was made. */
export function momentOf(uuid: string): Date {
  return new Date(Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16));
}

/** The smallest UUIDv7 of a moment: `id >= idFloor(t)` is `created at or after t`. */
export function idFloor(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0').slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** Public id of a row, for example `exe_0192…`. */
export function toPublicId(type: IdType, uuid: string): string {
  return `${idPrefixes[type]}_${uuid}`;
}

/** Reads a public id of any type; null when it is none. */
export function parsePublicId(id: string): { type: IdType; uuid: string } | null {
  const type = typeOfPrefix.get(id.slice(0, 3));
  const uuid = id.slice(4);
  return type !== undefined && id[3] === '_' && uuidPattern.test(uuid) ? { type, uuid } : null;
}

/** Whether the text is a UUID in canonical lower case. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}
