// CVSS in reports: completes vectors that lack their version, and chooses among several ratings.
import { textFrom } from './text.js';

const prefixes = new Map([
  ['3', 'CVSS:3.0/'],
  ['3.0', 'CVSS:3.0/'],
  ['30', 'CVSS:3.0/'],
  ['3.1', 'CVSS:3.1/'],
  ['31', 'CVSS:3.1/'],
  ['4', 'CVSS:4.0/'],
  ['4.0', 'CVSS:4.0/'],
]);

/**
 * A vector with its version in front, as FIRST writes it; null for a text that is no vector.
 * @param version of the metrics, for example `3.1` or `CVSSv31`; without it, S: marks version 3 and nothing version 2
 */
export function cvssVectorOf(vector: unknown, version?: unknown): string | null {
  const text =
    textFrom(vector)
      ?.trim()
      .replace(/^\((.{0,400})\)$/, '$1') ?? '';
  if (/^CVSS:[34]\.\d\/[A-Z]/.test(text)) return text;
  if (!/^A[VC]:[A-Z]\//.test(text)) return null;
  const number = textFrom(version)?.replace(/^cvss\s*v?/i, '') ?? '';
  const prefix = prefixes.get(number) ?? (/\/S:[UC]\b/.test(text) ? 'CVSS:3.0/' : '');
  // Version 2 has Au: and no prefix.
  return /\/Au:/.test(text) ? text : `${prefix}${text}`;
}
