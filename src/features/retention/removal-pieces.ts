// Removes the rows of deleted projects and hidden executions, a piece in each transaction, so that no statement of others waits
// long. Each piece stands by itself: a process that is killed in between loses nothing, and the next one goes on.
import { lockKeys, tryLock } from '../../infra/postgres/advisory-lock.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { ClosedRow, Unmerging } from '../finding/runs/unmerge.js';

/** Outcome of a piece. */
export interface Piece {
  /**
   * MORE: go on. BUSY: others work on the rows, or another instance removes; try again later. DONE: the project's row is gone.
   */
  outcome: 'MORE' | 'BUSY' | 'DONE';
  /** Rows that are gone. */
  rows: number;
}

/** Where the pieces of a project have come to. A process that starts again begins at the first row that is left. */
export interface Position {
  execution?: ExecutionPosition | undefined;
  finding?: { at: string; id: string } | undefined;
}

interface ExecutionPosition {
  id: string;
  /** Results to remove next: they are read ahead, without a lock, past the index entries of removed rows. */
  ids: string[];
  /** Whether no result was left when it was last looked. */
  isEmpty: boolean;
  /** The last row of another run that was opened. */
  closed?: ClosedRow | undefined;
}

/** Ids that are read ahead. */
const maxIds = 20_000;
const firstId = '00000000-0000-0000-0000-000000000000';
/** Longest time that a piece waits for a lock, during which others may wait for the locks that it holds. */
const lockTimeout = sql`SET LOCAL lock_timeout = '50ms'`;
const busy: Piece = { outcome: 'BUSY', rows: 0 };
const more = (rows: number): Piece => ({ outcome: 'MORE', rows });

interface HiddenExecution {
  id: string;
  scanBranchId: number | null;
  runNumber: number | null;
  /** The project whose findings its results belong to; null for none. */
  findingsOf: string | null;
  target: string;
}

/**
 * Removes up to `size` rows of a deleted project: results and executions first, then findings, then the project with the rest.
 * Results of a hidden execution are taken back from the findings of the project that it belonged to.
 */
export async function removePiece(
  tx: Transaction,
  unmerging: Unmerging,
  projectId: string,
  position: Position,
  size: number,
): Promise<Piece> {
  await tx.query(lockTimeout);
  if (!(await tryLock(tx, lockKeys.removal))) return busy;
  const [execution] = await tx.query<HiddenExecution>(sql`
    SELECT execution.id, execution.scan_branch_id AS "scanBranchId", run_number AS "runNumber",
      series.project_id AS "findingsOf", execution.target
    FROM test_executions AS execution
    LEFT JOIN scan_branches AS branch ON branch.id = execution.scan_branch_id
    LEFT JOIN scan_series AS series ON series.id = branch.series_id
    WHERE execution.project_id = ${projectId}::uuid ORDER BY execution.id LIMIT 1 FOR UPDATE OF execution SKIP LOCKED`);
  if (execution !== undefined) return removeOf(tx, unmerging, projectId, execution, position, size);
  if (await has(tx, sql`test_executions WHERE project_id = ${projectId}::uuid`)) return busy; // one is locked
  const findings = await removeFindings(tx, projectId, position, size);
  return findings > 0 ? more(findings) : removeProject(tx, projectId);
}

async function removeOf(
  tx: Transaction,
  unmerging: Unmerging,
  projectId: string,
  execution: HiddenExecution,
  position: Position,
  size: number,
): Promise<Piece> {
  const { id } = execution;
  if (position.execution?.id !== id) position.execution = { id, ids: [], isEmpty: false };
  const at = position.execution;
  if (at.ids.length === 0 && !at.isEmpty) {
    at.ids = await readAhead(tx, id);
    at.isEmpty = at.ids.length === 0;
    return more(0);
  }
  const isHidden = execution.findingsOf !== null && execution.findingsOf !== projectId;
  if (isHidden && (await isImported(tx, execution))) return busy;
  if (at.ids.length > 0) {
    const ids = at.ids.slice(0, size);
    if (isHidden) await unmerging.results(tx, execution, ids);
    else
      await tx.query(
        sql`DELETE FROM test_results WHERE id = ANY(${ids}::uuid[]) AND execution_id = ${id}::uuid`,
      );
    at.ids = at.ids.slice(ids.length); // a piece that fails ends the turn, and with it the position
    return more(ids.length);
  }
  if (isHidden) {
    at.closed = await unmerging.closed(tx, execution, at.closed, size);
    if (at.closed !== undefined) return more(size);
    await unmerging.end(tx, execution);
  }
  if (await has(tx, sql`test_results WHERE execution_id = ${id}::uuid`)) {
    position.execution = undefined; // results came meanwhile
    return more(0);
  }
  await tx.query(sql`DELETE FROM test_executions WHERE id = ${id}::uuid`);
  return more(1);
}

async function readAhead(tx: Transaction, executionId: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    sql`SELECT id FROM test_results WHERE execution_id = ${executionId}::uuid LIMIT ${maxIds}`,
  );
  return rows.map(({ id }) => id);
}

/** Whether imports of the same scans are under way: pieces would have them match their results again and again. */
function isImported(tx: Transaction, { findingsOf, target }: HiddenExecution): Promise<boolean> {
  return has(
    tx,
    sql`imports AS running JOIN test_executions AS execution ON execution.id = running.execution_id
      WHERE running.lease_expires_at IS NOT NULL AND running.state = 'RUNNING'
        AND execution.project_id = ${findingsOf}::uuid AND execution.target = ${target}`,
  );
}

async function removeFindings(
  tx: Transaction,
  projectId: string,
  position: Position,
  size: number,
): Promise<number> {
  const { at, id } = position.finding ?? { at: '-infinity', id: firstId };
  const removed = await tx.query<{ at: string; id: string }>(sql`
    WITH removed AS (
      DELETE FROM findings WHERE id IN (
        SELECT id FROM findings WHERE project_id = ${projectId}::uuid AND (first_seen_at, id) > (${at}::timestamptz, ${id}::uuid)
        ORDER BY first_seen_at, id LIMIT ${size})
      RETURNING first_seen_at, id
    )
    SELECT first_seen_at AS at, id FROM removed ORDER BY first_seen_at, id`);
  position.finding = removed.at(-1);
  return removed.length;
}

/** Removes the row of a project that has neither executions nor findings, and with it the rest: series, members, keys. */
async function removeProject(tx: Transaction, projectId: string): Promise<Piece> {
  const isIn = sql`project_id = ${projectId}::uuid`;
  await tx.query(sql`SELECT FROM projects WHERE id = ${projectId}::uuid FOR UPDATE`);
  for (const table of [sql`test_executions`, sql`findings`])
    if (await has(tx, sql`${table} WHERE ${isIn}`)) return more(0);
  for (const table of [sql`finding_counts`, sql`open_counts`, sql`due_counts`, sql`trend_counts`])
    await tx.query(sql`DELETE FROM ${table} WHERE ${isIn}`);
  await tx.query(sql`DELETE FROM projects WHERE id = ${projectId}::uuid AND deleted_at IS NOT NULL`);
  return { outcome: 'DONE', rows: 1 };
}

async function has(tx: Transaction, rows: Sql): Promise<boolean> {
  const [row] = await tx.query<{ isThere: boolean }>(sql`SELECT EXISTS (SELECT FROM ${rows}) AS "isThere"`);
  return row?.isThere === true;
}
