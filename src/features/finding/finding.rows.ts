// Findings as rows: the source of each column, and select lists for the columns that a caller reads.
import { Prisma, type Finding as StoredFinding, type TestResult } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import { type Columns, raw, type Sql, sql } from '../../infra/postgres/sql.js';
import { joinedTexts, storedTexts } from '../../infra/postgres/stored-texts.js';

/** Columns that serve recognition, search and the counters only. They never leave the server. */
type Internal =
  | 'recipe'
  | 'groupKey'
  | 'ruleKey'
  | 'fingerprintKey'
  | 'snippetKey'
  | 'messageKey'
  | 'line'
  | 'path'
  | 'searchText'
  | 'seriesId'
  | 'lastSeenAt';
/** Columns that a finding reads from its newest result; null once that result is deleted. */
type OfResult =
  | 'description'
  | 'cvssVector'
  | 'cvssScore'
  | 'location'
  | 'remediation'
  | 'references'
  | 'tags';

/** A finding as it is read; timestamps are RFC 3339. */
export type FindingRow = Omit<SqlRow<StoredFinding>, Internal> &
  Pick<SqlRow<TestResult>, OfResult> & {
    target: string;
    tool: string | null;
    category: string | null;
    lastSeenAt: string;
    /** Keys of the orders DUE and LAST_SEEN; `infinity` for the latest. */
    dueKey: string;
    seenKey: string;
  };

const {
  recipe: _recipe,
  groupKey: _group,
  ruleKey: _rule,
  fingerprintKey: _fingerprint,
  snippetKey: _snippet,
  messageKey: _message,
  line: _line,
  path: _path,
  searchText: _text,
  seriesId: _series,
  lastSeenAt: _seen,
  lastSeenInId: _seenIn,
  ...own
} = Prisma.FindingScalarFieldEnum;

const ofResult = ['description', 'cvssVector', 'cvssScore', 'location', 'remediation', 'references', 'tags'];
const ofSeries = ['target', 'tool', 'category'];
const ofBranch = ['lastSeenAt', 'lastSeenInId'];

const columnOf = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The run that saw the newest result last: the branch's last one, or the one that its interval ends with. */
const lastRun = raw(`LEFT JOIN scan_branches AS branch ON branch.id = result.scan_branch_id
  LEFT JOIN test_executions AS closing ON closing.scan_branch_id = result.scan_branch_id
    AND closing.run_number = result.until_run`);

const derived: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(storedTexts('result')).map(([name, text]) => [name, `${text} AS "${name}"`]),
  ),
  cweIds: `COALESCE(finding.cwe_ids, '{}') AS "cweIds"`,
  cveIds: `COALESCE(finding.cve_ids, '{}') AS "cveIds"`,
  target: 'series.target',
  tool: `nullif(series.tool, '') AS tool`,
  category: `nullif(series.category, '') AS category`,
  lastSeenAt: `COALESCE(finding.last_seen_at, CASE WHEN result.until_run IS NULL THEN branch.last_run_at
    ELSE COALESCE(closing.finished_at, closing.created_at) END, result.created_at, finding.first_seen_at) AS "lastSeenAt"`,
  lastSeenInId: `COALESCE(finding.last_seen_in_id, CASE WHEN result.until_run IS NULL THEN branch.last_execution_id
    ELSE closing.id END) AS "lastSeenInId"`,
  dueKey: `COALESCE(finding.due_at, 'infinity'::timestamptz) AS "dueKey"`,
};
/** Every list needs them: ids and what cursors are made of. */
const always = ['id', 'projectId', 'severity', 'firstSeenAt'];
const all = [...Object.keys(own), ...ofResult, ...ofSeries, ...ofBranch];

/** A select list and the joins that it needs, on `findings AS finding`. */
export interface Selection {
  columns: Sql;
  joins: Sql;
}

/** The selection of the columns that the caller reads; all when undefined. `dueKey` is there where it is asked for. */
export function selectionOf(wanted: Columns, ...keys: 'dueKey'[]): Selection {
  const names = [
    ...all.filter((name) => wanted === undefined || wanted.includes(name) || always.includes(name)),
    ...keys,
  ];
  const list = names.map((name) => {
    if (derived[name] !== undefined) return derived[name];
    return `${ofResult.includes(name) ? 'result' : 'finding'}.${columnOf(name)} AS "${name}"`;
  });
  const needs = (some: readonly string[]) => names.some((name) => some.includes(name));
  const isBranchRead = needs(ofBranch);
  const result = isBranchRead || needs(ofResult);
  return {
    columns: raw(list.join(', ')),
    joins: sql`${needs(ofSeries) ? raw('JOIN scan_series AS series ON series.id = finding.series_id') : raw('')}
      ${result ? sql`LEFT JOIN test_results AS result ON result.id = finding.result_id ${joinedTexts}` : raw('')}
      ${isBranchRead ? lastRun : raw('')}`,
  };
}
