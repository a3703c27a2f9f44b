// Redis connections with short time-outs: what waits on Redis fails fast and says so, nothing queues for it.
import { type Command, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { defaultTiming, type Timing } from '../../core/timeouts.js';
import type { Metrics } from '../telemetry/metrics.js';

/** How often the subscriptions, on which nothing may come for long, are asked for a sign of life. */
const heartbeatMs = 1000;

/** The two connections that an instance keeps: commands, and subscriptions. */
export type RedisConnections = ReturnType<typeof createRedis>;

/**
 * Opens both connections and keeps reopening them (back-off up to 1 s). Never rejects: without Redis the
 * server runs degraded.
 */
export function createRedis(url: string, log: Logger, metrics?: Metrics, timing: Timing = defaultTiming) {
  const base = {
    commandTimeout: timing.redisAnswerMs,
    connectTimeout: 2000,
    socketTimeout: timing.redisSilenceMs,
    disconnectTimeout: 200, // keeps the process alive for so long after close()
    retryStrategy: (tries: number) => Math.min(tries * 50, 1000),
  };
  const client = new Redis(url, { ...base, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  if (metrics !== undefined) meterCommands(client, metrics);
  // Subscriptions asked for while Redis is away are made when it is back; nobody waits for them.
  const subscriber = new Redis(url, { ...base, commandTimeout: undefined, maxRetriesPerRequest: null });
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
  subscriber.on('error', () => {}); // reported by the command connection
  const heartbeat = setInterval(() => {
    if (subscriber.status === 'ready') subscriber.ping().catch(() => {});
  }, heartbeatMs).unref();

  return {
    client,
    subscriber,
    isReady: () => client.status === 'ready',
    /**
     * Asks for an answer, and gives the version; null where the user may not see it.
     * @throws Error when there is no answer
     */
    async version(): Promise<string | null> {
      await client.ping();
      const info = await client.info('server').catch(() => '');
      return /^redis_version:(\S+)/m.exec(info)?.[1] ?? null;
    },
    async close(): Promise<void> {
      clearInterval(heartbeat);
      client.disconnect();
      subscriber.disconnect();
    },
  };
}

/** Times every command, those of pipelines and scripts too. */
function meterCommands(client: Redis, metrics: Metrics): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, ...rest) => {
    const startedAt = performance.now();
    const end = (isFailed: boolean) => metrics.redisCommand((performance.now() - startedAt) / 1000, isFailed);
    command.promise.then(
      () => end(false),
      () => end(true),
    );
    return send(command, ...rest);
  };
}
