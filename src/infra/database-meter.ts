// Counts and times what goes through the connection pool: for the request that waits, for /metrics and for traces.
import type pg from 'pg';
import type { Metrics } from './metrics.js';
import { currentRequest } from './request-context.js';
import type { Span } from './tracing.js';

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
    const request = currentRequest();
    const startedAt = performance.now();
    const result = query(...args);
    if (!(result instanceof Promise)) return result;
    const span = request?.span?.isOpen() === true ? spanOf(request.span, args[0]) : undefined;
    if (request !== undefined) request.dbQueries += 1;
    const end = (isFailed: boolean) => {
      const tookMs = performance.now() - startedAt;
      if (request !== undefined) request.dbMs += tookMs;
      metrics?.statement(tookMs / 1000, isFailed);
    };
    result.then(
      () => {
        end(false);
        span?.end();
      },
      (error: { code?: unknown }) => {
        end(true);
        // Its message may hold values: the code has to do.
        span?.end(String(error.code ?? 'failed'));
      },
    );
    return result;
  }) as typeof client.query;
}

/** The text of a statement has $1 and so on in the place of its values. */
function spanOf(parent: Span, statement: unknown): Span {
  const text = typeof statement === 'string' ? statement : (statement as { text: string }).text;
  const operation = /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
  return parent.child(operation, 'client', {
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    'db.query.text': text.trim(),
  });
}
