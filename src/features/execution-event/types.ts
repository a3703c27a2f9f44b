// What the live modules of an execution's events share.

/** Events are numbered without gaps within an execution, from 1. */
export interface Numbered {
  number: number;
  /** Nothing follows it. */
  isLast: boolean;
}

/** One watched execution. */
export interface Hub<Event> {
  executionId: string;
  /** The newest events, contiguous and up to `last`; older ones are read from the log. */
  recent: Event[];
  /** Number of the newest event that followers may have. */
  last: number;
  followers: number;
  /** Wakes those who have all there is. */
  waiting: Set<() => void>;
  isReading: boolean;
  /** The highest number heard of. */
  wanted: number;
  isGone: boolean;
}
