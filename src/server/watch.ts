// Feeds /metrics with the state of a server's parts, beside the counters that they keep themselves.
import type { Infra } from '../infra/infra.js';
import type { Replica } from '../infra/postgres/replica/replica.js';
import type { Metrics } from '../infra/telemetry/metrics.js';
import type { App } from './http-server.js';
import type { Services } from './services.js';

/** Values that /metrics reads only on a scrape. */
export function watch(
  app: App,
  { streams, retention, statistics, webhooks, mails }: Services,
  { db, redis, passwords, metrics }: Infra,
): void {
  const pool = () => {
    const { total, idle, waiting } = db.poolState();
    return { used: total - idle, idle, waiting };
  };
  metrics.gauge('database_pool', 'Connections by state, and requests that wait for one.', pool, 'state');
  metrics.gauge('database_pool_max', 'Most connections.', () => db.poolState().max);
  if (db.replica !== undefined) watchReplica(db.replica, metrics);
  if (redis !== undefined)
    metrics.gauge(
      'redis_up',
      'Whether Redis is connected and takes commands that write.',
      () => (redis.isReady() ? 1 : 0),
      undefined,
      'min',
    );
  for (const { name, help, read, overWorkers } of retention.gauges)
    metrics.gauge(name, help, read, undefined, overWorkers);
  watchFigures(statistics.figures, metrics);
  const attempts = () => ({ ...webhooks.attempts() });
  metrics.gauge('webhook_attempts', 'Attempts of webhooks since the start.', attempts, 'outcome');
  const mailAttempts = () => ({ ...mails.attempts() });
  metrics.gauge('mail_attempts', 'Attempts to send mails since the start.', mailAttempts, 'outcome');
  metrics.gauge('subscriptions_open', 'Live streams.', streams.size);
  metrics.gauge('websockets_open', 'WebSocket connections.', app.openWebSockets);
  const hashing = () => ({ running: passwords.running(), waiting: passwords.queueLength() });
  metrics.gauge('password_hashes', 'Password hashes by state.', hashing, 'state');
}

function watchReplica({ state, counts }: Replica, { gauge }: Metrics): void {
  const up = () => (state().state === 'ready' ? 1 : 0);
  gauge('database_replica_up', 'Whether reads may run on the replica.', up, undefined, 'min');
  const lag = () => (state().lagMs ?? 0) / 1000;
  gauge(
    'database_replica_lag_seconds',
    'Since when the replica has not shown everything.',
    lag,
    undefined,
    'max',
  );
  gauge(
    'database_replica_reads',
    'Reads of lists since the start by where they ran.',
    () => ({ ...counts }),
    'side',
  );
}

/** Adds the figures; a job keeps them up to date. */
function watchFigures({ last }: Services['statistics']['figures'], { gauge }: Metrics): void {
  const add = (name: string, help: string, read: Parameters<Metrics['gauge']>[2], label?: string) =>
    gauge(name, help, read, label, 'max');
  add('findings_open', 'Open findings of the installation.', () => last().open, 'severity');
  add('findings_overdue', 'Open findings whose due date has passed.', () => last().overdue);
  add('import_oldest_seconds', 'Age of the oldest import under way.', () => last().oldestImportSeconds);
  add('webhooks', 'Webhooks by state.', () => last().webhooks, 'state');
  add(
    'mails',
    'Mails that wait for their delivery, or were given up in the last 30 days.',
    () => last().mails,
    'state',
  );
  add('webhook_deliveries_waiting', 'Events that wait for their delivery.', () => last().deliveriesWaiting);
}
