// The time that one request may spend waiting for database connections, summed over all its waits.
import { currentRequest, type RequestContext, type Waits } from '../telemetry/request-context.js';

/** A budget is whole again after so long without a wait: streams live for hours. */
const renewedAfterMs = 5_000;

/** Less than this counts as nothing left: timers may fire a little early. */
const leastMs = 5;

/** The message of a wait that used up the budget; errors.ts maps it to UNAVAILABLE. */
const budgetSpent = () => new Error('timeout exceeded by all waits of this request for a connection');

/**
 * Waits for a connection no longer than the budget of the current request allows. Waits side by side count once.
 * @param connect begins the wait; `release` takes a connection that arrives after the budget has run out
 * @param totalMs the whole budget
 * @throws Error of {@link budgetSpent}, or of `connect`
 */
export async function withinBudget<Connection>(
  totalMs: number,
  connect: () => Promise<Connection>,
  release: (late: Connection) => void,
): Promise<Connection> {
  const leftMs = budgetLeftMs(totalMs);
  if (leftMs < leastMs) throw budgetSpent();
  return countWait(leftMs < totalMs ? limited(connect(), leftMs, release) : connect());
}

/** Milliseconds of the budget that the current request has left; all of it outside of a request. */
export function budgetLeftMs(totalMs: number): number {
  const waits = currentRequest()?.waits;
  return waits === undefined ? totalMs : totalMs - spentBy(waits);
}

/** Counts a wait on the budget of the current request, without ending it. */
export function countWait<T>(wait: Promise<T>): Promise<T> {
  const request = currentRequest();
  if (request === undefined) return wait;
  const waits = beginWait(request);
  return wait.finally(() => {
    const now = performance.now();
    if (waits.underWay === 1) {
      waits.spentMs += now - waits.since;
      waits.since = now;
    }
    waits.underWay -= 1;
  });
}

function beginWait(request: RequestContext): Waits {
  request.waits ??= { underWay: 0, spentMs: 0, since: 0 };
  const { waits } = request;
  if (waits.underWay === 0) {
    waits.spentMs = spentBy(waits);
    waits.since = performance.now();
  }
  waits.underWay += 1;
  return waits;
}

function spentBy({ underWay, spentMs, since }: Waits): number {
  const sinceMs = performance.now() - since;
  if (underWay > 0) return spentMs + sinceMs;
  return sinceMs > renewedAfterMs ? 0 : spentMs;
}

async function limited<Connection>(
  connecting: Promise<Connection>,
  ms: number,
  release: (late: Connection) => void,
): Promise<Connection> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isOver = true;
      reject(budgetSpent());
    }, ms);
  });
  connecting.then(
    (connection) => isOver && release(connection),
    () => {},
  );
  return Promise.race([connecting, over]).finally(() => clearTimeout(timer));
}
