// Metrics of this process in Prometheus's format. Label values come from short lists of the program's own, never from a client.
// rest/metrics.routes.ts decides who may read them.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { registerHistogram } from './histogram.js';

/** In seconds, from half a millisecond, a statement by key, to the ten seconds after which statements are ended. */
const durations = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** In seconds. Acquiring without a wait counts too, so that the share of waits can be computed. */
const waits = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const statusClasses = ['other', '1xx', '2xx', '3xx', '4xx', '5xx'];
const methods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** Look-ups in one cache. */
export interface CacheCounts {
  hit: number;
  miss: number;
  /** Look-ups that waited for a load in progress. */
  shared: number;
}

/** `max` is for what each worker knows of the whole installation. */
type OverWorkers = 'sum' | 'max' | 'min';
type GaugeReading = number | Readonly<Record<string, number>>;

/** Counters and timers of the server's parts. Times are in seconds. */
export interface Metrics {
  /** Everything in Prometheus's text format. */
  print(): Promise<string>;
  /** Everything, as prom-client aggregates it over processes. */
  read(): Promise<object>;
  contentType: string;
  /** Also measures the process: memory, processor, garbage collection, event loop lag. */
  watchProcess(): void;
  /**
   * Adds a value, or one for each value of `label`, that `read` returns at each scrape.
   * @param overWorkers how the values of several workers become one; by default they are added up
   */
  gauge(
    name: string,
    help: string,
    read: () => GaugeReading,
    label?: string,
    overWorkers?: OverWorkers,
  ): void;
  /**
   * @param route the pattern of a known route; undefined for any other path
   * @param status of the response; undefined when the client left before it
   */
  request(seconds: number, method: string, route: string | undefined, status: number | undefined): void;
  /** @param operation a root field, or the name of a trusted document */
  operation(seconds: number, type: string, operation: string, isFailed: boolean): void;
  statement(seconds: number, isFailed: boolean): void;
  transaction(seconds: number, isFailed: boolean): void;
  redisCommand(seconds: number, isFailed: boolean): void;
  /** @param code of `refusalCodes` in infra/redis/refusals.ts */
  redisRefusal(code: string): void;
  /** @param seconds spent waiting for a database connection */
  connectionWait(seconds: number): void;
  /** @param code a key of the error catalogue */
  error(code: string): void;
  /** @returns counts one refusal of this limiter */
  refusalsOf(limiter: string): () => void;
  /**
   * @param size the number of values that the cache holds
   * @returns where the cache counts its look-ups
   */
  cache(name: string, size: () => number): CacheCounts;
}

/** Creates metrics with a registry of their own, so that two servers in one process are measured separately. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const gauge = gaugeAdder(registry);
  return {
    print: () => registry.metrics(),
    read: () => registry.getMetricsAsJSON(),
    contentType: registry.contentType,
    watchProcess: () => collectDefaultMetrics({ register: registry }),
    gauge,
    ...requestMetrics(registry),
    ...storeMetrics(registry),
    ...errorMetrics(registry),
    cache: cacheMetrics(registry, gauge),
  };
}

function histogram(registry: Registry, name: string, help: string, labelNames: string[], bounds = durations) {
  return registerHistogram(registry, { name: `sec_tester_${name}_seconds`, help, labelNames, bounds });
}

function counter(registry: Registry, name: string, help: string, label: string): Counter {
  return new Counter({
    registers: [registry],
    name: `sec_tester_${name}_total`,
    help,
    labelNames: [label],
  });
}

function requestMetrics(registry: Registry): Pick<Metrics, 'request' | 'operation'> {
  const requests = histogram(registry, 'http_request_duration', 'Time to answer a request.', [
    'method',
    'route',
    'status',
  ]);
  const operations = histogram(
    registry,
    'graphql_operation_duration',
    'Time to execute an operation; for a subscription, until its stream begins.',
    ['type', 'operation', 'outcome'],
  );
  return {
    request(seconds, method, route, status) {
      const statusClass = status === undefined ? 'aborted' : statusClasses[Math.floor(status / 100)];
      requests(seconds, methods.has(method) ? method : 'other', route ?? 'other', statusClass ?? 'other');
    },
    operation: (seconds, type, operation, isFailed) =>
      operations(seconds, type, operation, outcomeOf(isFailed)),
  };
}

function storeMetrics(
  registry: Registry,
): Pick<Metrics, 'statement' | 'transaction' | 'redisCommand' | 'connectionWait'> {
  const timed = (name: string, help: string) => {
    const observe = histogram(registry, name, help, ['outcome']);
    return (seconds: number, isFailed: boolean) => observe(seconds, outcomeOf(isFailed));
  };
  const acquires = histogram(registry, 'database_acquire_duration', 'Wait for a free connection.', [], waits);
  return {
    statement: timed('database_statement_duration', 'Time of one SQL statement.'),
    transaction: timed('database_transaction_duration', 'Time of one transaction.'),
    redisCommand: timed('redis_command_duration', 'Time of one Redis command.'),
    connectionWait: (seconds) => acquires(seconds),
  };
}

function errorMetrics(registry: Registry): Pick<Metrics, 'error' | 'refusalsOf' | 'redisRefusal'> {
  const errors = counter(registry, 'errors', 'Requests and operations with an error, by its code.', 'code');
  const refusals = counter(registry, 'limiter_refusals', 'Refusals of a limit.', 'limiter');
  const redis = counter(registry, 'redis_refusals', 'Commands that Redis answered with an error.', 'code');
  return {
    error: (code) => errors.labels(code).inc(),
    redisRefusal: (code) => redis.labels(code).inc(),
    refusalsOf(limiter) {
      const child = refusals.labels(limiter);
      child.inc(0); // makes it visible before the first refusal
      return () => child.inc();
    },
  };
}

/** Caches count in plain numbers, because a request looks up several times; prom-client reads them at each scrape. */
function cacheMetrics(registry: Registry, gauge: Metrics['gauge']): Metrics['cache'] {
  const caches = new Map<string, CacheCounts & { size: () => number }>();
  new Counter({
    registers: [registry],
    name: 'sec_tester_cache_requests_total',
    labelNames: ['cache', 'result'],
    help: 'Look-ups in a cache; shared ones waited for a load in progress.',
    collect() {
      this.reset();
      for (const [cache, { hit, miss, shared }] of caches)
        for (const [result, count] of Object.entries({ hit, miss, shared }))
          this.inc({ cache, result }, count);
    },
  });
  const sizes = () => Object.fromEntries([...caches].map(([name, { size }]) => [name, size()]));
  gauge('cache_entries', 'Values in a cache.', sizes, 'cache');
  return (name, size) => {
    const counts = { hit: 0, miss: 0, shared: 0, size };
    caches.set(name, counts);
    return counts;
  };
}

function gaugeAdder(registry: Registry): Metrics['gauge'] {
  return (name, help, read, label, overWorkers = 'sum') => {
    new Gauge({
      registers: [registry],
      aggregator: overWorkers,
      name: `sec_tester_${name}`,
      help,
      labelNames: label === undefined ? [] : [label],
      collect() {
        const reading = read();
        if (typeof reading === 'number') this.set(reading);
        else for (const [key, value] of Object.entries(reading)) this.set({ [label as string]: key }, value);
      },
    });
  };
}

const outcomeOf = (isFailed: boolean): string => (isFailed ? 'error' : 'ok');
