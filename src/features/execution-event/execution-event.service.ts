// The executions' live events: one execution without a gap, or all of them, resumed behind a cursor (ADR 22). Reading the log is in event-log.ts.
import type { Logger } from 'pino';
import { idFloor } from '../../core/ids.js';
import { roleIn, type Viewer } from '../../core/permissions.js';
import { emptyStream, type Stream, toStream } from '../../core/pull-stream.js';
import type { Timing } from '../../core/timeouts.js';
import type { Database } from '../../infra/postgres/database.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { ExecutionFilter } from '../execution/execution.input.js';
import type { ExecutionService } from '../execution/execution.service.js';
import { createDeliveryTrails } from './delivery-trails.js';
import { changedSince, lastNumbers, numberOf, placesSince, resumeFloor } from './event-cursors.js';
import { createEventLog, type ExecutionEvent, lastTypes } from './event-log.js';
import { createLiveExecutions } from './live-execution.js';
import { createFeed } from './live-feed.js';
import { createResumedFeed, type LoggedPlace } from './resumed-feed.js';

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
  const { intern, read, readAfter } = eventLog;
  const liveExecutions = createLiveExecutions<ExecutionEvent>({
    read,
    lastNumbers: (ids) => lastNumbers(db, ids),
    onError,
    timing,
  });
  const trails = createDeliveryTrails();
  const feed = createFeed<ExecutionEvent>({
    readAfter,
    changedSince: (floor) => changedSince(db, floor),
    onError,
    timing,
  });
  executions.onEvent((logged) => {
    const number = logged.execution.lastEventNumber;
    const execution = intern(logged.execution);
    liveExecutions.offer(execution.id, {
      ...logged,
      executionId: execution.id,
      execution,
      number,
      isLast: lastTypes.includes(logged.type),
    });
  });
  events.subscribe('execution.changed', ({ executionId, number }) => {
    liveExecutions.heard(executionId, number);
    if (number > 0) feed.heard(executionId, number);
  });

  events.subscribe('feed.moved', ({ userId }) => trails.forget(userId));

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

    /**
     * Changes of all executions that the viewer may see and the filter lets through: those after the cursor, then live
     * ones. A client that resumes on the instance it was connected to gets each event once; on another one, events of
     * the six seconds before the cursor may come again.
     * @param after UUID of the last event seen; null means from now on
     * @param signal ends the stream; its reason is thrown
     * @throws CURSOR_EXPIRED when the cursor is older than 24 hours, or more than 10,000 events follow it
     */
    async changes(
      viewer: Viewer,
      filter: ExecutionFilter,
      after: string | null | undefined,
      signal: AbortSignal,
    ): Promise<Stream<ExecutionEvent>> {
      const { userId } = viewer;
      const projectId = filter.project == null ? undefined : await executions.projectIdOf(filter.project);
      const isWanted = ({ execution }: ExecutionEvent) =>
        executions.matches(viewer, filter, execution, projectId);
      const live = feed.follow(isWanted, signal, after != null);
      if (after == null) {
        const floor = idFloor(Date.now());
        return recorded(live, trails.begin(userId, { floor, seenBefore: undefined }));
      }
      try {
        const places = await placesSince(db, after);
        const given = trails.seenAt(userId, after);
        if (given === undefined) events.publish('feed.moved', { userId });
        const isSeen = given ?? surelySeen(places, after);
        const log = places.map((place) => ({ ...place, isSeen: isSeen(place) }));
        const floor = resumeFloor(after);
        const seenBefore = new Set(log.filter((place) => place.isSeen).map(({ id }) => id));
        const stream = createResumedFeed({ live, log, floor, readPage: eventLog.readIds, isWanted });
        return recorded(stream, trails.begin(userId, { floor, seenBefore }));
      } catch (error) {
        live.close();
        throw error;
      }
    },

    /** Ends all streams, for the server's stop. */
    async close(): Promise<void> {
      await liveExecutions.close();
      await feed.close();
    },
  };
}

/**
 * Which events the client of another instance's cursor surely has: those of the cursor's execution, which come in their order.
 * In which order that instance gave those of others is unknown here.
 */
function surelySeen(places: readonly LoggedPlace[], cursor: string): (place: LoggedPlace) => boolean {
  const last = places.find(({ id }) => id === cursor);
  return ({ executionId, number }) => executionId === last?.executionId && number <= last.number;
}

/** The same stream; calls back for each event that its reader takes. */
function recorded<Event extends { id: string }>(
  { close, fault, take, whenReady }: Stream<Event>,
  record: (eventId: string) => void,
): Stream<Event> {
  return toStream<Event>({
    close,
    fault,
    whenReady,
    take() {
      const step = take();
      if (step?.done === false) record(step.value.id);
      return step;
    },
  });
}
