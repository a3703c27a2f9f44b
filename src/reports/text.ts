// Texts of reports as the server can store them: well-formed, without NUL, of one line where that is asked, cut to a limit.

/** Control characters, line and paragraph separators, and bidirectional controls, which can disguise a name. */
const unsafeInLine = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]+/gu;

/** One line, trimmed and NFC, cut to `max` UTF-16 code units; null when nothing is left. */
export function lineOf(value: unknown, max: number): string | null {
  const text = textFrom(value);
  if (text === null || text === '') return null;
  const line = isPlain(text) ? text : text.toWellFormed().replace(unsafeInLine, ' ').normalize('NFC');
  const trimmed = line.trim();
  return trimmed === '' ? null : cut(trimmed, max);
}

/** Text of any number of lines, cut to `max` UTF-16 code units; null when it is blank. */
export function textOf(value: unknown, max: number): string | null {
  const text = textFrom(value);
  if (text === null || !/\S/.test(text)) return null;
  const clean = text.includes('\0') ? text.replaceAll('\0', '') : text;
  return cut(clean.toWellFormed(), max);
}

/** A string as it is; numbers and booleans as their text; null for all else. */
export function textFrom(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** Cuts a text to `max` UTF-16 code units, with an ellipsis at the end of what was cut, never within a character. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

function isPlain(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

/** An object that is no array; undefined for all else. */
export function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The objects of an array; empty for all else. */
export function objectsOf(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.map(objectOf).filter((item) => item !== undefined);
}

/** The strings of an array, or of one string alone; empty for all else. */
export function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** A text, number or boolean as text; empty for all else. `String()` would throw for `{"toString": null}`. */
export function wordOf(value: unknown): string {
  return textFrom(value) ?? '';
}

/** The first string that is not blank; null where there is none. */
export function firstString(...values: unknown[]): string | null {
  for (const value of values) if (typeof value === 'string' && value.trim() !== '') return value;
  return null;
}

/** The texts that are not blank as paragraphs, each once; null where there are none. */
export function paragraphs(...values: unknown[]): string | null {
  const texts = values.flatMap((value) => textFrom(value)?.trim() || []);
  return texts.length === 0 ? null : [...new Set(texts)].join('\n\n');
}

/** A finite number, also one that is written as text; undefined for all else. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !/^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value)) return undefined;
  return Number(value);
}

/** Labels in an array, or in one text between commas, semicolons or blanks, as `separator` says. */
export function labelsOf(value: unknown, separator: RegExp = /[,;\s]+/): string[] {
  const texts = typeof value === 'string' ? value.split(separator) : stringsOf(value);
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}
