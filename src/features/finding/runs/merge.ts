// Merges a staged run: staged rows become results and findings, and findings that the run did not see become absent.
// One set-based pass within the caller's transaction, so that readers see nothing of it or all.
import type { Transaction } from '../../../infra/postgres/database.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { dueDateOf } from '../finding.due.js';
import { recipeVersion } from '../identity/keys.js';
import { type SeriesKey, type SeriesState, storedKey } from './series.js';

/** A run whose results are staged. */
export interface StagedRun {
  importId: string;
  executionId: string;
  key: SeriesKey;
  /** The series as it was when the results were matched; null where there was none. */
  matchedWith: SeriesState | null;
  /** Whether the run saw everything that it should have: only then is what it did not see absent. */
  isComplete: boolean;
  /** Files that the tool could not read; their findings stay as they are. */
  unreadPaths: readonly string[];
  /** Whether the staged rows are results that the execution has already, rather than new ones. */
  hasOwnResults: boolean;
  at: Date;
}

/** What a run made of the findings. */
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
  // The staged rows are new, so PostgreSQL knows no statistics of them; what they exclude has to fit into a hash table.
  await tx.query(sql`SET LOCAL work_mem = '64MB'`);
  const absent = await closeResults(tx, step);
  await insertFindings(tx, step);
  const { added, reopened } = await (run.hasOwnResults ? adoptResults(tx, step) : insertResults(tx, step));
  const [counts] = await tx.query<{ matched: number; sighted: number }>(sql`
    SELECT (SELECT count(*)::int FROM staged_matches WHERE import_id = ${run.importId}::uuid) AS matched,
      (SELECT count(*)::int FROM staged_sightings WHERE import_id = ${run.importId}::uuid) AS sighted`);
  const { matched = 0, sighted = 0 } = counts ?? {};
  if (isPartial(run)) await copySightings(tx, step);
  if (matched > 0) await updateMatched(tx, step);
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

/**
 * Whether findings stay present that the run did not see. Such a run cannot share the rows of its branch, which would show
 * them as its results.
 */
function isPartial({ isComplete, unreadPaths, hasOwnResults }: StagedRun): boolean {
  return !hasOwnResults && (!isComplete || unreadPaths.length > 0);
}

interface Branch {
  seriesId: number;
  branchId: number;
  isDefault: boolean;
  /** Number of this run on the branch. */
  run: number;
  /** When the branch's run before was, and in which execution. */
  lastRunAt: string | null;
  lastExecutionId: string | null;
}

type Step = StagedRun & Branch;

/** Locks the series; runs of one series follow each other. */
async function enterBranch(
  tx: Transaction,
  { key, matchedWith, at, executionId }: StagedRun,
): Promise<Branch | undefined> {
  const { projectId, target, tool, category, branch } = storedKey(key);
  const [series] = await tx.query<{ id: number; version: number }>(sql`
    INSERT INTO scan_series (project_id, target, tool, category, version)
    VALUES (${projectId}::uuid, ${target}, ${tool}, ${category}, 1)
    ON CONFLICT (project_id, target, tool, category) DO UPDATE SET version = scan_series.version + 1
    RETURNING id, version`);
  if (series === undefined || series.version !== (matchedWith?.version ?? 0) + 1) return undefined;
  const [row] = await tx.query<Omit<Branch, 'seriesId'>>(sql`
    WITH before AS (SELECT last_run_at, last_execution_id FROM scan_branches
      WHERE series_id = ${series.id} AND name = ${branch})
    INSERT INTO scan_branches (series_id, name, is_default, last_run, last_run_at, last_execution_id)
    SELECT ${series.id}, ${branch},
      ${branch} IN ('', coalesce(default_branch, ${branch}))
        AND (default_branch IS NOT NULL OR ${branch} = '' OR NOT EXISTS (
          SELECT FROM scan_branches WHERE series_id = ${series.id} AND name <> '')),
      1, ${at}::timestamptz, ${executionId}::uuid
    FROM projects WHERE id = ${projectId}::uuid
    ON CONFLICT (series_id, name) DO UPDATE SET last_run = scan_branches.last_run + 1,
      last_run_at = excluded.last_run_at, last_execution_id = excluded.last_execution_id
    RETURNING id AS "branchId", is_default AS "isDefault", last_run AS run,
      (SELECT last_run_at FROM before) AS "lastRunAt", (SELECT last_execution_id FROM before) AS "lastExecutionId"`);
  return row && { seriesId: series.id, ...row };
}

