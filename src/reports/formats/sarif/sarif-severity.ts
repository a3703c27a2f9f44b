// Severity of a SARIF result: its score, else its level, else its rule's.
import type { SeverityRank } from '../../item.js';
import { severityFromScore, severityFromWord } from '../../severity.js';
import { objectOf, wordOf } from '../../text.js';
import type { Json } from './sarif-runs.js';

const rankOfLevel = new Map<string, SeverityRank>([
  ['error', 3],
  ['warning', 2],
  ['note', 1],
  ['none', 0],
]);

/**
 * `security-severity` of the result or its rule first (a score as GitHub defines it, or a word, as some tools write),
 * then `level`, the rule's default level, and `warning`, which SARIF 3.27.10 takes for a level that is absent.
 */
export function severityOfResult(result: Json, rule: Json): { severity: SeverityRank; score: number | null } {
  for (const { properties } of [result, rule]) {
    const given = properties === undefined ? undefined : objectOf(properties)?.['security-severity'];
    if (given === undefined) continue;
    const score = typeof given === 'number' || /^\s*\d/.test(wordOf(given)) ? Number(given) : Number.NaN;
    if (score >= 0 && score <= 10) return { severity: severityFromScore(score), score };
    const word = severityFromWord(given);
    if (word !== undefined) return { severity: word, score: null };
  }
  const level = result.level ?? objectOf(rule.defaultConfiguration)?.level ?? 'warning';
  return { severity: rankOfLevel.get(wordOf(level)) ?? 2, score: null };
}
