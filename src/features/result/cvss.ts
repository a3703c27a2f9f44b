// CVSS vectors of versions 2.0 to 4.0: validates, normalises and scores them.
import cvss from 'ae-cvss-calculator';

/** The library accepts `E:` and `AV:N:L`. */
const metricPattern = /^[A-Za-z]{1,4}:[A-Za-z]+$/;
const versions = {
  'CVSS:2.0': cvss.Cvss2,
  'CVSS:3.0': cvss.Cvss3P0,
  'CVSS:3.1': cvss.Cvss3P1,
  'CVSS:4.0': cvss.Cvss4P0,
} as const;

/** A valid vector as it is stored, and its score. */
export interface ScoredVector {
  vector: string;
  /** 0.0 to 10.0, with threat and environment where the vector has them. */
  score: number;
}

/**
 * Scores a vector by the arithmetic of its version (FIRST). A trailing slash, parentheses and a version 2 vector without
 * its prefix, as scanners write them, are accepted.
 * @returns the vector and its score, or the fault
 */
export function scoreCvss(given: string): ScoredVector | { fault: string } {
  const vector = normalise(given);
  const [version, ...metrics] = vector.split('/');
  const Vector = versions[version as keyof typeof versions];
  if (Vector === undefined) return { fault: 'must be a vector of CVSS 2.0, 3.0, 3.1 or 4.0' };
  if (!metrics.every((metric) => metricPattern.test(metric))) return { fault: 'is not a valid CVSS vector' };
  const names = metrics.map((metric) => metric.split(':')[0]);
  if (new Set(names).size !== names.length) return { fault: 'has a metric twice' };
  try {
    // The library's vectors of version 2 have no prefix.
    const parsed = new Vector(version === 'CVSS:2.0' ? metrics.join('/') : vector);
    if (!parsed.isBaseFullyDefined()) return { fault: 'lacks a base metric' };
    return { vector, score: parsed.calculateScores().overall ?? 0 };
  } catch {
    return { fault: 'is not a valid CVSS vector' };
  }
}

function normalise(given: string): string {
  const vector = given
    .trim()
    .replace(/^\((.*)\)$/, '$1')
    .replace(/\/+$/, '')
    .replace(/^cvss:/i, 'CVSS:')
    .replace(/^CVSS2#/i, '');
  return /^AV:[LAN]\/AC:[LMH]\/Au:/.test(vector) ? `CVSS:2.0/${vector}` : vector;
}