const staged = (table: Sql, { importId }: StagedRun) => sql`${table} WHERE import_id = ${importId}::uuid`;

/** Ends the rows of the branch that this run saw otherwise or not at all. @returns the number of findings absent from now on */
async function closeResults(tx: Transaction, step: Step): Promise<number> {
  const { branchId, run, isComplete, unreadPaths, isDefault, lastRunAt, lastExecutionId } = step;
  if (run === 1) return 0;
  const matched = sql`SELECT finding_id FROM ${staged(sql`staged_matches`, step)}`;
  const unread = sql`coalesce(location ->> 'path' = ANY(${[...unreadPaths]}::text[]), false)`;
  const [row] = await tx.query<{ absent: number }>(sql`
    WITH closed AS (
      UPDATE test_results AS result SET until_run = ${run - 1}
      WHERE scan_branch_id = ${branchId} AND until_run IS NULL
        AND id NOT IN (SELECT result_id FROM ${staged(sql`staged_sightings`, step)})
        AND (finding_id IN (${matched}) OR (${isComplete} AND NOT ${unread}))
      RETURNING finding_id
    ), absent AS (SELECT DISTINCT finding_id FROM closed WHERE finding_id NOT IN (${matched})), updated AS (
      UPDATE findings SET is_present = false, last_seen_at = ${lastRunAt}::timestamptz, last_seen_in_id = ${lastExecutionId}::uuid
      FROM absent WHERE findings.id = absent.finding_id AND ${isDefault} AND is_present AND NOT EXISTS (
        SELECT FROM test_results AS other JOIN scan_branches AS branch ON branch.id = other.scan_branch_id
        WHERE other.finding_id = findings.id AND other.until_run IS NULL AND branch.is_default AND branch.id <> ${branchId})
    )
    SELECT count(*)::int AS absent FROM absent`);
  return row?.absent ?? 0;
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
    WHERE import_id = ${step.importId}::uuid AND projects.id = ${key.projectId}::uuid AND NOT EXISTS (
      SELECT FROM staged_matches AS done WHERE done.import_id = staged.import_id AND done.position = staged.position)
    ORDER BY staged.position`);
}

const resultColumns = sql`title, description, severity, rule_id, cwe_ids, cve_ids, vulnerability_ids, cvss_vector, cvss_score,
  location, evidence, remediation, "references", tags, fingerprint, content_key`;

/** 0 NEW, 1 UNCHANGED, 2 REOPENED: known here, but not shown by the run before. */
const deltaOf = ({ branchId, run }: Step) => sql`CASE
  WHEN done.finding_id IS NULL THEN 0
  WHEN EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = done.finding_id AND was.scan_branch_id = ${branchId}
    AND coalesce(was.until_run, ${run - 1}) >= ${run - 1} AND was.from_run < ${run}) THEN 1
  WHEN EXISTS (SELECT FROM test_results AS was WHERE was.finding_id = done.finding_id AND was.scan_branch_id = ${branchId}
    AND was.from_run < ${run}) THEN 2
  ELSE 1 END`;

async function insertResults(tx: Transaction, step: Step): Promise<{ added: number; reopened: number }> {
  const { importId, executionId, branchId, run, at } = step;
  const [row] = await tx.query<{ added: number; reopened: number }>(sql`
    WITH added AS (
      INSERT INTO test_results (id, execution_id, ${resultColumns}, search_text, created_at, finding_id, scan_branch_id,
        from_run, delta, is_shared)
      SELECT staged.result_id, ${executionId}::uuid, ${resultColumns},
        ${isPartial(step) ? sql`search_text` : sql`''`}, ${at}::timestamptz,
        coalesce(done.finding_id, staged.result_id), ${branchId}, ${run}, ${deltaOf(step)}, ${!isPartial(step)}
      FROM staged_results AS staged LEFT JOIN staged_matches AS done
        ON done.import_id = staged.import_id AND done.position = staged.position
      WHERE staged.import_id = ${importId}::uuid ORDER BY staged.position
      RETURNING delta
    )
    SELECT count(*)::int AS added, count(*) FILTER (WHERE delta = 2)::int AS reopened FROM added`);
  return row ?? { added: 0, reopened: 0 };
}

/** Own rows for what the branch shows already; they say nothing of presence, so they belong to no branch. */
async function copySightings(tx: Transaction, step: Step): Promise<void> {
  const { importId, executionId, at } = step;
  await tx.query(sql`
    INSERT INTO test_results (id, execution_id, ${resultColumns}, search_text, created_at, finding_id, delta)
    SELECT ${newIdAt(at)}, ${executionId}::uuid, ${resultColumns}, folded, ${at}::timestamptz, finding_id, 1
    FROM (
      SELECT result.*, found.search_text AS folded, seen.position
      FROM staged_sightings AS seen JOIN test_results AS result ON result.id = seen.result_id
      JOIN findings AS found ON found.id = seen.finding_id
      WHERE seen.import_id = ${importId}::uuid
    ) AS sighted ORDER BY position`);
}

/** A UUIDv7 (RFC 9562) of a moment, made by PostgreSQL for each row. */
function newIdAt(at: Date): Sql {
  const time = at.getTime().toString(16).padStart(12, '0');
  return sql`(${`${time.slice(0, 8)}-${time.slice(8)}-7`} || substr(gen_random_uuid()::text, 16))::uuid`;
}

/** The execution's own results become the rows that the branch shows. */
async function adoptResults(tx: Transaction, step: Step): Promise<{ added: number; reopened: number }> {
  const { importId, branchId, run } = step;
  const [row] = await tx.query<{ added: number; reopened: number }>(sql`
    WITH adopted AS (
      UPDATE test_results AS result SET finding_id = coalesce(done.finding_id, staged.result_id), scan_branch_id = ${branchId},
        from_run = ${run}, delta = ${deltaOf(step)}
      FROM staged_results AS staged LEFT JOIN staged_matches AS done
        ON done.import_id = staged.import_id AND done.position = staged.position
      WHERE staged.import_id = ${importId}::uuid AND result.id = staged.result_id
      RETURNING result.delta
    )
    SELECT count(*)::int AS added, count(*) FILTER (WHERE delta = 2)::int AS reopened FROM adopted`);
  return row ?? { added: 0, reopened: 0 };
}

/** Findings seen otherwise than before follow the newest result; a triage that the sighting contradicts is undone and noted. */
async function updateMatched(tx: Transaction, step: Step): Promise<void> {
  const { importId, isDefault, at } = step;
  const severity = sql`coalesce(found.severity_override, staged.severity)`;
  const due = dueDateOf(sql`found.first_seen_at`, severity, sql`project`);
  await tx.query(sql`
    WITH seen AS (
      SELECT found.id AS finding_id, found.triage AS was, found.reported_severity AS rank_was, staged.*,
        ${due} AS due_at
      FROM staged_matches AS done JOIN staged_results AS staged USING (import_id, position)
      JOIN findings AS found ON found.id = done.finding_id JOIN projects AS project ON project.id = found.project_id
      WHERE done.import_id = ${importId}::uuid ORDER BY found.id FOR UPDATE OF found
    ), updated AS (
      UPDATE findings SET result_id = seen.result_id, title = seen.title, rule_id = seen.rule_id,
        severity = coalesce(findings.severity_override, seen.severity), reported_severity = seen.severity,
        cwe_ids = seen.cwe_ids, cve_ids = seen.cve_ids, is_present = findings.is_present OR ${isDefault},
        last_seen_at = CASE WHEN findings.is_present OR ${isDefault} THEN NULL ELSE findings.last_seen_at END,
        last_seen_in_id = CASE WHEN findings.is_present OR ${isDefault} THEN NULL ELSE findings.last_seen_in_id END,
        triage = CASE WHEN seen.was = 'RESOLVED' AND ${isDefault} AND NOT findings.is_present THEN 'OPEN' ELSE seen.was END,
        due_at = seen.due_at,
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
