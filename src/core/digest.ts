// Digests inputs, to distinguish a repeated request from another one with the same key.
import { createHash } from 'node:crypto';

/** SHA-256 of a JSON value, independent of the order of its keys. */
export function digestOf(value: unknown): Buffer {
  return createHash('sha256').update(canonicalJson(value)).digest();
}

/** JSON with sorted keys; undefined properties are left out, as JSON.stringify does. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => {
    if (typeof child !== 'object' || child === null || Array.isArray(child)) return child;
    return Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
