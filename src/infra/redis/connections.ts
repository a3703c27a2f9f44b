// Redis connections with short time-outs: a command that waits for Redis fails fast, and none is queued for it.
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import type { Metrics } from '../telemetry/metrics.js';

/** Replies keep Redis's plain types. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** How often the subscriber connection, which may be silent for long, is asked for a sign of life. */
const heartbeatMs = 1000;

/** The two connections of an instance: commands, and subscriptions. */
export interface RedisConnections {
  client: Redis;
  subscriber: Redis;
  /** Whether commands can be sent. */
  isReady(): boolean;
  /**
   * Sends a PING and returns the version of Redis; null where the user may not read it.
   * @throws Error when there is no answer
   */
  version(): Promise<string | null>;
  close(): Promise<void>;
}

/**
 * Opens both connections and keeps reopening them (back-off up to 1 s). Never throws: without Redis the server runs
 * degraded.
 */
export function createRedis(
  url: string,
  log: Logger,
  metrics?: Metrics,
  timing: Timing = defaultTiming,
): RedisConnections {
  const base: Options = {
    commandTimeout: timing.redisAnswerMs,
    connectTimeout: 2000,
    socketTimeout: timing.redisSilenceMs,
    disconnectTimeout: 200, // keeps the process alive for so long after close()
    retryStrategy: (tries: number) => Math.min(tries * 50, 1000),
  };
  const client = new MeasuredRedis(
    url,
    { ...base, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    metrics,
  );
  // Subscriptions that are requested while Redis is away are made when it is back; nothing waits for them.
  const subscriber = new Redis(url, { ...base, commandTimeout: undefined, maxRetriesPerRequest: null });
  reportOutages(client, log);
  subscriber.on('error', () => {}); // the command connection reports it
  const heartbeat = setInterval(() => {
    if (subscriber.status === 'ready') subscriber.ping().catch(() => {});
  }, heartbeatMs).unref();
  return {
    client,
    subscriber,
    isReady: () => client.status === 'ready',
    async version() {
      await client.ping();
      const info = await client.info('server').catch(() => '');
      return /^redis_version:(\S+)/m.exec(info)?.[1] ?? null;
    },
    async close() {
      clearInterval(heartbeat);
      client.disconnect();
      subscriber.disconnect();
    },
  };
}

/** Logs when Redis becomes unreachable and when it is back, once each. */
function reportOutages(client: Redis, log: Logger): void {
  let isDown = false;
  client.on('error', (error: Error) => {
    if (!isDown)
      log.warn(
        { event: 'redis_unreachable', reason: error.message },
        'Redis is unreachable: running degraded',
      );
    isDown = true;
  });
  client.on('ready', () => {
    if (isDown) log.info({ event: 'redis_back' }, 'Redis is back');
    isDown = false;
  });
}

/** A client that times every command, also those of pipelines and scripts: all of them go through `sendCommand`. */
class MeasuredRedis extends Redis {
  private readonly metrics: Metrics | undefined;

  constructor(url: string, options: Options, metrics: Metrics | undefined) {
    super(url, options);
    this.metrics = metrics;
  }

  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    const { metrics } = this;
    if (metrics !== undefined) {
      const startedAt = performance.now();
      const end = (isFailed: boolean) =>
        metrics.redisCommand((performance.now() - startedAt) / 1000, isFailed);
      command.promise.then(
        () => end(false),
        () => end(true),
      );
    }
    return super.sendCommand(command, stream);
  }
}
