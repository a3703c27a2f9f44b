// The executions' live events: one execution without a gap, or all of them, resumed behind a cursor (ADR 22). event-log.ts reads the log.
import type { Logger } from 'pino';
import { roleIn, type Viewer } from '../../core/permissions.js';
import { emptyStream, type Stream } from '../../core/pull-stream.js';
import type { Timing } from '../../core/timeouts.js';
import type { Database } from '../../infra/postgres/database.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { ExecutionService } from '../execution/execution.service.js';
import { createChangeStreams } from './change-streams.js';
import { changedSince, lastNumbers, numberOf } from './event-cursors.js';
import { createEventLog, type ExecutionEvent, type WrittenEvent } from './event-log.js';
import { createLiveExecutions } from './live-execution.js';
import { createFeed } from './live-feed.js';

interface EventServiceOptions {
  db: Database;
  events: Events;
  executions: ExecutionService;
  log: Logger;
  timing: Timing;
}

/** Follows the events of executions. */
export type EventService = ReturnType<typeof createEventService>;

/** Creates the service, which listens to the executions and to the other instances until it is closed. */
export function createEventService({ db, events, executions, log, timing }: EventServiceOptions) {
  const onError = (error: unknown) => log.warn({ event: 'event_log_unreadable', err: error });
  const eventLog = createEventLog(db, executions);
  const liveExecutions = createLiveExecutions<ExecutionEvent>({
    read: eventLog.read,
    lastNumbers: (ids) => lastNumbers(db, ids),
    onError,
    timing,
  });
  const feed = createFeed<WrittenEvent>({
    readAfter: eventLog.readAfter,
    changedSince: (floor) => changedSince(db, floor),
    onError,
    timing,
  });
  const changes = createChangeStreams({ db, events, executions, feed, readPage: eventLog.readIds });
  executions.onEvent((logged) => {
    const event = eventLog.eventOf(logged);
    liveExecutions.offer(event.executionId, event);
  });
  events.subscribe('execution.changed', ({ executionId, number }) => {
    liveExecutions.heard(executionId, number);
    if (number > 0) feed.heard(executionId, number);
  });

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
      const position = await numberOf(db, executionId, after);
      if (executions.isFinal(execution) && position >= execution.lastEventNumber) return emptyStream();
      return liveExecutions.follow(executionId, position, execution.lastEventNumber, signal);
    },

    /** See {@link createChangeStreams}. */
    changes,

    /** Ends all streams, for the server's stop. */
    async close(): Promise<void> {
      await liveExecutions.close();
      await feed.close();
    },
  };
}
