// Writes changes of executions: the row and its event in one statement, then the wake-up of subscribers.
// execution.service.ts has the list of changes.
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { ExecutionEventType } from '../../generated/prisma/client.js';
import type { Database, Statements } from '../../infra/postgres/database.js';
import { join, raw, type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ReportExecution } from '../webhook/webhook.events.js';
import type { ExecutionReads } from './execution.reads.js';
import { changeableBy, columns, type ExecutionRow } from './execution.rows.js';
import { isFinal, type TransitionTarget, transitions } from './execution.states.js';

/** Dependencies of writing changes. */
export interface ExecutionChangeOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  reads: ExecutionReads;
  /** Reports starts and ends to webhooks. */
  reportExecution: ReportExecution;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** An entry of an execution's log as it was written. */
export interface LoggedEvent {
  id: string;
  type: ExecutionEventType;
  /** RFC 3339 */
  at: string;
  /** Ids of the results that came with it, at most 100. */
  resultIds: string[];
  /** The execution right after the event; `lastEventNumber` is the event's number. */
  execution: ExecutionRow;
}

/** Results that are written together with a change. */
export interface ResultsOfChange {
  /** A statement that returns the written results, which the assignments refer to as `inserted`. */
  inserted: Sql;
  /** Ids of the results that the event names. */
  ids: Sql;
  /** Gets the number of written results. */
  onCount?: (count: number) => void;
}

/** Further parts of a change. */
export interface ChangeParts {
  /** Further conditions on the row. */
  only?: Sql[];
  results?: ResultsOfChange;
}

/** The part of an execution that an event keeps: the columns that change. */
export const snapshot =
  raw(`jsonb_build_object('status', status, 'progress', progress, 'phase', phase, 'errorMessage', error_message,
  'startedAt', started_at, 'finishedAt', finished_at, 'infoCount', info_count, 'lowCount', low_count,
  'mediumCount', medium_count, 'highCount', high_count, 'criticalCount', critical_count)`);

/** Writes changes. */
export type ExecutionChanges = ReturnType<typeof createExecutionChanges>;

/** Creates the writer of changes. */
export function createExecutionChanges(options: ExecutionChangeOptions) {
  const { events, now } = options;
  const listeners: ((event: LoggedEvent) => void)[] = [];

  /** Wakes the subscribers, once the event can be read. */
  const announce = (tx: Statements, { id, lastEventNumber }: ExecutionRow): void =>
    tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: lastEventNumber }));

  /**
   * Updates the row and writes the event with the next number, in one statement; the row lock orders the numbers.
   * @param from statuses that the row may have
   * @returns undefined when the row has another status, or does not meet `parts.only`
   */
  const change = async (
    tx: Statements,
    executionId: string,
    from: readonly string[],
    type: ExecutionEventType,
    assignments: Sql[],
    parts: ChangeParts = {},
  ): Promise<ExecutionRow | undefined> => {
    const at = new Date(now());
    const written = await writeChange(tx, { executionId, from, type, assignments, at }, parts);
    if (written === undefined) return undefined;
    const { id, resultIds, row } = written;
    if (type === 'STARTED' || isFinal(row.status)) await options.reportExecution(tx, row, at);
    const event = { id, type, at: at.toISOString(), resultIds, execution: row };
    tx.afterCommit(() => {
      for (const listener of listeners) listener(event);
    });
    announce(tx, row);
    return row;
  };

  return {
    change,
    announce,
    transition: (viewer: Viewer, id: string, to: TransitionTarget, details: TransitionDetails) =>
      transition(options, change, viewer, id, to, details),

    /** Calls back for every event that this process has written: after its commit, before it is published. */
    onEvent(listener: (event: LoggedEvent) => void): void {
      listeners.push(listener);
    },
  };
}

/** CONFLICT or EXECUTION_FINISHED, for a change that the row's status does not allow. */
export function refusal(row: Pick<ExecutionRow, 'status'>, wanted: string): AppError {
  if (isFinal(row.status))
    return new AppError('EXECUTION_FINISHED', { message: `The execution is ${row.status} already.` });
  return new AppError('CONFLICT', { message: `An execution that is ${row.status} cannot ${wanted}.` });
}

interface Change {
  executionId: string;
  from: readonly string[];
  type: ExecutionEventType;
  assignments: Sql[];
  at: Date;
}

async function writeChange(
  tx: Statements,
  { executionId, from, type, assignments, at }: Change,
  { only = [], results }: ChangeParts,
): Promise<{ id: string; resultIds: string[]; row: ExecutionRow } | undefined> {
  const id = newId();
  const isIn = [sql`id = ${executionId}::uuid`, sql`status = ANY(${from}::execution_status[])`];
  const first = results === undefined ? sql`` : sql`inserted AS (${results.inserted}), `;
  const count =
    results?.onCount === undefined ? sql`` : sql`, (SELECT count(*)::int FROM inserted) AS "resultCount"`;
  const [changed] = await tx.query<ExecutionRow & { resultIds: string[]; resultCount?: number }>(sql`
    WITH ${first}changed AS (
      UPDATE test_executions SET ${join([...assignments, sql`last_event_number = last_event_number + 1`])}
      ${where([...isIn, ...only])} RETURNING *
    ), event AS (
      INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
      SELECT ${id}::uuid, id, last_event_number, ${type}::execution_event_type, ${at}::timestamptz, ${snapshot}, ${results?.ids ?? sql`'{}'`}
      FROM changed RETURNING result_ids
    )
    SELECT ${columns}, (SELECT result_ids FROM event) AS "resultIds"${count} FROM changed`);
  if (changed === undefined) return undefined;
  const { resultIds, resultCount = 0, ...row } = changed;
  results?.onCount?.(resultCount);
  return { id, resultIds, row };
}

/** Values that come with a transition. */
export interface TransitionDetails {
  /** Of the audit event. */
  action: string;
  /** Further assignments. */
  extra?: Sql[];
  /** Further changes that the audit event names. */
  changes?: Record<string, unknown>;
}

/** One conditional UPDATE; of two racing transitions one wins and the other gets CONFLICT. */
async function transition(
  { db, audit, reads, now }: ExecutionChangeOptions,
  change: ExecutionChanges['change'],
  viewer: Viewer,
  id: string,
  to: TransitionTarget,
  { action, extra = [], changes = {} }: TransitionDetails,
): Promise<ExecutionRow> {
  const before = await reads.getChangeable(viewer, id);
  const { from, event } = transitions[to];
  if (!(from as readonly string[]).includes(before.status)) throw refusal(before, `become ${to}`);
  const at = new Date(now());
  return db.transaction(async (tx) => {
    const assignments = [
      sql`status = ${to}`,
      ...(to === 'RUNNING' ? [sql`started_at = ${at}`] : []),
      ...(isFinal(to) ? [sql`finished_at = ${at}`, sql`lease_expires_at = NULL`] : []),
      ...extra,
    ];
    // A caller who loses the right meanwhile changes nothing.
    const row = await change(tx, id, [before.status], event, assignments, { only: changeableBy(viewer) });
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
