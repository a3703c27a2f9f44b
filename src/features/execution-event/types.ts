// Types that the modules of live events share.

/** Events are numbered without gaps within an execution, from 1. */
export interface Numbered {
  number: number;
  /** Nothing follows it. */
  isLast: boolean;
}

/** One watched execution. */
export interface LiveExecution<Event> {
  executionId: string;
  /** The newest events, contiguous and up to `last`; older ones are read from the log. */
  recent: Event[];
  /** Number of the newest event that subscribers may receive. */
  last: number;
  subscribers: number;
  /** Wake the subscribers that have received everything so far. */
  waiting: Set<() => void>;
  isReading: boolean;
  /** The highest number announced. */
  wanted: number;
  isGone: boolean;
}

/** An event, as far as its place in time is concerned. */
export interface Written {
  id: string;
  /** Transaction that wrote it, by the lower 32 bits of its id (`xmin`). */
  writer: number;
}
