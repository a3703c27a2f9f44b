// Severities in the words of scanners.
import type { SeverityRank } from './item.js';

/** CVSS 3.1 and 4.0 qualitative ratings (FIRST): 0.0 none, 0.1 low, 4.0 medium, 7.0 high, 9.0 critical. */
export function severityFromScore(score: number): SeverityRank {
  if (score >= 9) return 4;
  if (score >= 7) return 3;
  if (score >= 4) return 2;
  return score > 0 ? 1 : 0;
}

const ranks: Record<string, SeverityRank> = {
  critical: 4,
  blocker: 4,
  severe: 4,
  high: 3,
  error: 3,
  major: 3,
  important: 3,
  medium: 2,
  moderate: 2,
  warning: 2,
  warn: 2,
  low: 1,
  minor: 1,
  note: 1,
  style: 1,
  performance: 1,
  portability: 1,
  negligible: 1,
  information: 0,
  informational: 0,
  info: 0,
  none: 0,
  unknown: 0,
  undefined: 0,
  ok: 0,
};

// A map: words of reports may be names of an object's prototype.
const words = new Map(Object.entries(ranks));

/** The rank of a word in any case; undefined for a word that names no severity. */
export function severityFromWord(word: unknown): SeverityRank | undefined {
  return typeof word === 'string' ? words.get(word.trim().toLowerCase()) : undefined;
}
