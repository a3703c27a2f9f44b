// Connections that short reads share: each statement is sent without waiting for the answer before it, so that many reads
// need few system calls. Statements that may be slow, write or lock go through the pool.
import pg from 'pg';
import type { Logger } from 'pino';
import { requestContext } from '../telemetry/request-context.js';
import { attemptAt, learnFrom } from './connection/target.js';
import { reasonOf } from './errors.js';
import type { Connections } from './pool.js';
import { type OnResult, type Statement, sendStatement } from './statement.js';

interface SharedConnection {
  client: pg.Client | undefined;
  /** Rejects the statements in flight, in the order of their answers. */
  inFlight: ((error: Error) => void)[];
  /** When the first of them became the first, in milliseconds of performance.now(). */
  firstSince: number;
  /** When the connection may be opened (again), in milliseconds of performance.now(). */
  openAt: number;
}

/** Statements in flight on one connection at most; further ones go through the pool. */
const maxInFlight = 64;
const reopenAfterMs = 1000;
/** Nothing is sent behind a statement that takes longer: it waits for a lock, or the database is gone. */
const stuckAfterMs = 100;
const checkEveryMs = 100;

/** Shared connections; see {@link createPipeline}. */
export interface Pipeline {
  /** Sends a statement; undefined when no connection has room, so that the caller takes the pool. */
  run(statement: Statement): Promise<unknown[]> | undefined;
  /** Connections that are open, those of them with statements in flight, and these statements. */
  state(): { open: number; busy: number; inFlight: number };
  close(): Promise<void>;
}

interface PipelineOptions {
  connections: Connections;
  /** Number of connections. */
  count: number;
  /** Longest wait behind a statement that is stuck, in milliseconds. */
  maxWaitMs: number;
  log: Logger;
}

/** Opens the connections in the background on first use; {@link Pipeline.run} returns undefined until they are open. */
export function createPipeline({ connections, count, maxWaitMs, log }: PipelineOptions): Pipeline {
  const shared = Array.from({ length: count }, closedConnection);
  let isClosed = false;
  const watch = setInterval(() => rejectStuck(shared, maxWaitMs), checkEveryMs).unref();

  const open = (connection: SharedConnection) => openShared(connection, connections, log, () => isClosed);

  /** The least busy connection that has room and is not stuck. */
  function pick(): SharedConnection | undefined {
    let best: SharedConnection | undefined;
    for (const connection of shared) {
      if (connection.client === undefined) {
        // The connection outlives the request that opens it, so it must not keep that request's context.
        if (!isClosed && performance.now() >= connection.openAt) requestContext.exit(() => open(connection));
      } else if (
        connection.inFlight.length < (best?.inFlight.length ?? maxInFlight) &&
        stuckMs(connection) <= stuckAfterMs
      )
        best = connection;
    }
    return best;
  }

  return {
    run(statement) {
      const connection = pick();
      return connection?.client && sendOn(connection, connection.client, statement);
    },
    state: () => ({
      open: shared.filter(({ client }) => client !== undefined).length,
      busy: shared.filter(({ inFlight }) => inFlight.length > 0).length,
      inFlight: shared.reduce((sum, { inFlight }) => sum + inFlight.length, 0),
    }),
    async close() {
      isClosed = true;
      clearInterval(watch);
      const open = shared.flatMap(({ client }) => client ?? []);
      for (const connection of shared) connection.client = undefined;
      await Promise.all(open.map((client) => client.end()));
    },
  };
}

/** Opens a connection in the background; one that is lost or refused may be opened again after a second. */
function openShared(
  connection: SharedConnection,
  { target, config, settle }: Connections,
  log: Logger,
  isClosed: () => boolean,
): void {
  connection.openAt = Number.POSITIVE_INFINITY;
  const tried = attemptAt(target);
  const client = new pg.Client(config());
  const lose = (error?: Error) => {
    if (connection.client === client) {
      connection.client = undefined;
      log.warn({ event: 'database_connection_lost', reason: reasonOf(error ?? 'ended') });
    }
    connection.openAt = performance.now() + reopenAfterMs;
  };
  const begin = () => {
    if (isClosed()) return client.end().catch(() => {});
    connection.client = client;
    connection.inFlight = [];
    return undefined;
  };
  const refuse = (error: Error) => {
    learnFrom(target, error, tried);
    void client.end().catch(() => {});
    lose(error);
  };
  client.on('error', lose).on('end', lose);
  client
    .connect()
    .then(() => settle(client))
    .then(begin, refuse);
}

function closedConnection(): SharedConnection {
  return { client: undefined, inFlight: [], firstSince: 0, openAt: 0 };
}

function sendOn(connection: SharedConnection, client: pg.Client, statement: Statement): Promise<unknown[]> {
  const { inFlight } = connection;
  return new Promise((resolve, reject) => {
    if (inFlight.push(reject) === 1) connection.firstSince = performance.now();
    const onResult: OnResult = (error, result) => {
      inFlight.shift();
      connection.firstSince = performance.now();
      if (result !== undefined) resolve(result.rows);
      else reject(error);
    };
    sendStatement(client, statement, onResult, setImmediate);
  });
}

/** Time for which the first statement in flight has been the first; 0 without one. */
function stuckMs({ inFlight, firstSince }: SharedConnection): number {
  return inFlight.length === 0 ? 0 : performance.now() - firstSince;
}

/** Rejects the statements behind one that is stuck; that one has a time-out of its own. */
function rejectStuck(shared: readonly SharedConnection[], maxWaitMs: number): void {
  for (const connection of shared) {
    if (stuckMs(connection) <= maxWaitMs) continue;
    for (const reject of connection.inFlight.slice(1))
      reject(new Error('timeout exceeded behind a statement that is stuck'));
  }
}
