// Tells whether a standby shows everything that was committed before somebody asked. The primary is asked once for all who ask
// at the same time; the standby only while it is not known to be that far.
import { setTimeout as sleep } from 'node:timers/promises';
import { requestContext } from '../../telemetry/request-context.js';
import type { Position } from './position.js';

interface CatchUpOptions {
  askPrimary: () => Promise<Position>;
  /** Longest time that the primary may take to answer, in milliseconds. */
  answerMs: number;
  /** The position that the standby has replayed. @throws Error when it is no standby */
  askStandby: () => Promise<number>;
  /** Longest wait for the standby, in milliseconds. */
  waitMs: number;
  /** Whether what it has replayed holds until {@link CatchUp.forget}; behind a pooler it may start again unnoticed. */
  mayRemember: boolean;
}

interface Waiter {
  position: number;
  /** In milliseconds of performance.now(). */
  until: number;
  resolve: (isThere: boolean) => void;
}

/** Least time from one question to the next, in milliseconds. */
const leastMs = 2;

/** See {@link createCatchUp}. */
export type CatchUp = ReturnType<typeof createCatchUp>;

/** Creates the check of one standby. */
export function createCatchUp({ askPrimary, answerMs, askStandby, waitMs, mayRemember }: CatchUpOptions) {
  // Both serve many requests, so that none of them is charged for it.
  const ask = batched(() => requestContext.exit(() => inTime(askPrimary(), answerMs)));
  let replayed = -1;
  let waiters: Waiter[] = [];
  let isFollowing = false;

  function settle(isSettled: (waiter: Waiter) => boolean, isThere: boolean): void {
    for (const waiter of waiters.filter(isSettled)) waiter.resolve(isThere);
    waiters = waiters.filter((waiter) => !isSettled(waiter));
  }

  async function follow(): Promise<void> {
    isFollowing = true;
    try {
      while (waiters.length > 0) {
        replayed = await inTime(askStandby(), waitMs);
        settle(({ position }) => position <= replayed, true);
        settle(({ until }) => until <= performance.now(), false);
        if (waiters.length > 0) await sleep(1);
      }
    } catch {
      settle(() => true, false);
    } finally {
      isFollowing = false;
    }
  }

  /** Whether the standby reaches a position in time. */
  function reaches(position: number): Promise<boolean> {
    return new Promise((resolve) => {
      waiters.push({ position, until: performance.now() + waitMs, resolve });
      if (!isFollowing) void requestContext.exit(follow);
    });
  }

  return {
    reaches,

    /** Whether the standby, which follows this timeline, shows everything that was committed before the call. */
    async hasCaughtUp(timeline: number): Promise<boolean> {
      const primary = await ask().catch(() => undefined);
      if (primary?.timeline !== timeline) return false;
      return (mayRemember && primary.position <= replayed) || reaches(primary.position);
    },

    /** Forgets what the standby has replayed: one that starts again shows less for a while. */
    forget: (): void => {
      replayed = -1;
    },
  };
}

/**
 * Calls that come while one is under way share the one after it, so that none gets what was asked before it came. The one after it
 * begins {@link leastMs} after the one before: a question costs the primary as much as a short read does.
 */
function batched<T>(ask: () => Promise<T>): () => Promise<T> {
  let rest: Promise<void> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    const asked = ask();
    const resting = Promise.allSettled([asked, sleep(leastMs)]).then(() => {
      if (rest === resting) rest = undefined;
    });
    rest = resting;
    return asked;
  };
  return () => {
    if (rest === undefined) return begin();
    next ??= rest.then(begin);
    return next;
  };
}

/** @throws Error when the work takes longer */
export async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
