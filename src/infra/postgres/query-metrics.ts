// Counts and times what goes through the connection pool: for the request that waits, for /metrics and for traces.
import type pg from 'pg';
import type { Metrics } from '../telemetry/metrics.js';
import { currentRequest } from '../telemetry/request-context.js';
import type { Span } from '../telemetry/tracing.js';

/** Watches every wait for a connection and every statement on one, Prisma's too. */
export function meterPool(pool: pg.Pool, metrics: Metrics | undefined): void {
  const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  pool.connect = (async () => {
    const startedAt = performance.now();
    const client = await connect();
    metrics?.connectionWait((performance.now() - startedAt) / 1000);
    return client;
  }) as typeof pool.connect;
  pool.on('connect', (client) => meterClient(client, metrics));
}

function meterClient(client: pg.PoolClient, metrics: Metrics | undefined): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const [statement] = args as [string | { text: string }];
    const result = query(...args);
    if (!(result instanceof Promise)) return result;
    const end = beginStatement(typeof statement === 'string' ? statement : statement.text, metrics);
    result.then(
      () => end(null),
      (error: Error) => end(error),
    );
    return result;
  }) as typeof client.query;
}

/** Counts a statement on the request that sends it. @returns what ends it, from whatever context */
export function beginStatement(
  text: string,
  metrics: Metrics | undefined,
): (error: (Error & { code?: unknown }) | null) => void {
  const request = currentRequest();
  const startedAt = performance.now();
  const span = request?.span?.isOpen() === true ? spanOf(request.span, text) : undefined;
  if (request !== undefined) request.dbQueries += 1;
  return (error) => {
    const tookMs = performance.now() - startedAt;
    if (request !== undefined) request.dbMs += tookMs;
    metrics?.statement(tookMs / 1000, error !== null);
    // An error's message may hold values: the code has to do.
    if (error === null) span?.end();
    else span?.end(String(error.code ?? 'failed'));
  };
}

/** The text of a statement has $1 and so on in the place of its values. */
function spanOf(parent: Span, text: string): Span {
  const operation = /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
  return parent.child(operation, 'client', {
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    'db.query.text': text.trim(),
  });
}
