// How long a request may yet wait for database connections: one budget for all its waits, however many it has.
import type pg from 'pg';
import { currentRequest, type RequestContext, type Waits } from '../telemetry/request-context.js';

/** After so long without a wait all is forgotten: a stream lives for hours. */
const forgottenMs = 5_000;

/** Less than this is nothing: timers may end a little early. */
const leastMs = 5;

/** Milliseconds out of `mostMs` that the request is still to wait for connections. */
export function patienceLeft(mostMs: number): number {
  const waits = currentRequest()?.waits;
  return waits === undefined ? mostMs : mostMs - spentBy(waits);
}

function spentBy({ underWay, spentMs, since }: Waits): number {
  const sinceMs = performance.now() - since;
  if (underWay > 0) return spentMs + sinceMs;
  return sinceMs > forgottenMs ? 0 : spentMs;
}

/** Counts a wait for the request; what waits side by side counts once. */
export function countWait<T>(wait: Promise<T>): Promise<T> {
  const request = currentRequest();
  if (request === undefined) return wait;
  const waits = beginWait(request);
  return wait.finally(() => {
    const now = performance.now();
    if (waits.underWay === 1)
      Object.assign(waits, { spentMs: waits.spentMs + now - waits.since, since: now });
    waits.underWay -= 1;
  });
}

function beginWait(request: RequestContext): Waits {
  request.waits ??= { underWay: 0, spentMs: 0, since: 0 };
  const { waits } = request;
  if (waits.underWay === 0) Object.assign(waits, { spentMs: spentBy(waits), since: performance.now() });
  waits.underWay += 1;
  return waits;
}

/** Lets nobody wait for a connection of the pool again who has waited out the time. */
export function limitWaits(pool: pg.Pool, mostMs: number): void {
  const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  pool.connect = (() => {
    if (pool.idleCount > pool.waitingCount) return connect();
    const leftMs = patienceLeft(mostMs);
    if (leftMs < leastMs) return Promise.reject(outOfPatience());
    return countWait(leftMs < mostMs ? within(connect(), leftMs) : connect());
  }) as typeof pool.connect;
}

const outOfPatience = () => new Error('timeout exceeded by all waits of this request for a connection');

async function within(connecting: Promise<pg.PoolClient>, ms: number): Promise<pg.PoolClient> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isOver = true;
      reject(outOfPatience());
    }, ms);
  });
  const late = (client: pg.PoolClient) => isOver && client.release();
  connecting.then(late, () => {});
  return Promise.race([connecting, over]).finally(() => clearTimeout(timer));
}
