// Merges a staged run: staged rows become results and findings, and findings that the run did not see become absent.
// One set-based pass within the caller's transaction, so that readers see nothing of it or all.
import type { Transaction } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import { dueDateOf } from '../finding.due.js';
import { turnOf } from '../finding.turns.js';
import { recipeVersion } from '../identity/keys.js';
import { adoptResults, closeResults, copySightings, insertResults } from './merge-results.js';
import { enterBranch, isPartial, matchOfStaged, newIdAt, type StagedRun, type Step } from './staged-run.js';

/** Changes that a run made to the findings. */
export interface MergedRun {
  scanBranchId: number;
  runNumber: number;
  added: number;
  newFindings: number;
  unchangedFindings: number;
  reopenedFindings: number;
  absentFindings: number;
  /** Whether the run's results are rows that later runs share, rather than the execution's own. */
  isShared: boolean;
}

/** Merges staged runs. */
export type MergeRun = typeof mergeRun;

/**
 * Merges a staged run.
 * @returns undefined when another run met the findings since the results were matched: stage the run again
 */
export async function mergeRun(tx: Transaction, run: StagedRun): Promise<MergedRun | undefined> {
  const branch = await enterBranch(tx, run);
  if (branch === undefined) return undefined;
  const step = { ...run, ...branch };
  // The staged rows are new, so PostgreSQL knows no statistics of them: what they exclude has to fit into a hash table, and
  // their index gives them in order, which is cheaper than to sort them.
  await tx.query(sql`SET LOCAL work_mem = '64MB'`);
  await tx.query(sql`SET LOCAL enable_sort = off`);
  await tx.query(sql`SET LOCAL enable_bitmapscan = off`);
  const absent = await closeResults(tx, step);
  await insertFindings(tx, step);
  const { added, reopened } = await (run.hasOwnResults ? adoptResults(tx, step) : insertResults(tx, step));
  const [counts] = await tx.query<{ matched: number; sighted: number }>(sql`
    SELECT (SELECT count(*)::int FROM staged_matches WHERE import_id = ${run.importId}::uuid) AS matched,
      (SELECT count(*)::int FROM staged_sightings WHERE import_id = ${run.importId}::uuid) AS sighted`);
  const { matched = 0, sighted = 0 } = counts ?? {};
  if (isPartial(run)) await copySightings(tx, step);
  if (matched > 0) {
    // Without a sort, the planner locks findings by a walk through all of them, each compared with every match.
    await tx.query(sql`SET LOCAL enable_sort = on`);
    await updateMatched(tx, step);
  }
  return {
    scanBranchId: branch.branchId,
    runNumber: branch.run,
    added: added + sighted,
    newFindings: added - matched,
    unchangedFindings: matched + sighted - reopened,
    reopenedFindings: reopened,
    absentFindings: absent,
    isShared: !run.hasOwnResults && !isPartial(run),
  };
}

/** Keys that a finding is recognised by; the newest result's. */
const keyColumns = sql`group_key, rule_key, fingerprint_key, snippet_key, message_key, line, path`;

/** A finding begins with its first result and takes that one's id. */
async function insertFindings(tx: Transaction, step: Step): Promise<void> {
  const { key, seriesId, isDefault, at, executionId } = step;
  await tx.query(sql`
    INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids,
      is_present, first_seen_at, first_seen_in_id, last_seen_at, last_seen_in_id, recipe, ${keyColumns}, search_text, due_at)
    SELECT result_id, ${key.projectId}::uuid, ${seriesId}, result_id, title, rule_id, severity, severity, cwe_ids, cve_ids,
      ${isDefault}, ${at}::timestamptz, ${executionId}::uuid, NULL, NULL, ${recipeVersion}, ${keyColumns}, search_text,
      ${dueDateOf(sql`${at}::timestamptz`, sql`severity`, sql`projects`)}
    FROM staged_results AS staged, projects
    WHERE import_id = ${step.importId}::uuid AND projects.id = ${key.projectId}::uuid AND (${matchOfStaged}) IS NULL
    ORDER BY staged.severity, staged.position`);
}

/** Findings seen otherwise than before follow the newest result; a triage that the sighting contradicts is undone and noted. */
async function updateMatched(tx: Transaction, step: Step): Promise<void> {
  const { importId, isDefault, at } = step;
  const severity = sql`coalesce(found.severity_override, staged.severity)`;
  const reopens = sql`seen.was IN ('OPEN', 'CONFIRMED', 'RESOLVED')`;
  const due = dueDateOf(sql`found.first_seen_at`, severity, sql`project`);
  // Findings are locked in order: sorted, or else read in the order of their index, all of them.
  await tx.query(sql`SET LOCAL enable_sort = on`);
  await tx.query(sql`
    WITH seen AS (
      SELECT found.id AS finding_id, found.triage AS was, found.reported_severity AS rank_was, staged.*,
        ${due} AS due_at
      FROM staged_results AS staged CROSS JOIN LATERAL (${matchOfStaged}) AS done
      JOIN findings AS found ON found.id = done.finding_id JOIN projects AS project ON project.id = found.project_id
      WHERE staged.import_id = ${importId}::uuid ORDER BY found.id FOR UPDATE OF found
    ), updated AS (
      UPDATE findings SET result_id = seen.result_id, title = seen.title, rule_id = seen.rule_id,
        severity = coalesce(findings.severity_override, seen.severity), reported_severity = seen.severity,
        cwe_ids = seen.cwe_ids, cve_ids = seen.cve_ids, is_present = findings.is_present OR ${isDefault},
        last_seen_at = CASE WHEN findings.is_present OR ${isDefault} THEN NULL ELSE findings.last_seen_at END,
        last_seen_in_id = CASE WHEN findings.is_present OR ${isDefault} THEN NULL ELSE findings.last_seen_in_id END,
        triage = CASE WHEN seen.was = 'RESOLVED' AND ${isDefault} AND NOT findings.is_present THEN 'OPEN' ELSE seen.was END,
        due_at = seen.due_at,
        turned_at = ${turnOf(sql`findings`, sql`${isDefault} AND NOT findings.is_present AND ${reopens}`, sql`${at}::timestamptz`)},
        recipe = ${recipeVersion}, group_key = seen.group_key, rule_key = seen.rule_key,
        fingerprint_key = seen.fingerprint_key, snippet_key = seen.snippet_key, message_key = seen.message_key,
        line = seen.line, path = seen.path, search_text = seen.search_text
      FROM seen WHERE findings.id = seen.finding_id AND (${isDefault} OR NOT findings.is_present)
      RETURNING findings.id, seen.was, findings.triage AS now, seen.rank_was, findings.reported_severity AS rank_now
    )
    INSERT INTO triage_events (id, finding_id, at, actor_label, "from", "to", severity_from, severity_to, reason)
    SELECT ${newIdAt(at)}, id, ${at}::timestamptz, 'import', nullif(was, now), CASE WHEN was <> now THEN now END,
      CASE WHEN rank_was <> rank_now THEN rank_was END, CASE WHEN rank_was <> rank_now THEN rank_now END,
      CASE WHEN was <> now THEN 'seen again' ELSE 'reported with another severity' END
    FROM updated WHERE was <> now OR rank_was <> rank_now`);
}
