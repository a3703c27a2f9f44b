// Bounds the size of a response before it is serialized: serializing blocks everybody else.
import type { ExecutionResult } from 'graphql';
import { tooComplex } from './document-limits.js';

/**
 * Replaces the data of a response of more than `limit` bytes by an error. Counts the characters of keys and values, which is
 * never more than the bytes of the JSON text, and stops at the limit.
 */
export function limitSize(result: ExecutionResult, limit: number): ExecutionResult {
  if (result.data == null || measure(result.data, limit) <= limit) return result;
  const error = tooComplex(
    `The response has more than ${limit.toLocaleString('en')} bytes. Ask for smaller pages or fewer long texts.`,
  );
  return { errors: [error], data: null };
}

/** Characters of a value as JSON, at least; any number above `limit` when there are more. */
function measure(value: unknown, limit: number): number {
  let size = 0;
  const stack: unknown[] = [value];
  while (stack.length > 0 && size <= limit) {
    const next = stack.pop();
    if (typeof next === 'string') size += next.length + 2;
    else if (typeof next !== 'object' || next === null) size += 4;
    else if (Array.isArray(next)) {
      size += next.length + 1;
      for (const item of next) stack.push(item);
    } else
      for (const key in next) {
        size += key.length + 4;
        stack.push((next as Record<string, unknown>)[key]);
      }
  }
  return size;
}
