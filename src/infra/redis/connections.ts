// Redis connections with short time-outs: a command that waits for Redis fails fast, and none is queued for it.
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import type { Metrics } from '../telemetry/metrics.js';
import { type Refusal, refusalOf } from './refusals.js';
import { createSubscriber } from './subscriber.js';
import { createRedisWatch } from './watch.js';

/** Replies keep Redis's plain types. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** Time between two probes of both connections. */
const heartbeatMs = 1000;

/** The two connections of an instance: commands, and subscriptions. */
export interface RedisConnections {
  client: Redis;
  subscriber: Redis;
  /** Whether Redis is connected and takes commands that write. */
  isReady(): boolean;
  /**
   * Probes by writing, and returns the version of Redis; null where the user may not read it.
   * @throws Error when there is no answer, or Redis refuses what the server needs
   */
  check(): Promise<string | null>;
  close(): Promise<void>;
}

/**
 * Opens both connections and keeps reopening them (back-off up to 1 s). Never throws or rejects:
 * without Redis, or with one that refuses commands, the server runs degraded.
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
    enableReadyCheck: false, // by INFO, which may be renamed or forbidden; the watch probes by writing
  };
  const client = new MeasuredRedis(
    url,
    { ...base, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    metrics,
    (refusal) => watch.refused(refusal),
  );
  const probe = () => watch.probe().catch(() => {}); // it has reported the failure
  const subscriber = createSubscriber(url, base, () => client.status === 'ready' && probe());
  const watch = createRedisWatch(client, () => subscriber, log);
  const heartbeat = setInterval(() => {
    subscriber.refresh();
    if (client.status === 'ready') probe();
  }, heartbeatMs).unref();
  return {
    client,
    subscriber: subscriber.redis,
    isReady: watch.canWrite,
    async check() {
      await watch.probe();
      const info = await client.info('server').catch(() => '');
      return /^redis_version:(\S+)/m.exec(info)?.[1] ?? null;
    },
    async close() {
      clearInterval(heartbeat);
      watch.close();
      client.disconnect();
      subscriber.redis.disconnect();
    },
  };
}

/** A client that times every command and counts refusals, also in pipelines and scripts: `sendCommand` sends all. */
class MeasuredRedis extends Redis {
  private readonly metrics: Metrics | undefined;
  private readonly onRefusal: (refusal: Refusal) => void;

  constructor(
    url: string,
    options: Options,
    metrics: Metrics | undefined,
    onRefusal: (refusal: Refusal) => void,
  ) {
    super(url, options);
    this.metrics = metrics;
    this.onRefusal = onRefusal;
  }

  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    const { metrics, onRefusal } = this;
    const startedAt = performance.now();
    command.promise.then(
      () => metrics?.redisCommand((performance.now() - startedAt) / 1000, false),
      (error: unknown) => {
        metrics?.redisCommand((performance.now() - startedAt) / 1000, true);
        const refusal = refusalOf(error);
        if (refusal === undefined || isUnknownScript(refusal)) return;
        metrics?.redisRefusal(refusal.code);
        onRefusal(refusal);
      },
    );
    return super.sendCommand(command, stream);
  }
}

/** The client sends a script by its hash first, and the whole script once Redis does not know it. */
const isUnknownScript = ({ reason }: Refusal): boolean => reason.startsWith('NOSCRIPT');
