// Opens streams within the limits of a user, and ends them with the rights behind them (stream-watch.ts).
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { type Source, type Stream, toStream } from '../../core/pull-stream.js';
import { createStreamWatch, type StreamWatchOptions, type WatchStream } from './stream-watch.js';

/** Dependencies of guarding streams. */
export interface StreamServiceOptions extends StreamWatchOptions {
  /** Streams that one user may have open on this instance. */
  maxPerUser: number;
  /** Called for every refused stream. */
  onRefusal?: (() => void) | undefined;
}

/** Starts a stream that throws the signal's reason when it is aborted, and goes on only while a condition holds. */
type BeginStream<Event> = (
  signal: AbortSignal,
  goOnWhile: (condition: () => boolean) => void,
) => Source<Event> | Promise<Source<Event>>;

/** Opens and ends streams. */
export type StreamService = ReturnType<typeof createStreamService>;

/** Creates the service. */
export function createStreamService(options: StreamServiceOptions) {
  const { maxPerUser, onRefusal } = options;
  const watch = createStreamWatch(options);
  const openByUser = new Map<string, number>();
  let isClosed = false;

  const count = (userId: string, change: 1 | -1): void => {
    const open = (openByUser.get(userId) ?? 0) + change;
    if (open === 0) openByUser.delete(userId);
    else openByUser.set(userId, open);
  };

  const assertRoom = ({ userId }: Viewer): void => {
    if (isClosed)
      throw new AppError('UNAVAILABLE', { message: 'The server is stopping.', retryAfterSeconds: 1 });
    if ((openByUser.get(userId) ?? 0) < maxPerUser) return;
    onRefusal?.();
    throw new AppError('RATE_LIMITED', {
      message: `At most ${maxPerUser} streams may be open.`,
      retryAfterSeconds: 5,
    });
  };

  return {
    watch,

    /**
     * Opens a stream that ends with the viewer's rights.
     * @param begin starts it, and must throw the signal's reason when it is aborted; while the stream is open,
     *   `viewer.projects` is kept as of now, and a condition given to `goOnWhile` is asked after each change
     * @throws RATE_LIMITED when the user has too many open
     * @throws UNAVAILABLE when the server is stopping
     */
    async open<Event>(viewer: Viewer, begin: BeginStream<Event>): Promise<Stream<Event>> {
      assertRoom(viewer);
      count(viewer.userId, 1);
      return openStream(watch, viewer, begin, () => count(viewer.userId, -1));
    },

    /** Number of open streams of all users. */
    size: () => [...openByUser.values()].reduce((sum, open) => sum + open, 0),

    /** Refuses new streams from now on. */
    close(): void {
      isClosed = true;
    },
  };
}

async function openStream<Event>(
  watch: WatchStream,
  viewer: Viewer,
  begin: BeginStream<Event>,
  onClose: () => void,
): Promise<Stream<Event>> {
  const controller = new AbortController();
  let mayGoOn = () => true;
  const unwatch = watch(
    viewer,
    (reason) => controller.abort(reason),
    () => mayGoOn(),
  );
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    unwatch();
    onClose();
  };
  const goOnWhile = (condition: () => boolean): void => {
    mayGoOn = condition;
  };
  try {
    return closing(await begin(controller.signal, goOnWhile), close);
  } catch (error) {
    close();
    throw error;
  }
}

/** The same stream; calls `onEnd` when it is over. */
function closing<Event>(stream: Source<Event>, onEnd: () => void): Stream<Event> {
  return toStream({
    take() {
      try {
        const step = stream.take();
        if (step?.done === true) onEnd();
        return step;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    whenReady: stream.whenReady,
    fault: stream.fault,
    close() {
      onEnd();
      stream.close();
    },
  });
}
