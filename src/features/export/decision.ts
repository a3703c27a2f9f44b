// The decision of people about a finding, in words.
import { copyNull, textOf, timeOf } from '../../infra/postgres/bulk/copy-text.js';
import type { ExportRow } from './export.rows.js';

const names: Readonly<Record<string, string>> = {
  OPEN: 'Open',
  CONFIRMED: 'Confirmed',
  FALSE_POSITIVE: 'False positive',
  RISK_ACCEPTED: 'Risk accepted',
  RESOLVED: 'Resolved',
};

/** `Risk accepted: reason: comment: until 2026-12-31T00:00:00.000Z`, without the parts that are absent. */
export function decisionOf({ triage, triageReason, triageComment, acceptedUntil }: ExportRow): string {
  const until = acceptedUntil === copyNull ? null : `until ${timeOf(acceptedUntil)}`;
  const parts = [names[triage] ?? 'Open', textOf(triageReason), textOf(triageComment), until];
  return parts.filter((part) => part !== null && part !== '').join(': ');
}
