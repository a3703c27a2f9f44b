// Reads the executions' event log: by execution, by position, by id. event-cursors.ts has cursors;
// execution-event.service.ts follows the log.
import { LRUCache } from 'lru-cache';
import type { ExecutionEventType } from '../../generated/prisma/client.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { LoggedEvent } from '../execution/execution.changes.js';
import type { ExecutionRow } from '../execution/execution.rows.js';
import type { ExecutionService } from '../execution/execution.service.js';
import type { FeedPosition } from './feed-reader.js';
import type { Numbered, Written } from './types.js';

/** An event with its execution as it was then. */
export interface ExecutionEvent extends LoggedEvent, Numbered {
  executionId: string;
}

/** An event as the log has it. */
export type WrittenEvent = ExecutionEvent & Written;

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
  writer: string;
}

/** Types of events that nothing follows. */
const lastTypes: readonly ExecutionEventType[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];
const columns = sql`e.id, e.execution_id AS "executionId", e.number, e.type, e.at, e.snapshot, e.result_ids AS "resultIds",
  e.xmin::text AS writer`;

/** Creates the reader of the log. */
export function createEventLog(db: Database, executions: ExecutionService) {
  const intern = createInterning();

  /** Joins rows of the log with their executions. */
  async function complete(rows: LogRow[]): Promise<WrittenEvent[]> {
    const ids = [...new Set(rows.map(({ executionId }) => executionId))];
    const found = ids.length === 0 ? [] : await executions.readByIds(ids);
    const byId = new Map(found.map((execution) => [execution.id, intern(execution)]));
    return rows.flatMap((row) => {
      const execution = byId.get(row.executionId);
      return execution === undefined ? [] : [toEvent(row, execution)];
    });
  }

  async function read(executionId: string, after: number, limit: number): Promise<WrittenEvent[]> {
    return complete(
      await db.query<LogRow>(sql`
        SELECT ${columns} FROM execution_events e
        WHERE e.execution_id = ${executionId}::uuid AND e.number > ${after} ORDER BY e.number LIMIT ${limit}`),
    );
  }

  async function readAfter(positions: FeedPosition[], floor: string, limit: number): Promise<WrittenEvent[]> {
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

  async function readIds(ids: readonly string[]): Promise<WrittenEvent[]> {
    const rows = await db.query<LogRow>(
      sql`SELECT ${columns} FROM execution_events e WHERE e.id = ANY(${ids}::uuid[])`,
    );
    const byId = new Map((await complete(rows)).map((event) => [event.id, event]));
    return ids.flatMap((id) => byId.get(id) ?? []);
  }

  /** An event as this process has just written it, in the form in which it is read. */
  function eventOf(logged: LoggedEvent): ExecutionEvent {
    const execution = intern(logged.execution);
    const { id: executionId, lastEventNumber: number } = execution;
    return { ...logged, executionId, execution, number, isLast: lastTypes.includes(logged.type) };
  }

  return { eventOf, read, readAfter, readIds };
}

/** Keeps one object of parameters for all events of an execution: it may have 64 KiB and never changes. */
function createInterning(): (execution: ExecutionRow) => ExecutionRow {
  const parameters = new LRUCache<string, NonNullable<ExecutionRow['parameters']>>({ max: 1000 });
  return (execution) => {
    const cached = parameters.get(execution.id);
    if (cached !== undefined) return { ...execution, parameters: cached };
    parameters.set(execution.id, execution.parameters ?? {});
    return execution;
  };
}

function toEvent(row: LogRow, execution: ExecutionRow): WrittenEvent {
  const { snapshot, id, type, at, number, resultIds } = row;
  const startedAt = snapshot.startedAt && new Date(snapshot.startedAt).toISOString();
  const finishedAt = snapshot.finishedAt && new Date(snapshot.finishedAt).toISOString();
  return {
    id,
    type,
    at,
    number,
    resultIds,
    executionId: row.executionId,
    writer: Number(row.writer),
    isLast: lastTypes.includes(type),
    execution: { ...execution, ...snapshot, startedAt, finishedAt },
  };
}
