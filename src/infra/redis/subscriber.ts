// The connection of subscriptions: it asks for each channel until Redis grants it, and never rejects.
import { Redis, type RedisOptions } from 'ioredis';
import { type Refusal, refusalOf } from './refusals.js';

/** A connection whose subscriptions are made in the background, again after each reconnection or refusal. */
export interface Subscriber {
  /** For graphql-redis-subscriptions. It leaves the rejection of a SUBSCRIBE unhandled, so this one's never rejects. */
  redis: Redis;
  /** Asks for channels that are missing, and for a sign of life, because the connection may be silent for long. */
  refresh(): void;
  /** Why Redis refuses a channel; undefined when none is refused. */
  refusal(): Refusal | undefined;
}

/**
 * Opens the connection.
 * @param onChange called after Redis has refused or granted channels
 */
export function createSubscriber(
  url: string,
  options: Omit<RedisOptions, 'replyMapping'>,
  onChange: () => void,
): Subscriber {
  const redis = new Redis(url, {
    ...options,
    commandTimeout: undefined,
    maxRetriesPerRequest: null,
    // ioredis leaves the rejections of its own repetitions unhandled.
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
  });
  const wanted = new Set<string>();
  const granted = new Set<string>();
  let refused: Refusal | undefined;
  let isAsking = false;
  const askFor = redis.subscribe.bind(redis) as (...channels: string[]) => Promise<unknown>;

  async function ask(): Promise<void> {
    const missing = [...wanted].filter((channel) => !granted.has(channel));
    if (isAsking || missing.length === 0 || redis.status !== 'ready') return;
    isAsking = true;
    try {
      await askFor(...missing);
      for (const channel of missing) granted.add(channel);
      refused = undefined;
    } catch (error) {
      refused = refusalOf(error);
    } finally {
      isAsking = false;
    }
    onChange();
  }

  redis.on('error', () => {}); // the connection of commands reports it
  redis.on('ready', () => void ask());
  redis.on('close', () => granted.clear());
  Object.assign(redis, {
    subscribe(channel: string, done: (error: null) => void) {
      wanted.add(channel);
      void ask();
      done(null);
    },
  });
  return {
    redis,
    refresh() {
      if (redis.status === 'ready') redis.ping().catch(() => {});
      void ask();
    },
    refusal: () => refused,
  };
}
