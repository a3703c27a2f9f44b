// Turns a result of a report into a row of staged_results, with the keys that it is recognised by.
import { idAt, uuidOf } from '../../../core/ids.js';
import { copyLine } from '../../../infra/postgres/bulk/connection.js';
import type { ReportItem } from '../../../reports/item.js';
import { identityOf } from '../../finding/identity/keys.js';
import { searchTextOf } from '../../finding/identity/search-text.js';
import { computeFingerprint } from '../../result/fingerprint.js';
import type { TextPool } from './text-pool.js';

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
  ...['message_key', 'line', 'path', 'text_key'],
] as const;

/** Digest of everything that is stored of a result: two results of a run with the same one are the same. */
export function contentKeyOf(item: ReportItem): string {
  const { snippet: _snippet, ...stored } = item;
  return uuidOf(JSON.stringify(stored));
}

/** Positions that the ids of one severity have room for. */
const maxPositions = 2 ** 28;

/** Values that all rows of a staging share. */
export interface Staging {
  importId: string;
  /** When it began, in milliseconds since 1970. */
  startedMs: number;
  tool: string | null;
  texts: TextPool;
}

/**
 * The row of a result as a line for COPY. Its id follows the severity, then the position: so the merge adds to every index at
 * its end, and a list of the newest results begins with the worst.
 */
export function stagedLine(
  { importId, startedMs, tool, texts }: Staging,
  position: number,
  item: ReportItem,
  contentKey: string,
): string {
  const keys = identityOf(item, {});
  const { textKey, description, remediation, references, tags } = texts.split(item);
  return copyLine([
    importId,
    position,
    idAt(startedMs, item.severity * maxPositions + (position % maxPositions)),
    item.title,
    description,
    item.severity,
    item.ruleId,
    item.cweIds,
    item.cveIds,
    item.vulnerabilityIds,
    item.cvssVector,
    item.cvssScore,
    item.location,
    item.evidence,
    remediation,
    references,
    tags,
    computeFingerprint(tool, item),
    contentKey,
    searchTextOf(item, keys.path),
    keys.groupKey,
    keys.ruleKey,
    keys.fingerprintKey,
    keys.contentKey,
    keys.messageKey,
    keys.line,
    keys.path,
    textKey,
  ]);
}
