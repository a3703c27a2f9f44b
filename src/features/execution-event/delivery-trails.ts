// Remembers the order in which streams of this instance gave events to a user, so that a client that resumes here gets each
// event once. A cursor of another instance is judged by the log alone (event-log.ts).
import { LRUCache } from 'lru-cache';
import type { LoggedPlace } from './resumed-feed.js';

/** Events that one stream delivered. */
interface Trail {
  /** Whether the client had an event, or was not to have it, before the first one. */
  isBefore: (place: LoggedPlace) => boolean;
  /** Ids in the order in which they were given; the oldest ones go first. */
  given: string[];
  isTrimmed: boolean;
}

const maxUsers = 2000;
const maxTrailsPerUser = 20;
const maxGiven = 2000;
const keptMs = 900_000;

/** Creates the memory. It keeps the last 2,000 events of the last 20 streams of a user, for 15 minutes. */
export function createDeliveryTrails() {
  const trails = new LRUCache<string, Trail[]>({ max: maxUsers, ttl: keptMs });

  return {
    /**
     * Begins the trail of a stream.
     * @returns how to record an event as given
     */
    begin(userId: string, isBefore: Trail['isBefore']): (eventId: string) => void {
      const trail: Trail = { isBefore, given: [], isTrimmed: false };
      trails.set(userId, [...(trails.get(userId) ?? []), trail].slice(-maxTrailsPerUser));
      return (eventId) => {
        trail.given.push(eventId);
        if (trail.given.length <= maxGiven) return;
        trail.given.splice(0, maxGiven / 2);
        trail.isTrimmed = true;
      };
    },

    /**
     * Forgets the trails of a user whom another instance has given events. What was sent here and lost with its connection may
     * be among them, and would count as received.
     */
    forget(userId: string): void {
      trails.delete(userId);
    },

    /**
     * Returns a test for events that the client of a cursor has; undefined when no stream here gave the cursor to the
     * user.
     */
    seenAt(userId: string, cursor: string): ((place: LoggedPlace) => boolean) | undefined {
      const trail = trails.get(userId)?.findLast(({ given }) => given.includes(cursor));
      if (trail === undefined) return undefined;
      const { isBefore, given, isTrimmed } = trail;
      const upToCursor = new Set(given.slice(0, given.lastIndexOf(cursor) + 1));
      return (place) => upToCursor.has(place.id) || isBefore(place) || (isTrimmed && place.isSeen);
    },
  };
}
