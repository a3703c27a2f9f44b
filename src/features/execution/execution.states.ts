// The life of an execution as data: which status follows which. Enforced by one conditional UPDATE in the service.
import type { ExecutionEventType, ExecutionStatus } from '../../generated/prisma/enums.js';

/** Target status → statuses it can be reached from, and the event that tells of it. */
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

export type TransitionTarget = keyof typeof transitions;

/** Statuses that nothing follows. */
export const finalStatuses: readonly ExecutionStatus[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];

/** Statuses in which a run reports progress and adds results. */
export const activeStatuses: readonly ExecutionStatus[] = ['RUNNING', 'CANCEL_REQUESTED'];

export function isFinal(status: ExecutionStatus): boolean {
  return finalStatuses.includes(status);
}
