// A worker's connection to its primary, which counts for all workers and passes messages among them.
import cluster from 'node:cluster';
import { EventEmitter } from 'node:events';
import type { PreparedDatabase, PrimaryCalls, WorkerCalls, WorkerCount } from './calls.js';
import { createPeer, type Peer } from './ipc.js';

/** The primary, as a worker sees it. */
export interface PrimaryLink extends Pick<Peer<PrimaryCalls>, 'ask' | 'tell'> {
  /** The database that the primary has prepared. */
  database: PreparedDatabase;
  workers: () => WorkerCount;
  /** Messages among the workers; its functions are those of graphql-redis-subscriptions. */
  messages: {
    publish: (topic: string, message: unknown) => Promise<void>;
    subscribe: (
      topic: string,
      handler: (message: { origin: string; message: unknown }) => void,
    ) => Promise<number>;
  };
  /** Answers the primary's question for metrics. */
  onMetrics: (read: () => Promise<object>) => void;
}

/**
 * Connects to the primary that has forked this process.
 * @param onLost called when the primary is gone
 */
export async function joinPrimary(onLost: () => void): Promise<PrimaryLink> {
  const topics = new EventEmitter().setMaxListeners(0);
  let count: WorkerCount | undefined;
  let readMetrics: () => Promise<object> = async () => [];
  const own: WorkerCalls = {
    message: (topic, message) => void topics.emit(topic, message),
    workers: (given) => {
      count = given;
    },
    metrics: () => readMetrics(),
  };
  process.on('disconnect', onLost);
  cluster.worker?.on('error', () => {}); // of a message of Node's own to a primary that is gone
  const { ask, tell } = createPeer<PrimaryCalls>(
    {
      send: (message, done) => void process.send?.(message, undefined, undefined, done),
      receive: (handler) => void process.on('message', handler),
    },
    own,
  );
  const { database, workers } = await ask('begin');
  return {
    ask,
    tell,
    database,
    workers: () => count ?? workers,
    messages: {
      publish: async (topic, message) => tell('publish', topic, message),
      subscribe: async (topic, handler) => topics.on(topic, handler).listenerCount(topic),
    },
    onMetrics: (read) => {
      readMetrics = read;
    },
  };
}
