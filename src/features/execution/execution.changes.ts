// Changing executions: every change writes the row and its event in one statement and tells of it. Which changes there
// are is in execution.service.ts.

import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { ExecutionEventType } from '../../generated/prisma/client.js';
import type { Database, Statements } from '../../infra/postgres/database.js';
import { join, raw, type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import { columns, type ExecutionReads, type ExecutionRow } from './execution.reads.js';
import { isFinal, type TransitionTarget, transitions } from './execution.states.js';

interface ExecutionChangeOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  reads: ExecutionReads;
  now: () => number;
}

/** An entry of the log as it was written. */
export interface LoggedEvent {
  id: string;
  type: ExecutionEventType;
  /** RFC 3339 */
  at: string;
  /** Results that came with it, at most 100. */
  resultIds: string[];
  /** As it was right after; `lastEventNumber` is the event's. */
  execution: ExecutionRow;
}

/** What an event remembers of its execution: the columns that change. */
export const snapshot =
  raw(`jsonb_build_object('status', status, 'progress', progress, 'phase', phase, 'errorMessage', error_message,
  'startedAt', started_at, 'finishedAt', finished_at, 'infoCount', info_count, 'lowCount', low_count,
  'mediumCount', medium_count, 'highCount', high_count, 'criticalCount', critical_count)`);

export function createExecutionChanges({ db, events, audit, reads, now }: ExecutionChangeOptions) {
  const at = () => new Date(now());
  const listeners: ((event: LoggedEvent) => void)[] = [];

  /**
   * Updates the row and writes the event with the next number, in one statement; the row lock orders the numbers.
   * @param only further conditions on the row
   * @param results an INSERT of results for the same statement, which the assignments know as `inserted`, and the ids
   *   of those that the event names
   * @returns undefined when the row is not in one of the statuses, or not as `only` wants it
   */
  async function change(
    tx: Statements,
    executionId: string,
    from: readonly string[],
    type: ExecutionEventType,
    assignments: Sql[],
    { only = [], results }: { only?: Sql[]; results?: { inserted: Sql; ids: Sql } } = {},
  ): Promise<ExecutionRow | undefined> {
    const [id, moment] = [newId(), at()];
    const isIn = [sql`id = ${executionId}::uuid`, sql`status = ANY(${from}::execution_status[])`];
    const first = results === undefined ? sql`` : sql`inserted AS (${results.inserted}), `;
    const [changed] = await tx.query<ExecutionRow & { resultIds: string[] }>(sql`
      WITH ${first}changed AS (
        UPDATE test_executions SET ${join([...assignments, sql`last_event_number = last_event_number + 1`])}
        ${where([...isIn, ...only])} RETURNING *
      ), event AS (
        INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
        SELECT ${id}::uuid, id, last_event_number, ${type}::execution_event_type, ${moment}::timestamptz, ${snapshot}, ${results?.ids ?? sql`'{}'`}
        FROM changed RETURNING result_ids
      )
      SELECT ${columns}, (SELECT result_ids FROM event) AS "resultIds" FROM changed`);
    if (changed === undefined) return undefined;
    const { resultIds, ...row } = changed;
    const event = { id, type, at: moment.toISOString(), resultIds, execution: row };
    tx.afterCommit(() => {
      for (const listener of listeners) listener(event);
    });
    announce(tx, row);
    return row;
  }

  /** Wakes those who watch, once the event is there to be read. */
  function announce(tx: Statements, { id, lastEventNumber }: ExecutionRow): void {
    tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: lastEventNumber }));
  }

  function refusal(row: Pick<ExecutionRow, 'status'>, wanted: string): AppError {
    if (isFinal(row.status))
      return new AppError('EXECUTION_FINISHED', { message: `The execution is ${row.status} already.` });
    return new AppError('CONFLICT', { message: `An execution that is ${row.status} cannot ${wanted}.` });
  }

  /** One conditional UPDATE; of two racing transitions one wins and the other gets CONFLICT. */
  async function transition(
    viewer: Viewer,
    id: string,
    to: TransitionTarget,
    {
      action,
      extra = [],
      changes = {},
    }: { action: string; extra?: Sql[]; changes?: Record<string, unknown> },
  ): Promise<ExecutionRow> {
    const before = await reads.getChangeable(viewer, id);
    const { from, event } = transitions[to];
    if (!(from as readonly string[]).includes(before.status)) throw refusal(before, `become ${to}`);
    return db.transaction(async (tx) => {
      const row = await change(tx, id, [before.status], event, [
        sql`status = ${to}`,
        ...(to === 'RUNNING' ? [sql`started_at = ${at()}`] : []),
        ...(isFinal(to) ? [sql`finished_at = ${at()}`, sql`lease_expires_at = NULL`] : []),
        ...extra,
      ]);
      if (row === undefined)
        throw new AppError('CONFLICT', { message: 'The execution was changed at the same time.' });
      audit.record(tx, {
        action,
        actor: viewer,
        targetType: 'TestExecution',
        targetId: id,
        changes: { status: { from: before.status, to }, ...changes },
      });
      return row;
    });
  }

  return {
    change,
    announce,
    transition,
    refusal,

    /** Calls back for every event that this process has written, once it is committed and before it is published. */
    onEvent(listener: (event: LoggedEvent) => void): void {
      listeners.push(listener);
    },
  };
}
