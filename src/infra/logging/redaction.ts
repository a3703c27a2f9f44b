// Keeps secrets, and characters that would break or forge lines, out of the log. logger.ts applies it to every line.
import { isNativeError } from 'node:util/types';

const secretNames = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'currentpassword',
  'newpassword',
  'adminpassword',
  'passwordhash',
  'accesstoken',
  'refreshtoken',
  'token',
  'apikey',
  'secret',
  'code',
  'databaseurl',
  'redisurl',
  'jwtsigningkeys',
]);

/** Replaces a secret. */
export const redacted = '[Redacted]';

/** Secrets that are recognised by their look, anywhere in a line: JWTs, API keys, SCIM tokens, password hashes, credentials in URLs. */
const secretLooks =
  /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|\bst[ks]_\w[\w-]{7,}|\$argon2\w*\$[^"\s\\]+|(?<=:\/\/[^\s"/:@]{0,100}:)[^\s"/@]+(?=@)/g;

const maxDepth = 6;
// DEL and C1 controls, line and paragraph separators, and marks that reorder text on a screen.
const unsafe = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const everyUnsafe = new RegExp(unsafe, 'g');

/**
 * Redacts fields with the name of a secret, in any case, from a value that is about to be logged. Errors become plain
 * objects with type, message, code, stack and the chain of causes. Values nested deeper than 6 levels are left out.
 *
 * @returns the same value when it holds no secret, otherwise a copy; the original is never changed
 */
export function redactSecrets(value: unknown): unknown {
  return redactWithin(value, maxDepth);
}

/**
 * Redacts secrets that are recognised by their look, in any field or sentence.
 *
 * @param text any text, also a line of JSON: the replacement needs no escaping
 * @returns the same text when it holds no secret
 */
export function redactLooks(text: string): string {
  return mayHoldSecret(text) ? text.replace(secretLooks, redacted) : text;
}

/** Whether a text holds a mark that every secret recognised by its look has. */
export function mayHoldSecret(text: string): boolean {
  return /eyJ|st[ks]_|\$argon2|@/.test(text);
}

/**
 * Escapes characters that JSON leaves as they are but terminals and log viewers obey: DEL, C1 controls, U+2028, U+2029 and
 * marks that reorder text. JSON itself escapes C0 controls, ESC among them.
 *
 * @param line JSON text
 * @returns JSON text with the same meaning
 */
export function escapeUnsafe(line: string): string {
  return unsafe.test(line) ? line.replace(everyUnsafe, unicodeEscape) : line;
}

/**
 * Escapes control characters once more, so that pretty-printing shows them as text instead of obeying them. Line breaks
 * and tabs are kept for stacks.
 *
 * @param line JSON text
 * @returns JSON text whose strings hold no control characters but line breaks and tabs
 */
export function escapeForTerminal(line: string): string {
  return escapeUnsafe(line).replace(/\\(?:u[0-9a-f]{4}|.)/g, (sequence) =>
    /^\\[urbf]/.test(sequence) ? `\\${sequence}` : sequence,
  );
}

function redactWithin(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // Errors of another realm (a worker, a VM) are not instances of this realm's Error.
  if (isNativeError(value) || value instanceof Error) return errorAsObject(value, depth);
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  if (depth === 0) return '[Deeper]';
  return Array.isArray(value) ? redactList(value, depth) : redactFields(value, depth);
}

function redactList(list: unknown[], depth: number): unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, item] of list.entries()) {
    const safe = redactWithin(item, depth - 1);
    if (safe === item) continue;
    copy ??= [...list];
    copy[index] = safe;
  }
  return copy ?? list;
}

function redactFields(fields: object, depth: number): object {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields)) {
    const field = (fields as Record<string, unknown>)[key];
    const safe = isSecret(key, field) ? redacted : redactWithin(field, depth - 1);
    if (safe === field) continue;
    copy ??= { ...fields };
    copy[key] = safe;
  }
  return copy ?? fields;
}

/** Verdicts on names of fields; nearly all names are the program's own. */
const cachedVerdicts = new Map<string, boolean>();
const maxCachedVerdicts = 1000;

function isSecret(name: string, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  let verdict = cachedVerdicts.get(name);
  if (verdict === undefined) {
    verdict = secretNames.has(name.toLowerCase());
    if (cachedVerdicts.size < maxCachedVerdicts) cachedVerdicts.set(name, verdict);
  }
  return verdict;
}

/** Keeps the code of an error, which names a fault (ECONNREFUSED, NOT_FOUND), and redacts its other fields. */
function errorAsObject(error: Error, depth: number): Record<string, unknown> {
  const { message, stack, cause } = error;
  const { code, ...fields } = error as Error & { code?: unknown };
  const type = error.constructor?.name || error.name;
  const plain: Record<string, unknown> = { type, message, code, stack };
  if (depth === 0) return plain;
  for (const [key, field] of Object.entries(redactFields(fields, depth))) plain[key] ??= field;
  if (cause !== undefined) plain.cause = redactWithin(cause, depth - 1);
  if (error instanceof AggregateError) plain.errors = redactList(error.errors, depth - 1);
  return plain;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
