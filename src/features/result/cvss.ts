// CVSS 3.1 and 4.0 vectors: whether they are valid and what they score. The arithmetic is a library's.
import cvss from 'ae-cvss-calculator';

/** The library lets `E:` and `AV:N:L` pass. */
const metricPattern = /^[A-Za-z]{1,4}:[A-Za-z]+$/;
const versions = { 'CVSS:3.1': cvss.Cvss3P1, 'CVSS:4.0': cvss.Cvss4P0 } as const;

/**
 * Score of a vector (FIRST CVSS 3.1 or 4.0), 0.0 to 10.0: with threat and environment where the vector has them.
 * @returns the score, or what is wrong with the vector
 */
export function scoreCvss(vector: string): { score: number } | { fault: string } {
  const [version, ...metrics] = vector.split('/');
  const Vector = versions[version as keyof typeof versions];
  if (Vector === undefined) return { fault: 'must begin with CVSS:3.1/ or CVSS:4.0/' };
  if (!metrics.every((metric) => metricPattern.test(metric))) return { fault: 'is not a valid CVSS vector' };
  const names = metrics.map((metric) => metric.split(':')[0]);
  if (new Set(names).size !== names.length) return { fault: 'names a metric twice' };
  try {
    const parsed = new Vector(vector);
    if (!parsed.isBaseFullyDefined()) return { fault: 'lacks a base metric' };
    return { score: parsed.calculateScores().overall ?? 0 };
  } catch {
    return { fault: 'is not a valid CVSS vector' };
  }
}
