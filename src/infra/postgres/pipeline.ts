// Connections that short reads share: each statement is sent without waiting for the one before it, so that many need few
// system calls. Whatever may take long, writes or locks goes through the pool.
import pg from 'pg';
import type { Logger } from 'pino';
import { requestContext } from '../telemetry/request-context.js';
import { reasonOf } from './errors.js';
import { holdWrites, runStatement, type Statement } from './prepared-statement.js';

interface Lane {
  client: pg.Client | undefined;
  /** What rejects each of the statements on their way, in the order of their answers. */
  waiting: ((error: Error) => void)[];
  /** Since when the first of them has been the first, in milliseconds of performance.now(). */
  firstSince: number;
  /** Whether what is written waits for the end of this turn of the event loop. */
  isHeld: boolean;
  /** When it may be opened (again), in milliseconds of performance.now(). */
  openAt: number;
}

/** Statements on their way on one connection at most: those beyond go through the pool. */
const maxInFlight = 64;
const reopenAfterMs = 1000;
/** Nothing more is sent behind a statement that takes longer: it waits for a lock, or the database is gone. */
const stuckAfterMs = 100;
const checkEveryMs = 100;

export type Lanes = ReturnType<typeof createLanes>;

/**
 * Connections are opened in the background, at the first use: whoever finds none goes through the pool meanwhile.
 * @param count how many connections
 * @param mostMs longest wait behind a statement that is stuck
 */
export function createLanes(config: pg.ClientConfig, count: number, mostMs: number, log: Logger) {
  const lanes: Lane[] = Array.from({ length: count }, () => ({
    client: undefined,
    waiting: [],
    firstSince: 0,
    isHeld: false,
    openAt: 0,
  }));
  let isClosed = false;
  const watch = setInterval(refuseStuck, checkEveryMs).unref();

  const stuckMs = ({ waiting, firstSince }: Lane) =>
    waiting.length === 0 ? 0 : performance.now() - firstSince;

  /** Those behind a statement that is stuck are told; it itself has its own time-out. */
  function refuseStuck(): void {
    for (const lane of lanes) {
      if (stuckMs(lane) <= mostMs) continue;
      for (const reject of lane.waiting.slice(1))
        reject(new Error('timeout exceeded behind a statement that is stuck'));
    }
  }

  function open(lane: Lane): void {
    lane.openAt = Number.POSITIVE_INFINITY;
    const client = new pg.Client(config);
    const lose = (error?: Error) => {
      if (lane.client === client) {
        lane.client = undefined;
        log.warn({ event: 'database_connection_lost', reason: reasonOf(error ?? 'ended') });
      }
      lane.openAt = performance.now() + reopenAfterMs;
    };
    client.on('error', lose).on('end', lose);
    client.connect().then(() => {
      if (isClosed) client.end().catch(() => {});
      else Object.assign(lane, { client, waiting: [], isHeld: false });
    }, lose);
  }

  /** Statements of one turn of the event loop go out together, in one system call. */
  function hold(lane: Lane, client: pg.Client): void {
    if (lane.isHeld) return;
    lane.isHeld = true;
    const release = holdWrites(client);
    setImmediate(() => {
      if (lane.client === client) lane.isHeld = false;
      release();
    });
  }

  /** The least busy one that has room and is not stuck. */
  function free(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of lanes) {
      if (lane.client === undefined) {
        // It outlives the request that happens to come first, and is none of its business.
        if (!isClosed && performance.now() >= lane.openAt) requestContext.exit(() => open(lane));
      } else if (lane.waiting.length < (best?.waiting.length ?? maxInFlight) && stuckMs(lane) <= stuckAfterMs)
        best = lane;
    }
    return best;
  }

  return {
    /** @returns undefined when no connection has room */
    run(statement: Statement): Promise<unknown[]> | undefined {
      const lane = free();
      if (lane?.client === undefined) return undefined;
      const { client, waiting } = lane;
      hold(lane, client);
      return new Promise((resolve, reject) => {
        if (waiting.push(reject) === 1) lane.firstSince = performance.now();
        runStatement(client, statement, (error, rows) => {
          waiting.shift();
          lane.firstSince = performance.now();
          if (error === null) resolve(rows);
          else reject(error);
        });
      });
    },

    /** Connections now, and how many of them have something to do. */
    state: () => ({
      open: lanes.filter(({ client }) => client !== undefined).length,
      busy: lanes.filter(({ waiting }) => waiting.length > 0).length,
    }),

    async close(): Promise<void> {
      isClosed = true;
      clearInterval(watch);
      const open = lanes.flatMap(({ client }) => client ?? []);
      for (const lane of lanes) lane.client = undefined;
      await Promise.all(open.map((client) => client.end()));
    },
  };
}
