// Candidates and items for tests of the identity of findings.
import { identityOf } from '../../../../../src/features/finding/identity/keys.js';
import type { Candidate } from '../../../../../src/features/finding/identity/match.js';
import type { ReportItem } from '../../../../../src/reports/item.js';

const empty: ReportItem = {
  title: 'Title',
  severity: 2,
  description: null,
  ruleId: 'rule',
  cweIds: [],
  cveIds: [],
  vulnerabilityIds: [],
  cvssVector: null,
  cvssScore: null,
  location: null,
  evidence: null,
  remediation: null,
  references: [],
  tags: [],
  toolFingerprint: null,
  snippet: null,
};

export function itemWith(parts: Partial<ReportItem>): ReportItem {
  return { ...empty, ...parts };
}

/** A result as `path:line rule code`; ids are the places, so that pairs can be read. */
export function candidate(text: string, extra: Partial<ReportItem> = {}): Candidate {
  const [place = '', rule = 'rule', ...code] = text.split(' ');
  const [path = '', line = '0'] = place.split(':');
  const snippet = code.length === 0 ? null : code.join(' ');
  const location = { path, ...(Number(line) > 0 && { startLine: Number(line) }) };
  return { id: place, ...identityOf(itemWith({ ruleId: rule, location, snippet, ...extra }), {}) };
}

/** Pairs as `old → new`, sorted. */
export function read(pairs: readonly (readonly [Candidate, Candidate])[]): string[] {
  return pairs.map(([old, seen]) => `${old.id} → ${seen.id}`).sort();
}
