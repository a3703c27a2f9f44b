// The adapters that services and transports are built on. server/adapters.ts creates them.
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import type { Timing } from '../core/timeouts.js';
import type { Tokens } from './credentials/jwt.js';
import type { PasswordHasher } from './credentials/password-hasher.js';
import type { BulkOptions } from './postgres/bulk/connection.js';
import type { Database } from './postgres/database.js';
import type { RedisConnections } from './redis/connections.js';
import type { Events } from './redis/message-bus.js';
import type { Metrics } from './telemetry/metrics.js';
import type { Tracing } from './telemetry/tracing.js';
import type { PrimaryLink } from './workers/link.js';

/** Adapters of one process. */
export interface Infra {
  config: Config;
  log: Logger;
  db: Database;
  /** For connections beside the pool, whose statements may be long. */
  bulk: BulkOptions;
  redis: RedisConnections | undefined;
  /** Absent unless this process is a worker of a server (WORKERS). */
  primary?: PrimaryLink | undefined;
  events: Events;
  tokens: Tokens;
  passwords: PasswordHasher;
  metrics: Metrics;
  /** Absent unless tracing is enabled. */
  tracing: Tracing | undefined;
  /** Milliseconds since 1970; tests replace it. */
  now: () => number;
  timing?: Timing;
}
