// Executions: creating, moving through their states, reading. Results have their own service.
import { canChangeExecution, type Viewer } from '../../core/access.js';
import { AppError, invalid } from '../../core/errors.js';
import { idFloor, momentOf, newId } from '../../core/ids.js';
import type { Page, PageArgs } from '../../core/page.js';
import { Prisma, type TestExecution } from '../../generated/prisma/client.js';
import type { Database, SqlRow, Transaction } from '../../infra/database.js';
import { violates } from '../../infra/database-errors.js';
import type { Events } from '../../infra/events.js';
import {
  type Columns,
  columnsOf,
  containing,
  fetchPage,
  isMoment,
  join,
  type KeysetOrder,
  raw,
  type Sql,
  selectLists,
  sql,
  where,
} from '../../infra/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type {
  CreateExecutionInput,
  ExecutionFilter,
  ExecutionOrder,
  ReportProgressInput,
} from './execution.input.js';
import { activeStatuses, isFinal, type TransitionTarget, transitions } from './execution.states.js';

export type ExecutionRow = SqlRow<TestExecution>;

interface ExecutionServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  now: () => number;
}

const columns = columnsOf(Prisma.TestExecutionScalarFieldEnum);
/** With what cursors are made of. */
const selectList = selectLists(Prisma.TestExecutionScalarFieldEnum, ['id', 'name', 'finishedAt']);
/** What an event remembers of its execution: the columns that change. */
const snapshot =
  raw(`jsonb_build_object('status', status, 'progress', progress, 'phase', phase, 'errorMessage', error_message,
  'startedAt', started_at, 'finishedAt', finished_at, 'infoCount', info_count, 'lowCount', low_count,
  'mediumCount', medium_count, 'highCount', high_count, 'criticalCount', critical_count)`);

/** Keyset orders that the API offers. */
function orderOf(order: ExecutionOrder | null | undefined): KeysetOrder<ExecutionRow> {
  const isDescending = order?.direction !== 'ASC';
  switch (order?.field) {
    case 'NAME':
      return {
        name: 'NAME',
        isDescending,
        key: {
          expression: sql`name`,
          type: sql`text`,
          of: (row) => row.name,
          is: (text) => !text.includes('\0'),
        },
      };
    case 'FINISHED_AT':
      return {
        name: 'FINISHED_AT',
        isDescending,
        key: {
          expression: sql`COALESCE(finished_at, 'infinity'::timestamptz)`,
          type: sql`timestamptz`,
          of: (row) => row.finishedAt ?? 'infinity',
          is: (text) => text === 'infinity' || isMoment(text),
        },
      };
    default:
      return { name: 'CREATED_AT', isDescending };
  }
}

function conditionsOf(filter: ExecutionFilter): Sql[] {
  const { status, kind, target, search, createdById, createdAfter, createdBefore } = filter;
  return [
    ...(status == null ? [] : [sql`status = ANY(${status}::execution_status[])`]),
    ...(kind == null ? [] : [sql`kind = ANY(${kind}::test_kind[])`]),
    ...(target == null ? [] : [sql`target = ${target}`]),
    ...(search == null
      ? []
      : [sql`(name ILIKE ${containing(search)} OR target ILIKE ${containing(search)})`]),
    ...(createdById == null ? [] : [sql`created_by_id = ${createdById}::uuid`]),
    ...(createdAfter == null ? [] : [sql`id >= ${idFloor(createdAfter.getTime())}::uuid`]),
    ...(createdBefore == null ? [] : [sql`id < ${idFloor(createdBefore.getTime())}::uuid`]),
  ];
}

/** Rows that the viewer may see: all of them for every role today; the one place to narrow it. */
function visibleTo(_viewer: Viewer): Sql[] {
  return [];
}

