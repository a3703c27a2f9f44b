// Executions: reads, creates, moves and deletes them; the modules beside it have how. Results have a service of their own.
import type { Viewer } from '../../core/permissions.js';
import type { Transaction } from '../../infra/postgres/database.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { ReportExecution } from '../webhook/webhook.events.js';
import { createExecutionChanges, refusal } from './execution.changes.js';
import { assertTakesReports, createExecution, createStartedExecution } from './execution.creation.js';
import type { CreateExecutionInput } from './execution.input.js';
import { createExecutionReads } from './execution.reads.js';
import { type ExecutionRemovalOptions, removeExecution, setHold } from './execution.removal.js';
import type { ExecutionRow } from './execution.rows.js';
import { activeStatuses, isFinal } from './execution.states.js';
import { createExecutionSteps } from './execution.steps.js';

export type { ExecutionRow } from './execution.rows.js';

/** Dependencies of storing and announcing executions. */
export interface ExecutionServiceOptions extends ExecutionRemovalOptions {
  events: Events;
  /** Reports starts and ends to webhooks. */
  reportExecution: ReportExecution;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Reads and changes executions. */
export type ExecutionService = ReturnType<typeof createExecutionService>;

/** Creates the service. */
export function createExecutionService(options: ExecutionServiceOptions) {
  const { db, audit, now } = options;
  const reads = createExecutionReads(db);
  const changes = createExecutionChanges({ ...options, reads });
  const steps = createExecutionSteps({ db, reads, changes, now });
  const { announce, change, onEvent } = changes;
  const { matches, projectIdOf, readByIds, byIds, get, getChangeable, lockChangeable, list } = reads;
  const creation = { db, audit, announce };

  return {
    matches,
    projectIdOf,
    readByIds,
    byIds,
    get,
    getChangeable,
    lockChangeable,
    list,
    change,
    refusal,
    onEvent,
    activeStatuses,

    /** Whether no further change can happen. */
    isFinal: ({ status }: Pick<ExecutionRow, 'status'>): boolean => isFinal(status),

    /** See {@link createExecution}: a waiting execution. */
    create: (viewer: Viewer, input: CreateExecutionInput) => createExecution(creation, viewer, input),

    /** See {@link assertTakesReports}. */
    assertTakesReports: (viewer: Viewer, input: Pick<CreateExecutionInput, 'project'>) =>
      assertTakesReports(db, viewer, input),

    /** See {@link createStartedExecution}. */
    createStarted: (tx: Transaction, viewer: Viewer, input: CreateExecutionInput, leaseSeconds: number) =>
      createStartedExecution({ audit, announce, change, now }, tx, viewer, input, leaseSeconds),

    /** A new execution with the settings of another, which it refers to. @throws NOT_FOUND */
    rerun: async (viewer: Viewer, id: string) => {
      const row = await get(viewer, id);
      return createExecution(creation, viewer, settingsOf(row), row);
    },

    start: steps.start,
    reportProgress: steps.reportProgress,
    complete: steps.complete,
    fail: steps.fail,
    cancel: steps.cancel,

    /** See {@link removeExecution}. */
    remove: (viewer: Viewer, id: string) => removeExecution(options, reads, viewer, id),

    /** See {@link setHold}. */
    setHold: (viewer: Viewer, id: string, reason: string | null) => setHold(options, viewer, id, reason),
  };
}

function settingsOf(row: ExecutionRow): CreateExecutionInput {
  const { name, target, kind, category, tool, toolVersion, branch, commitSha } = row;
  const parameters = row.parameters as Record<string, unknown>;
  return { name, target, kind, category, tool, toolVersion, branch, commitSha, parameters };
}
