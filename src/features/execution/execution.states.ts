// The states of an execution and their transitions, as data; one conditional UPDATE in execution.changes.ts enforces them.
import type { ExecutionEventType, ExecutionStatus } from '../../generated/prisma/enums.js';

/** Target status → statuses that precede it, and the event that reports it. */
export const transitions = {
  RUNNING: { from: ['QUEUED'], event: 'STARTED' },
  CANCEL_REQUESTED: { from: ['RUNNING'], event: 'CANCEL_REQUESTED' },
  COMPLETED: { from: ['RUNNING', 'CANCEL_REQUESTED'], event: 'COMPLETED' },
  FAILED: { from: ['QUEUED', 'RUNNING', 'CANCEL_REQUESTED'], event: 'FAILED' },
  CANCELLED: { from: ['QUEUED', 'CANCEL_REQUESTED'], event: 'CANCELLED' },
  INTERRUPTED: { from: ['RUNNING', 'CANCEL_REQUESTED'], event: 'INTERRUPTED' },
} as const satisfies Partial<
  Record<ExecutionStatus, { from: readonly ExecutionStatus[]; event: ExecutionEventType }>
>;

/** A status that an execution can change to. */
export type TransitionTarget = keyof typeof transitions;

/** Statuses without a successor. */
export const finalStatuses: readonly ExecutionStatus[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];

/** Statuses in which a run reports progress and adds results. */
export const activeStatuses: readonly ExecutionStatus[] = ['RUNNING', 'CANCEL_REQUESTED'];

/** Whether a status has no successor. */
export function isFinal(status: ExecutionStatus): boolean {
  return finalStatuses.includes(status);
}