/** The filter and the visibility as conditions on a row, for what does not come from a query. */
function matches(_viewer: Viewer, filter: ExecutionFilter, row: ExecutionRow): boolean {
  const { status, kind, target, search, createdById, createdAfter, createdBefore } = filter;
  const createdAt = Date.parse(row.createdAt);
  const has = (text: string) => text.toLowerCase().includes((search ?? '').toLowerCase());
  return (
    (status == null || status.includes(row.status)) &&
    (kind == null || kind.includes(row.kind)) &&
    (target == null || target === row.target) &&
    (search == null || has(row.name) || has(row.target)) &&
    (createdById == null || createdById === row.createdById) &&
    (createdAfter == null || createdAt >= createdAfter.getTime()) &&
    (createdBefore == null || createdAt < createdBefore.getTime())
  );
}

export type ExecutionService = ReturnType<typeof createExecutionService>;

export function createExecutionService({ db, events, audit, now }: ExecutionServiceOptions) {
  const at = () => new Date(now());

  /** Rows by id in any order, whoever asks: for those who check on their own. */
  const readByIds = (ids: readonly string[]): Promise<ExecutionRow[]> =>
    db.query<ExecutionRow>(sql`SELECT ${columns} FROM test_executions WHERE id = ANY(${ids}::uuid[])`);

  /** Executions by id, in the order asked; null where there is none that the viewer may see. */
  async function byIds(
    viewer: Viewer,
    ids: readonly string[],
    wanted?: Columns,
  ): Promise<(ExecutionRow | null)[]> {
    const rows = await db.query<ExecutionRow>(
      sql`SELECT ${selectList(wanted)} FROM test_executions ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  }

  /**
   * @param wanted columns that will be looked at; undefined for all
   * @throws NOT_FOUND
   */
  async function get(viewer: Viewer, id: string, wanted?: Columns): Promise<ExecutionRow> {
    const [row] = await byIds(viewer, [id], wanted);
    if (row == null) throw new AppError('NOT_FOUND');
    return row;
  }

  /**
   * The row, when the viewer may change it.
   * @throws NOT_FOUND
   * @throws FORBIDDEN for someone else's execution
   */
  async function getChangeable(viewer: Viewer, id: string): Promise<ExecutionRow> {
    const row = await get(viewer, id);
    assertChangeable(viewer, row);
    return row;
  }

  /** As {@link getChangeable}, with the row locked until the transaction ends. */
  async function lockChangeable(tx: Transaction, viewer: Viewer, id: string): Promise<ExecutionRow> {
    const [row] = await tx.query<ExecutionRow>(sql`
      SELECT ${columns} FROM test_executions ${where([sql`id = ${id}::uuid`, ...visibleTo(viewer)])} FOR UPDATE`);
    if (row === undefined) throw new AppError('NOT_FOUND');
    assertChangeable(viewer, row);
    return row;
  }

  function assertChangeable(viewer: Viewer, row: ExecutionRow): void {
    if (!canChangeExecution(viewer, row)) {
      throw new AppError('FORBIDDEN', {
        message: 'Only who created or claimed it, or an admin, may change this execution.',
      });
    }
  }

  /**
   * Updates the row and writes the event with the next number, in one statement; the row lock orders the numbers.
   * @param results an INSERT of results for the same statement, which the assignments know as `inserted`, and the
   *   ids of those that the event names
   * @returns undefined when the row is not in one of the statuses
   */
  async function change(
    tx: Transaction,
    id: string,
    from: readonly string[],
    event: string,
    assignments: Sql[],
    results?: { inserted: Sql; ids: Sql },
  ): Promise<ExecutionRow | undefined> {
    const first = results === undefined ? sql`` : sql`inserted AS (${results.inserted}), `;
    const [row] = await tx.query<ExecutionRow>(sql`
      WITH ${first}changed AS (
        UPDATE test_executions SET ${join([...assignments, sql`last_event_number = last_event_number + 1`])}
        WHERE id = ${id}::uuid AND status = ANY(${from}::execution_status[]) RETURNING *
      ), event AS (
        INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
        SELECT ${newId()}::uuid, id, last_event_number, ${event}::execution_event_type, ${at()}::timestamptz, ${snapshot}, ${results?.ids ?? sql`'{}'`}
        FROM changed
      )
      SELECT ${columns} FROM changed`);
    if (row !== undefined) announce(tx, row);
    return row;
  }

  /** Wakes those who watch, once the event is there to be read. */
  function announce(tx: Transaction, { id, lastEventNumber }: ExecutionRow): void {
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
    const before = await getChangeable(viewer, id);
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
      await audit.record(tx, {
        action,
        actor: viewer,
        targetType: 'TestExecution',
        targetId: id,
        changes: { status: { from: before.status, to }, ...changes },
      });
      return row;
    });
  }

  async function insert(
    viewer: Viewer,
    input: CreateExecutionInput,
    rerunOfId: string | null,
  ): Promise<ExecutionRow> {
    const id = newId();
    const work = async (tx: Transaction): Promise<ExecutionRow> => {
      const [row] = await tx.query<ExecutionRow>(sql`
        WITH created AS (
          INSERT INTO test_executions (id, name, target, kind, status, parameters, tool, tool_version, branch, commit_sha,
            idempotency_key, created_by_id, rerun_of_id, last_event_number, created_at)
          VALUES (${id}, ${input.name}, ${input.target}, ${input.kind}, 'QUEUED', ${JSON.stringify(input.parameters ?? {})},
            ${input.tool ?? null}, ${input.toolVersion ?? null}, ${input.branch ?? null}, ${input.commitSha ?? null},
            ${input.idempotencyKey ?? null}, ${viewer.userId}, ${rerunOfId}, 1, ${momentOf(id)})
          ON CONFLICT (created_by_id, idempotency_key) DO NOTHING RETURNING *
        ), event AS (
          INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
          SELECT ${newId()}::uuid, id, 1, 'CREATED', created_at, ${snapshot}, '{}' FROM created
        )
        SELECT ${columns} FROM created`);
      if (row === undefined) {
        const [existing] = await tx.query<ExecutionRow>(sql`
          SELECT ${columns} FROM test_executions
          WHERE created_by_id = ${viewer.userId} AND idempotency_key = ${input.idempotencyKey}`);
        if (existing === undefined) throw new AppError('CONFLICT');
        return existing;
      }
      await audit.record(tx, {
        action: rerunOfId === null ? 'execution.create' : 'execution.rerun',
        actor: viewer,
        targetType: 'TestExecution',
        targetId: id,
        changes: { name: input.name, target: input.target, kind: input.kind },
      });
      announce(tx, row);
      return row;
    };
    return db.transaction(work).catch((error: unknown) => {
      // Written out, as jsonb does, numbers like 1e300 are long.
      if (violates(error, 'test_executions_parameters_size_check'))
        throw invalid('input.parameters', 'must be at most 64 KiB of JSON');
      // Deleted since they were read.
      if (violates(error, 'test_executions_rerun_of_id_fkey')) throw new AppError('NOT_FOUND');
      if (violates(error, 'test_executions_created_by_id_fkey')) throw new AppError('TOKEN_REVOKED');
      throw error;
    });
  }

  return {
    byIds,
    get,
    getChangeable,
    lockChangeable,
    change,
    refusal,
    activeStatuses,
    readByIds,
    matches,
    /** Whether nothing more will happen to it. */
    isFinal: ({ status }: Pick<ExecutionRow, 'status'>): boolean => isFinal(status),

    /**
     * Filtered, ordered (newest first unless asked otherwise) keyset pages.
     * @param wanted columns of the rows that will be looked at; undefined for all
     */
    async list(
      viewer: Viewer,
      filter: ExecutionFilter,
      order: ExecutionOrder | null | undefined,
      args: PageArgs,
      wanted?: Columns,
    ): Promise<Page<ExecutionRow>> {
      const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
      const source = {
        select: sql`SELECT ${selectList(wanted)} FROM test_executions`,
        conditions,
        order: orderOf(order),
      };
      const query = conditions.length === 0 ? db.query : db.queryAnew;
      return fetchPage<ExecutionRow>(query, source, args, async () => {
        const [row] = await query<{ count: number }>(
          sql`SELECT count(*)::int AS count FROM test_executions ${where(conditions)}`,
        );
        return row?.count ?? 0;
      });
    },

    /** A new execution that waits; the same one again for a repeated idempotencyKey. */
    create: (viewer: Viewer, input: CreateExecutionInput): Promise<ExecutionRow> =>
      insert(viewer, input, null),

    /**
     * A new execution with the settings of another, to which it points.
     * @throws NOT_FOUND
     */
    async rerun(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const { name, target, kind, parameters, tool, toolVersion, branch, commitSha } = await get(viewer, id);
      const input = {
        name,
        target,
        kind,
        tool,
        toolVersion,
        branch,
        commitSha,
        parameters: parameters as Record<string, unknown>,
      };
      return insert(viewer, input, id);
    },

    /**
     * QUEUED → RUNNING, without a lease.
     * @throws NOT_FOUND
     * @throws FORBIDDEN
     * @throws CONFLICT
     * @throws EXECUTION_FINISHED
     */
    start: (viewer: Viewer, id: string) => transition(viewer, id, 'RUNNING', { action: 'execution.start' }),

    /**
     * Raises the progress (it never goes back) and sets the phase; renews the lease of a claimed run.
     * @throws NOT_FOUND
     * @throws FORBIDDEN
     * @throws CONFLICT unless it runs
     * @throws EXECUTION_FINISHED
     */
    async reportProgress(
      viewer: Viewer,
      { executionId, progress, phase }: ReportProgressInput,
    ): Promise<ExecutionRow> {
      const before = await getChangeable(viewer, executionId);
      if (!activeStatuses.includes(before.status)) throw refusal(before, 'report progress');
      const row = await db.transaction((tx) =>
        change(tx, executionId, activeStatuses, 'PROGRESS', [
          sql`progress = GREATEST(progress, ${progress}::smallint)`,
          sql`phase = COALESCE(${phase ?? null}, phase)`,
          sql`lease_expires_at = ${at()}::timestamptz + make_interval(secs => lease_seconds)`,
        ]),
      );
      if (row === undefined) throw refusal(await get(viewer, executionId), 'report progress');
      return row;
    },

    /** RUNNING or CANCEL_REQUESTED → COMPLETED; errors as {@link start}. */
    complete: (viewer: Viewer, id: string) =>
      transition(viewer, id, 'COMPLETED', { action: 'execution.complete', extra: [sql`progress = 100`] }),

    /** Anything unfinished → FAILED; errors as {@link start}. */
    fail: (viewer: Viewer, id: string, errorMessage: string) =>
      transition(viewer, id, 'FAILED', {
        action: 'execution.fail',
        extra: [sql`error_message = ${errorMessage}`],
        changes: { errorMessage: errorMessage.slice(0, 500).toWellFormed() },
      }),

    /**
     * Calls it off: a waiting one is CANCELLED at once, a running one gets CANCEL_REQUESTED, and a second call (the
     * runner's acknowledgement, or one's own insistence) makes that CANCELLED. Errors as {@link start}.
     */
    async cancel(viewer: Viewer, id: string): Promise<ExecutionRow> {
      const { status } = await getChangeable(viewer, id);
      return transition(viewer, id, status === 'RUNNING' ? 'CANCEL_REQUESTED' : 'CANCELLED', {
        action: 'execution.cancel',
      });
    },

    /**
     * Deletes it with its results and log.
     * @throws NOT_FOUND
     * @throws FORBIDDEN for someone else's
     */
    async remove(viewer: Viewer, id: string): Promise<void> {
      const row = await get(viewer, id);
      if (viewer.role !== 'ADMIN' && row.createdById !== viewer.userId) {
        throw new AppError('FORBIDDEN', {
          message: 'Only who created it, or an admin, may delete this execution.',
        });
      }
      await db.transaction(async (tx) => {
        const gone = await tx.query(sql`DELETE FROM test_executions WHERE id = ${id} RETURNING id`);
        if (gone.length === 0) throw new AppError('NOT_FOUND');
        await audit.record(tx, {
          action: 'execution.delete',
          actor: viewer,
          targetType: 'TestExecution',
          targetId: id,
          changes: { name: row.name, target: row.target, status: row.status },
        });
        tx.afterCommit(() => events.publish('execution.changed', { executionId: id, number: 0 }));
      });
    },
  };
}
