// Messages within and between instances: wake-ups and invalidations that may be lost, never state.
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Logger } from 'pino';
import type { PrimaryLink } from '../workers/link.js';
import type { RedisConnections } from './connections.js';
import { refusalOf } from './refusals.js';

/** Topic → message. */
export interface EventMap {
  /** A session ended: forget what is cached of it. */
  'session.ended': { sessionId: string };
  /** A user's profile, role or status changed, or the user is gone. */
  'user.changed': { userId: string };
  /** A user signed in: nothing but the moment of that changed. */
  'user.signed_in': { userId: string };
  /** An API key was revoked. */
  'key.ended': { apiKeyId: string };
  /** A SCIM token was revoked. */
  'scim_token.ended': { scimTokenId: string };
  /** A project was created or changed. */
  'project.changed': { projectId: string };
  /** An execution has an event of this number in its log, or (0) is gone. */
  'execution.changed': { executionId: string; number: number };
  /** A user resumed the feed of executions behind a cursor that the instance had not given. */
  'feed.moved': { userId: string };
}

const topics: (keyof EventMap)[] = [
  ...([
    'session.ended',
    'user.changed',
    'user.signed_in',
    'key.ended',
    'scim_token.ended',
    'project.changed',
    'execution.changed',
    'feed.moved',
  ] as const),
];

/** The bus as services see it. */
export type Events = ReturnType<typeof createEvents>;

/**
 * Handlers of this process hear at once; other instances through Redis, when there is one and it is up; other workers of a server
 * without Redis through their primary.
 */
export function createEvents(redis: RedisConnections | undefined, log: Logger, primary?: PrimaryLink) {
  const origin = randomUUID();
  const local = new EventEmitter().setMaxListeners(0);
  const remote = redis
    ? new RedisPubSub({ publisher: redis.client, subscriber: redis.subscriber })
    : primary?.messages;
  const report = (topic: string) => (error: Error) => {
    // Its connections report once that Redis is away or refuses.
    if (redis?.isReady() !== true || refusalOf(error) !== undefined) return;
    log.warn({ event: 'event_bus_failed', topic, reason: error.message });
  };
  for (const topic of remote === undefined ? [] : topics) {
    const receive = (envelope: { origin: string; message: unknown }) => {
      if (envelope.origin !== origin) local.emit(topic, envelope.message);
    };
    remote?.subscribe(`sec-tester:${topic}`, receive, {}).catch(report(topic));
  }

  return {
    /** Best effort: what cannot be sent is logged; receivers have a slower way of their own. */
    publish<Topic extends keyof EventMap>(topic: Topic, message: EventMap[Topic]): void {
      local.emit(topic, message);
      remote?.publish(`sec-tester:${topic}`, { origin, message }).catch(report(topic));
    },

    /** Calls the handler for every message from now on; returns how to stop. Its faults are logged, not passed on. */
    subscribe<Topic extends keyof EventMap>(
      topic: Topic,
      handler: (message: EventMap[Topic]) => void,
    ): () => void {
      const guarded = (message: EventMap[Topic]) => {
        try {
          handler(message);
        } catch (error) {
          log.error({ event: 'event_handler_failed', topic, err: error });
        }
      };
      local.on(topic, guarded);
      return () => local.off(topic, guarded);
    },
  };
}
