// Updates findings from the newest of their remaining results when another one is deleted: content, presence, last sighting,
// and the keys by which later runs recognise them.
import type { Transaction } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import { turnOf } from '../finding.turns.js';
import { recipeVersion } from '../identity/keys.js';
import { searchTextOf } from '../identity/search-text.js';
import { identityOfStored, itemOfStored, type StoredResult, storedColumns } from './stored-identity.js';

/** The run that is being deleted. */
export interface GoneRun {
  id: string;
  /** The project of the findings: a run that is of another one is deleted too. */
  projectId: string;
}

/** Has findings follow their results. Findings without a result stay as they are. */
export async function followNewest(
  tx: Transaction,
  run: GoneRun,
  findingIds: readonly string[],
): Promise<void> {
  if (findingIds.length === 0) return;
  const turns = sql`findings.triage IN ('OPEN', 'CONFIRMED') AND findings.is_present <> newest.is_shown`;
  const lastSeenAt = sql`CASE WHEN NOT newest.is_shown THEN coalesce(seen.finished_at, findings.last_seen_at) END`;
  const changed = await tx.query<{ resultId: string; isOther: boolean }>(sql`
    UPDATE findings SET result_id = newest.id, title = newest.title, rule_id = newest.rule_id, cwe_ids = newest.cwe_ids,
      cve_ids = newest.cve_ids, reported_severity = newest.severity,
      severity = coalesce(findings.severity_override, newest.severity), is_present = newest.is_shown,
      last_seen_at = ${lastSeenAt}, last_seen_in_id = CASE WHEN NOT newest.is_shown THEN seen.id END,
      turned_at = ${turnOf(sql`findings`, turns, sql`now()`)}
    FROM unnest(${[...findingIds]}::uuid[]) AS touched(id) JOIN findings AS was ON was.id = touched.id
    CROSS JOIN LATERAL (
      SELECT result.*, coalesce(result.until_run IS NULL AND branch.is_default, false) AS is_shown
      FROM test_results AS result LEFT JOIN scan_branches AS branch ON branch.id = result.scan_branch_id
      WHERE result.finding_id = touched.id ORDER BY is_shown DESC, result.id DESC LIMIT 1
    ) AS newest LEFT JOIN LATERAL (
      SELECT run.id, run.finished_at FROM test_results AS result
      JOIN scan_branches AS branch ON branch.id = result.scan_branch_id AND branch.is_default
      JOIN test_executions AS run ON run.scan_branch_id = branch.id AND run.id <> ${run.id}::uuid
        AND run.project_id = ${run.projectId}::uuid AND run.run_number BETWEEN result.from_run AND result.until_run
      WHERE result.finding_id = touched.id ORDER BY run.finished_at DESC LIMIT 1
    ) AS seen ON NOT newest.is_shown
    WHERE findings.id = touched.id AND (findings.result_id, findings.is_present, findings.last_seen_at, findings.last_seen_in_id)
      IS DISTINCT FROM (newest.id, newest.is_shown, ${lastSeenAt}, CASE WHEN NOT newest.is_shown THEN seen.id END)
    RETURNING newest.id AS "resultId", was.result_id <> newest.id AS "isOther"`);
  await followKeys(
    tx,
    changed.filter(({ isOther }) => isOther).map(({ resultId }) => resultId),
  );
}

/** A result does not keep the lines around its place: the key of these stays where the result itself yields none. */
async function followKeys(tx: Transaction, resultIds: readonly string[]): Promise<void> {
  if (resultIds.length === 0) return;
  const results = await tx.query<StoredResult & { searchText: string }>(sql`
    SELECT ${storedColumns}, search_text AS "searchText" FROM test_results WHERE id = ANY(${[...resultIds]}::uuid[])`);
  const keys = results.map(identityOfStored);
  const of = (name: keyof (typeof keys)[number]) => keys.map((key) => key[name]);
  const texts = results.map((result, index) =>
    result.searchText === ''
      ? searchTextOf(itemOfStored(result), keys[index]?.path ?? '')
      : result.searchText,
  );
  await tx.query(sql`
    UPDATE findings SET recipe = ${recipeVersion}, group_key = keyed.group_key, rule_key = keyed.rule_key,
      fingerprint_key = keyed.fingerprint_key, snippet_key = coalesce(keyed.snippet_key, findings.snippet_key),
      message_key = keyed.message_key, line = keyed.line, path = keyed.path, search_text = keyed.search_text
    FROM unnest(${results.map(({ id }) => id)}::uuid[], ${of('groupKey')}::uuid[], ${of('ruleKey')}::uuid[],
      ${of('fingerprintKey')}::uuid[], ${of('contentKey')}::uuid[], ${of('messageKey')}::uuid[], ${of('line')}::int[],
      ${of('path')}::text[], ${texts}::text[])
      AS keyed(result_id, group_key, rule_key, fingerprint_key, snippet_key, message_key, line, path, search_text)
    JOIN test_results AS result ON result.id = keyed.result_id
    WHERE findings.id = result.finding_id`);
}
