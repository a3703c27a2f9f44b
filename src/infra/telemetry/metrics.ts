// What is measured of this process, in Prometheus's terms; who may read it is in rest/metrics.routes.ts. Labels come from
// short lists of this program's own: nothing that a client writes becomes one.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { registerHistogram } from './histogram.js';

/** From half a millisecond, a statement by key, to the ten seconds after which statements are ended. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Waits that are none at all count too, so that the share of those who waited can be told. */
const waitBuckets = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const statusKinds = ['other', '1xx', '2xx', '3xx', '4xx', '5xx'];
const methods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** What the parts of the server count and time. */
export type Metrics = ReturnType<typeof createMetrics>;

type GaugeReading = number | Readonly<Record<string, number>>;

/** Makes a registry of its own, so that two servers in one process keep apart. */
export function createMetrics() {
  const registry = new Registry();
  const shared = { registers: [registry] };
  const histogram = (name: string, help: string, labelNames: string[] = [], bounds = buckets) =>
    registerHistogram(registry, { name: `sec_tester_${name}_seconds`, help, labelNames, bounds });
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ ...shared, name: `sec_tester_${name}_total`, help, labelNames });

  const requests = histogram('http_request_duration', 'Time to answer a request.', [
    ...['method', 'route', 'status'],
  ]);
  const operations = histogram(
    'graphql_operation_duration',
    'Time to execute an operation; of a subscription, until its stream begins.',
    ['type', 'operation', 'outcome'],
  );
  const errors = counter('errors', 'Requests and operations that got an error, by its code.', 'code');
  const refusals = counter('limiter_refusals', 'What a limit refused.', 'limiter');
  // Plain counts, as a request looks up several times; the client is told when it is asked.
  const caches = new Map<string, { hit: number; miss: number; shared: number; size: () => number }>();
  new Counter({
    ...{ ...shared, name: 'sec_tester_cache_requests_total', labelNames: ['cache', 'result'] },
    help: 'Look-ups in a cache; shared ones waited for a load that was under way.',
    collect() {
      this.reset();
      for (const [cache, { hit, miss, shared: joined }] of caches)
        for (const [result, count] of Object.entries({ hit, miss, shared: joined }))
          this.inc({ cache, result }, count);
    },
  });
  const statements = histogram('database_statement_duration', 'Time of one SQL statement.', ['outcome']);
  const transactions = histogram('database_transaction_duration', 'Time of one transaction.', ['outcome']);
  const waits = histogram('database_acquire_duration', 'Wait for a free connection.', [], waitBuckets);
  const commands = histogram('redis_command_duration', 'Time of one Redis command.', ['outcome']);

  /** A value, or one for each value of a label, that is read when it is asked for. */
  function gauge(name: string, help: string, read: () => GaugeReading, label?: string): void {
    new Gauge({
      ...{ ...shared, name: `sec_tester_${name}`, help, labelNames: label === undefined ? [] : [label] },
      collect() {
        const reading = read();
        if (typeof reading === 'number') this.set(reading);
        else for (const [key, value] of Object.entries(reading)) this.set({ [label as string]: key }, value);
      },
    });
  }

  gauge(
    'cache_entries',
    'Values that a cache holds.',
    () => Object.fromEntries([...caches].map(([name, { size }]) => [name, size()])),
    'cache',
  );

  return {
    /** Everything in the text format of Prometheus. */
    print: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType,

    /** Measures the process itself too: memory, processor, garbage, delay of the event loop. */
    watchProcess: (): void => collectDefaultMetrics({ register: registry }),

    gauge,

    /**
     * @param route the pattern of a known route, undefined for anything else
     * @param status of the answer; undefined when the client left before it
     */
    request(seconds: number, method: string, route: string | undefined, status: number | undefined): void {
      const kind = status === undefined ? 'aborted' : (statusKinds[Math.floor(status / 100)] ?? 'other');
      requests(seconds, methods.has(method) ? method : 'other', route ?? 'other', kind);
    },
    /** @param operation a root field, or the name of a trusted document */
    operation: (seconds: number, type: string, operation: string, isFailed: boolean): void =>
      operations(seconds, type, operation, outcomeOf(isFailed)),
    statement: (seconds: number, isFailed: boolean): void => statements(seconds, outcomeOf(isFailed)),
    transaction: (seconds: number, isFailed: boolean): void => transactions(seconds, outcomeOf(isFailed)),
    redisCommand: (seconds: number, isFailed: boolean): void => commands(seconds, outcomeOf(isFailed)),
    /** @param seconds waited for a connection */
    connectionWait: (seconds: number): void => waits(seconds),
    /** @param code one of the catalogue */
    error: (code: string): void => errors.labels(code).inc(),

    /** @returns counts what this limiter refuses */
    refusalsOf(limiter: string): () => void {
      const child = refusals.labels(limiter);
      child.inc(0); // so that it is there before the first
      return () => child.inc();
    },

    /**
     * @param size how many values the cache holds
     * @returns where it counts its look-ups
     */
    cache(name: string, size: () => number) {
      const counts = { hit: 0, miss: 0, shared: 0, size };
      caches.set(name, counts);
      return counts;
    },
  };
}

const outcomeOf = (isFailed: boolean): string => (isFailed ? 'error' : 'ok');
