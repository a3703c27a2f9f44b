// Public ids: a prefix that names the type, then the row's UUIDv7. Making and reading them, nothing else.
import { v7 } from 'uuid';

/** Prefix of each type's public id. */
export const idPrefixes = {
  User: 'usr',
  Session: 'ses',
  ApiKey: 'key',
  TestExecution: 'exe',
  TestResult: 'res',
  ExecutionEvent: 'evt',
  AuditEvent: 'aud',
} as const;

export type IdType = keyof typeof idPrefixes;

const typeOfPrefix = new Map<string, IdType>(
  Object.entries(idPrefixes).map(([type, prefix]) => [prefix, type as IdType]),
);
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A new row id: UUIDv7 (RFC 9562), so that id order is time order; monotonic within the process. */
export function newId(): string {
  return v7();
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
