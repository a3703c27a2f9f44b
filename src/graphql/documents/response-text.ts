// Writes results as JSON text. A large one is written in turns of the event loop and stops at the limit on its size: one call of
// JSON.stringify for all of it would hold up everybody else.
import { setImmediate } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import { tooComplex } from './document-limits.js';

/** A response that may have more bytes than this is written in turns. */
export const largeBytes = 1_000_000;
/** Time that writing may take before others have their turn, in milliseconds. */
const turnMs = 8;
/** Units that are written at once: values, and 50 characters each. */
const maxUnits = 2000;

/** A result whose data is written. */
export interface WrittenResult {
  errors: ExecutionResult['errors'];
  /** The data as JSON; undefined where there is none, because the request was refused before it ran (GraphQL, 7.1). */
  text: string | undefined;
}

/** A result with its data and the text of it, as Yoga takes it. */
export type ResultWithText = ExecutionResult & { stringify: (result: ExecutionResult) => string };

/** Writes the data of a result in turns; of more than `limit` characters, an error in its place. */
export async function writeInTurns({ data, errors }: ExecutionResult, limit: number): Promise<WrittenResult> {
  if (data == null) return { errors, text: JSON.stringify(data) };
  const text = await stringifyInTurns(data, limit);
  if (text !== undefined) return { errors, text };
  const error = tooComplex(
    `The response has more than ${limit.toLocaleString('en')} bytes. Ask for smaller pages or fewer long texts.`,
  );
  return { errors: [error], text: 'null' };
}

/** The result with its text; one that is larger than `limit` without its data. */
export async function withText(result: ExecutionResult, limit: number): Promise<ResultWithText> {
  const { errors, text } = await writeInTurns(result, limit);
  const data = text === 'null' ? null : result.data;
  const written = text === undefined ? [] : [`"data":${text}`];
  const stringify = (sent: ExecutionResult) => {
    const listed = sent.errors === undefined ? [] : [`"errors":${JSON.stringify(sent.errors)}`];
    const extended = sent.extensions === undefined ? [] : [`"extensions":${JSON.stringify(sent.extensions)}`];
    return `{${[...listed, ...extended, ...written].join(',')}}`;
  };
  return {
    ...result,
    ...(errors !== undefined && { errors }),
    ...(data !== undefined && { data }),
    stringify,
  };
}

/** Whether the text of a result is written already. */
export function hasText(result: unknown): result is ResultWithText {
  return typeof (result as Partial<ResultWithText> | null)?.stringify === 'function';
}

/** @returns undefined for more than `limit` characters */
async function stringifyInTurns(value: unknown, limit: number): Promise<string | undefined> {
  const parts: string[] = [];
  let size = 0;
  let endMs = performance.now() + turnMs;
  for (const part of partsOf(value)) {
    parts.push(part);
    size += part.length;
    if (size > limit) return undefined;
    if (performance.now() < endMs) continue;
    await setImmediate();
    endMs = performance.now() + turnMs;
  }
  return parts.join('');
}

/** The text of a value in parts that are each written quickly; the same as JSON.stringify's. */
function* partsOf(value: unknown): Generator<string> {
  if (unitsOf(value, maxUnits) <= maxUnits || typeof value !== 'object' || value === null) {
    yield JSON.stringify(value);
    return;
  }
  if (Array.isArray(value)) {
    yield* partsOfList(value);
    return;
  }
  let before = '{';
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* partsOf(item);
    before = ',';
  }
  yield '}';
}

function* partsOfList(list: readonly unknown[]): Generator<string> {
  let before = '[';
  for (let from = 0; from < list.length; ) {
    yield before;
    before = ',';
    let to = from;
    let units = unitsOf(list[to], maxUnits);
    if (units > maxUnits) {
      yield* partsOf(list[from]);
      from += 1;
      continue;
    }
    while (units <= maxUnits && to < list.length) {
      to += 1;
      units += unitsOf(list[to], maxUnits);
    }
    yield JSON.stringify(list.slice(from, to)).slice(1, -1);
    from = to;
  }
  yield ']';
}

/** A rough size of the text to write; any number above `room` when it is more than that. */
function unitsOf(value: unknown, room: number): number {
  if (typeof value === 'string') return 1 + value.length / 50;
  if (typeof value !== 'object' || value === null) return 1;
  let units = 1;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length && units <= room; at += 1) units += unitsOf(value[at], room - units);
    return units;
  }
  for (const key in value) {
    units += unitsOf((value as Record<string, unknown>)[key], room - units);
    if (units > room) break;
  }
  return units;
}
