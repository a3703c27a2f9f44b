// Turns a result of a report into a row of staged_results, with the keys that it is recognised by.
import { hash } from 'node:crypto';
import { idAt } from '../../../core/ids.js';
import { copyLine } from '../../../infra/postgres/bulk/connection.js';
import type { ReportItem } from '../../../reports/item.js';
import { foldForSearch } from '../../../validation/search-text.js';
import { identityOf } from '../../finding/identity/keys.js';
import { computeFingerprint } from '../../result/fingerprint.js';

/** The columns of a staged row, in the order of {@link stagedLine}. */
export const stagedColumns = [
  ...[
    'import_id',
    'position',
    'result_id',
    'title',
    'description',
    'severity',
    'rule_id',
    'cwe_ids',
    'cve_ids',
  ],
  ...[
    'vulnerability_ids',
    'cvss_vector',
    'cvss_score',
    'location',
    'evidence',
    'remediation',
    'references',
    'tags',
  ],
  ...['fingerprint', 'content_key', 'search_text', 'group_key', 'rule_key', 'fingerprint_key', 'snippet_key'],
  ...['message_key', 'line', 'path'],
] as const;

/** A UUID of the first 128 bits of a text's SHA-256. */
export function uuidOf(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** Digest of everything that is stored of a result: two results of a run with the same one are the same. */
export function contentKeyOf(item: ReportItem): string {
  const { snippet: _snippet, ...stored } = item;
  return uuidOf(JSON.stringify(stored));
}

/** Positions that the ids of one severity have room for. */
const maxPositions = 2 ** 28;

/**
 * The row of a result as a line for COPY. Its id follows the severity, then the position: so the merge adds to every index at
 * its end, and a list of the newest results begins with the worst.
 * @param startedMs when the staging began, in milliseconds since 1970
 */
export function stagedLine(
  importId: string,
  startedMs: number,
  position: number,
  item: ReportItem,
  contentKey: string,
  tool: string | null,
): string {
  const keys = identityOf(item, {});
  return copyLine([
    importId,
    position,
    idAt(startedMs, item.severity * maxPositions + (position % maxPositions)),
    item.title,
    item.description,
    item.severity,
    item.ruleId,
    item.cweIds,
    item.cveIds,
    item.vulnerabilityIds,
    item.cvssVector,
    item.cvssScore,
    item.location,
    item.evidence,
    item.remediation,
    item.references,
    item.tags,
    computeFingerprint(tool, item),
    contentKey,
    searchTextOf(item),
    keys.groupKey,
    keys.ruleKey,
    keys.fingerprintKey,
    keys.contentKey,
    keys.messageKey,
    keys.line,
    keys.path,
  ]);
}

/** What a search finds a finding by: title, rule, place and ids, one per line. */
function searchTextOf({ title, ruleId, location, cveIds, vulnerabilityIds }: ReportItem): string {
  const { path, url, component, host, parameter } = location ?? {};
  const parts = [title, ruleId, path, url, component, host, parameter, ...cveIds, ...vulnerabilityIds];
  return foldForSearch(parts.filter((part) => part != null).join('\n'));
}
