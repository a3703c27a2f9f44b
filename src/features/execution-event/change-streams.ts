// Streams of the changes of all executions: live ones, and after a cursor first the ones that the client has missed (ADR 22).
import type { Viewer } from '../../core/permissions.js';
import { type Stream, toStream } from '../../core/pull-stream.js';
import type { Database } from '../../infra/postgres/database.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { ExecutionFilter } from '../execution/execution.input.js';
import type { ExecutionService } from '../execution/execution.service.js';
import { createDeliveryTrails } from './delivery-trails.js';
import { beginNow, placesSince, resumeFloor } from './event-cursors.js';
import type { WrittenEvent } from './event-log.js';
import type { Feed } from './live-feed.js';
import { createResumedFeed, type LoggedPlace } from './resumed-feed.js';

interface ChangeStreamOptions {
  db: Database;
  events: Events;
  executions: ExecutionService;
  feed: Feed<WrittenEvent>;
  /** Reads events of the log, in this order, without deleted ones. */
  readPage: (ids: readonly string[]) => Promise<WrittenEvent[]>;
}

/** Creates the streams of one instance, which remembers what it has given to whom. */
export function createChangeStreams({ db, events, executions, feed, readPage }: ChangeStreamOptions) {
  const trails = createDeliveryTrails();
  events.subscribe('feed.moved', ({ userId }) => trails.forget(userId));

  /** The log behind the cursor, with what the client has of it. */
  async function readLog(userId: string, after: string): Promise<LoggedPlace[]> {
    const places = await placesSince(db, after);
    const given = trails.seenAt(userId, after);
    if (given === undefined) events.publish('feed.moved', { userId });
    const isSeen = given ?? surelySeen(places, after);
    return places.map((place) => ({ ...place, isSeen: isSeen(place) }));
  }

  /**
   * Changes of all executions that the viewer may see and the filter lets through: those after the cursor, then live
   * ones. A client that resumes on the instance it was connected to gets each event once; on another one, events of
   * the six seconds before the cursor may come again.
   * @param after UUID of the last event seen; null means from now on
   * @param signal ends the stream; its reason is thrown
   * @throws CURSOR_EXPIRED when the cursor is older than 24 hours, or more than 10,000 events follow it
   */
  return async (
    viewer: Viewer,
    filter: ExecutionFilter,
    after: string | null | undefined,
    signal: AbortSignal,
  ): Promise<Stream<WrittenEvent>> => {
    const { userId } = viewer;
    const projectId = filter.project == null ? undefined : await executions.projectIdOf(filter.project);
    const isWanted = ({ execution }: WrittenEvent) =>
      executions.matches(viewer, filter, execution, projectId);
    const live = feed.follow(isWanted, signal, after != null);
    try {
      if (after == null) {
        const { isAfter } = await beginNow(db);
        return recorded(
          live,
          trails.begin(userId, (place) => !isAfter(place)),
          isAfter,
        );
      }
      const log = await readLog(userId, after);
      const floor = resumeFloor(after);
      const seenBefore = new Set(log.filter(({ isSeen }) => isSeen).map(({ id }) => id));
      const stream = createResumedFeed({ live, log, floor, readPage, isWanted });
      return recorded(
        stream,
        trails.begin(userId, ({ id }) => id < floor || seenBefore.has(id)),
      );
    } catch (error) {
      live.close();
      throw error;
    }
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

/** The same stream without events that are not due; calls back for each one that its reader takes. */
function recorded<Event extends { id: string }>(
  { close, fault, take, whenReady }: Stream<Event>,
  record: (eventId: string) => void,
  isDue: (event: Event) => boolean = () => true,
): Stream<Event> {
  return toStream<Event>({
    close,
    fault,
    whenReady,
    take() {
      let step = take();
      while (step?.done === false && !isDue(step.value)) step = take();
      if (step?.done === false) record(step.value.id);
      return step;
    },
  });
}
