// The executions' event log: reading it, and following it without a gap. Writing belongs to the executions' service.
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { invalid } from '../../core/errors.js';
import { roleIn, type Viewer } from '../../core/permissions.js';
import { emptyStream, type Stream } from '../../core/pull-stream.js';
import type { Timing } from '../../core/timeouts.js';
import type { ExecutionEventType } from '../../generated/prisma/client.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { LoggedEvent } from '../execution/execution.changes.js';
import type { ExecutionFilter } from '../execution/execution.input.js';
import type { ExecutionRow } from '../execution/execution.rows.js';
import type { ExecutionService } from '../execution/execution.service.js';
import { createHubs } from './live-execution.js';
import { createFeed, type FeedPosition } from './live-feed.js';
import type { Numbered } from './types.js';

/** An event with its execution as it was then. */
export interface ExecutionEvent extends LoggedEvent, Numbered {}

type Snapshot = Pick<
  ExecutionRow,
  | 'status'
  | 'progress'
  | 'phase'
  | 'errorMessage'
  | 'startedAt'
  | 'finishedAt'
  | 'infoCount'
  | 'lowCount'
  | 'mediumCount'
  | 'highCount'
  | 'criticalCount'
>;

interface LogRow {
  id: string;
  executionId: string;
  number: number;
  type: ExecutionEventType;
  at: string;
  snapshot: Snapshot;
  resultIds: string[];
}

interface EventServiceOptions {
  db: Database;
  events: Events;
  executions: ExecutionService;
  log: Logger;
  timing: Timing;
}

const lastTypes: readonly ExecutionEventType[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];
const columns = sql`e.id, e.execution_id AS "executionId", e.number, e.type, e.at, e.snapshot, e.result_ids AS "resultIds"`;

export type EventService = ReturnType<typeof createEventService>;

