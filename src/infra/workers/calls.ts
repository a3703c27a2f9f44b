// The calls between the workers of one server and their primary.
import type { CounterOptions, Step, Taken } from '../rate-limiting/attempt.js';

/** A database that the primary has prepared: the URL to serve with, and whether a pooler lends its connections. */
export interface PreparedDatabase {
  url: string;
  isShared: boolean;
}

/** Numbers of configured and of serving workers. */
export interface WorkerCount {
  configured: number;
  running: number;
}

/** A counter of attempts by address. */
export interface AddressLimit {
  name: string;
  points: number;
  windowSeconds: number;
}

/** Calls of a worker on the primary. */
export type PrimaryCalls = {
  /** The initial state of a worker. */
  begin: () => { database: PreparedDatabase; workers: WorkerCount };
  /** The worker listens; `greeting` is what its start tells people. */
  serving: (greeting: { port: number; firstAdmin?: object | undefined }) => void;
  /** Passes a message to the other workers. */
  publish: (topic: string, message: unknown) => void;
  /** Takes a step of an attempt, for all workers. */
  attempt: (options: Omit<CounterOptions, 'now'>, key: string, step: Step) => Taken;
  /** Counts an attempt of an address. @returns the milliseconds until the window ends where it is refused, else null */
  consume: (limit: AddressLimit, key: string) => number | null;
  /** Takes an attempt back. */
  refund: (limit: AddressLimit, key: string) => void;
  /** Adds requests by caller in a window. @returns the sums of all workers */
  addRequests: (window: number, fresh: Record<string, number>) => Record<string, number>;
  /** The metrics of all workers, in Prometheus's text format. */
  metrics: () => string;
};

/** The same as the primary offers it, which may take its time. */
export type Offered = { [Name in keyof PrimaryCalls]: (...args: Parameters<PrimaryCalls[Name]>) => unknown };

/** Calls of the primary on a worker. */
export type WorkerCalls = {
  message: (topic: string, message: unknown) => void;
  workers: (count: WorkerCount) => void;
  /** The worker's own metrics, as prom-client aggregates them. */
  metrics: () => object;
};