export function createEventService({ db, events, executions, log, timing }: EventServiceOptions) {
  const onError = (error: unknown) => log.warn({ event: 'event_log_unreadable', err: error });
  const hubs = createHubs<ExecutionEvent>({ read, lastNumbers, onError, timing });
  const feed = createFeed<ExecutionEvent>({ readAfter, changedSince, onError, timing });
  executions.onEvent((logged) => {
    const number = logged.execution.lastEventNumber;
    const execution = intern(logged.execution);
    hubs.offer(execution.id, { ...logged, execution, number, isLast: lastTypes.includes(logged.type) });
  });
  events.subscribe('execution.changed', ({ executionId, number }) => {
    hubs.heard(executionId, number);
    if (number > 0) feed.heard(executionId, number);
  });

  // One object for all events of an execution: it may have 64 KiB and never changes.
  const parameters = new LRUCache<string, NonNullable<ExecutionRow['parameters']>>({ max: 1000 });
  function intern(execution: ExecutionRow): ExecutionRow {
    const known = parameters.get(execution.id);
    if (known !== undefined) return { ...execution, parameters: known };
    parameters.set(execution.id, execution.parameters ?? {});
    return execution;
  }

  /** Joins rows of the log with their executions. */
  async function complete(rows: LogRow[]): Promise<ExecutionEvent[]> {
    const ids = [...new Set(rows.map(({ executionId }) => executionId))];
    const found = ids.length === 0 ? [] : await executions.readByIds(ids);
    const byId = new Map(found.map((execution) => [execution.id, intern(execution)]));
    return rows.flatMap((row) => {
      const execution = byId.get(row.executionId);
      return execution === undefined ? [] : [toEvent(row, execution)];
    });
  }

  async function read(executionId: string, after: number, limit: number): Promise<ExecutionEvent[]> {
    return complete(
      await db.query<LogRow>(sql`
        SELECT ${columns} FROM execution_events e
        WHERE e.execution_id = ${executionId}::uuid AND e.number > ${after} ORDER BY e.number LIMIT ${limit}`),
    );
  }

  async function lastNumbers(ids: string[]): Promise<Map<string, number>> {
    const rows = await db.query<{ id: string; number: number }>(
      sql`SELECT id, last_event_number AS number FROM test_executions WHERE id = ANY(${ids}::uuid[])`,
    );
    return new Map(rows.map(({ id, number }) => [id, number]));
  }

  async function readAfter(
    positions: FeedPosition[],
    floor: string,
    limit: number,
  ): Promise<ExecutionEvent[]> {
    const ids = positions.map(({ executionId }) => executionId);
    const after = positions.map((position) => position.after);
    const from = positions.map((position) => position.from);
    return complete(
      await db.query<LogRow>(sql`
        SELECT ${columns} FROM unnest(${ids}::uuid[], ${after}::int[], ${from}::int[])
          WITH ORDINALITY AS wanted(id, after, "from", position)
        JOIN execution_events e ON e.execution_id = wanted.id AND e.number > wanted.after
          AND (e.number >= wanted."from" OR e.id >= ${floor}::uuid)
        ORDER BY wanted.position, e.number LIMIT ${limit}`),
    );
  }

  async function changedSince(
    floor: string,
  ): Promise<{ executionId: string; first: number; last: number }[]> {
    return db.query(sql`
      SELECT execution_id AS "executionId", min(number) AS first, max(number) AS last FROM execution_events
      WHERE id >= ${floor}::uuid GROUP BY execution_id`);
  }

  /** The number of the event that a cursor names. @throws VALIDATION_FAILED for another execution's */
  async function numberOf(executionId: string, eventId: string | null | undefined): Promise<number> {
    if (eventId == null) return 0;
    const [row] = await db.query<{ number: number }>(
      sql`SELECT number FROM execution_events WHERE id = ${eventId}::uuid AND execution_id = ${executionId}::uuid`,
    );
    if (row === undefined) throw invalid('after', 'is not an event of this execution');
    return row.number;
  }

  return {
    /**
     * Every event of one execution after a cursor, in order and without gaps; ends after the last one.
     * @param after UUID of an event; null means from the first
     * @param signal ends the stream; its reason is thrown
     * @param goOnWhile gets the condition of the stream: the viewer sees the execution's project
     * @throws NOT_FOUND
     * @throws VALIDATION_FAILED for a cursor of another execution
     */
    async follow(
      viewer: Viewer,
      executionId: string,
      after: string | null | undefined,
      signal: AbortSignal,
      goOnWhile: (condition: () => boolean) => void,
    ): Promise<Stream<ExecutionEvent>> {
      const execution = await executions.get(viewer, executionId);
      goOnWhile(() => roleIn(viewer, execution.projectId) !== undefined);
      const position = await numberOf(executionId, after);
      if (executions.isFinal(execution) && position >= execution.lastEventNumber) return emptyStream();
      return hubs.follow(executionId, position, execution.lastEventNumber, signal);
    },

    /**
     * Changes of all executions that the viewer may see and the filter lets through, from now on.
     * @param signal ends the stream; its reason is thrown
     */
    async changes(
      viewer: Viewer,
      filter: ExecutionFilter,
      signal: AbortSignal,
    ): Promise<Stream<ExecutionEvent>> {
      const projectId = filter.project == null ? undefined : await executions.projectIdOf(filter.project);
      return feed.follow(({ execution }) => executions.matches(viewer, filter, execution, projectId), signal);
    },

    /** Ends all streams, for the server's stop. */
    async close(): Promise<void> {
      await hubs.close();
      await feed.close();
    },
  };
}

function toEvent(row: LogRow, execution: ExecutionRow): ExecutionEvent {
  const { snapshot, id, type, at, number, resultIds } = row;
  const startedAt = snapshot.startedAt && new Date(snapshot.startedAt).toISOString();
  const finishedAt = snapshot.finishedAt && new Date(snapshot.finishedAt).toISOString();
  return {
    id,
    type,
    at,
    number,
    resultIds,
    isLast: lastTypes.includes(type),
    execution: { ...execution, ...snapshot, startedAt, finishedAt },
  };
}
