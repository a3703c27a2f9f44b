// Health over REST, for load balancers and people.
import { z } from 'zod';
import { can, type Viewer } from '../../core/permissions.js';
import { defineRoute, type Route } from '../../rest/route.js';
import type { HealthService } from './health.service.js';

const status = z
  .enum(['healthy', 'unhealthy', 'unused'])
  .describe('"unused": no Redis is configured and none is needed.');
const latencyMs = z.number().min(0).describe('Duration of the check, in milliseconds.');
const version = z.string().max(100).nullable().describe('Its version; null while it does not answer.');
const connections = (what: string) => z.int().min(0).max(10_000).describe(what);

const processes = (what: string) => z.int().min(0).max(64).describe(what);

const replica = z
  .strictObject({
    state: z
      .enum(['ready', 'behind', 'away'])
      .describe('In the states "behind" and "away", the primary serves lists, statistics and exports.'),
    lagMs: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .nullable()
      .describe(
        'Milliseconds since the replica last showed everything that was committed; null if it never has.',
      ),
    reason: z.string().max(500).nullable().describe('Why the replica is away.'),
  })
  .describe('State of the read replica; absent without DATABASE_READ_URL.');

const database = z
  .strictObject({
    status,
    latencyMs,
    details: z
      .strictObject({
        version,
        pool: z
          .strictObject({
            max: connections('Maximum number of connections.'),
            total: connections('Open connections.'),
            idle: connections('Idle connections.'),
            waiting: connections('Requests that wait for a connection.'),
          })
          .describe('Connections of this instance, and requests that wait for one.'),
        replica: replica.optional(),
      })
      .optional()
      .describe('Only for callers with the permission health:read.'),
  })
  .meta({ id: 'DatabaseHealth', description: 'PostgreSQL.' });

const redis = z
  .strictObject({
    status,
    latencyMs,
    details: z
      .strictObject({
        mode: z
          .enum(['redis', 'in-process'])
          .describe('Whether Redis or this server alone holds the state that instances share.'),
        version,
      })
      .optional()
      .describe('Only for callers with the permission health:read.'),
  })
  .meta({ id: 'RedisHealth', description: 'Redis.' });

const overall = z
  .strictObject({
    status: z.enum(['healthy', 'degraded', 'unhealthy']).describe('Degraded: the server works, but slower.'),
    uptimeSeconds: z.int().min(0).max(2_147_483_647).describe('Seconds since the start.'),
    components: z.strictObject({ database, redis }).describe('Components that the server depends on.'),
    workers: z
      .strictObject({
        configured: processes('Processes that should serve.'),
        running: processes('Processes that serve.'),
      })
      .optional()
      .describe('Only with WORKERS, and for callers with the permission health:read.'),
  })
  .meta({ id: 'Health', description: 'The server and the components that it depends on.' });

const simple = z
  .strictObject({ status: z.enum(['ok', 'unavailable']).describe('The answer.') })
  .meta({ id: 'Probe', description: 'Yes or no.' });

const up = { status: 'healthy', latencyMs: 0.8 };
const down = { status: 'unhealthy', latencyMs: 1000.4 };
const examples = {
  up,
  down,
  healthy: { status: 'healthy', uptimeSeconds: 86_400, components: { database: up, redis: up } },
  unhealthy: { status: 'unhealthy', uptimeSeconds: 86_400, components: { database: down, redis: up } },
};

const shared = { method: 'get', tag: 'Health', permission: 'public', errors: [] } as const;
/** The server looks the caller up in the database, which may be the component at fault. */
const forOperatorsToo = { ...shared, isViewerWelcome: true, viewerWithinMs: 300 } as const;
const maySee = (viewer: Viewer | null) => can(viewer, 'health:read');
const statusOf = (body: { status: string }) => (body.status === 'unhealthy' ? 503 : 200);

/** Routes under /api/v1/health: 200 healthy or degraded, 503 unhealthy. */
export function healthRoutes(health: HealthService): Route[] {
  return [
    defineRoute({
      ...forOperatorsToo,
      path: '/api/v1/health',
      operationId: 'health',
      summary: 'Overall health',
      description: 'The server with its components.',
      responses: {
        200: { description: 'Healthy or degraded.', schema: overall, example: examples.healthy },
        503: { description: 'Unhealthy.', schema: overall, example: examples.unhealthy },
      },
      handle: async ({ viewer }) => {
        const body = await health.overall(maySee(viewer));
        return { status: statusOf(body), body };
      },
    }),
    componentRoute('database', 'PostgreSQL', database, 'It answers.', (mayRead) => health.database(mayRead)),
    componentRoute('redis', 'Redis', redis, 'It answers, or is not used.', (mayRead) =>
      health.redis(mayRead),
    ),
    ...probes(health),
  ];
}

function componentRoute(
  name: 'database' | 'redis',
  product: string,
  schema: typeof database | typeof redis,
  healthy: string,
  check: (mayReadDetails: boolean) => Promise<z.output<typeof schema>>,
): Route {
  return defineRoute({
    ...forOperatorsToo,
    path: `/api/v1/health/${name}`,
    operationId: name === 'database' ? 'healthDatabase' : 'healthRedis',
    summary: product,
    description: `Whether ${product} answers within a second.`,
    responses: {
      200: { description: healthy, schema, example: examples.up },
      503: { description: 'It does not answer.', schema, example: examples.down },
    },
    handle: async ({ viewer }) => {
      const body = await check(maySee(viewer));
      return { status: statusOf(body), body };
    },
  });
}

/** For orchestrators: yes or no. */
function probes(health: HealthService): Route[] {
  return [
    defineRoute({
      ...shared,
      path: '/api/v1/health/live',
      operationId: 'healthLive',
      summary: 'Liveness',
      description: 'Whether the process answers; depends on nothing else.',
      responses: { 200: { description: 'The process answers.', schema: simple, example: { status: 'ok' } } },
      handle: async () => ({ body: { status: 'ok' } }),
    }),
    defineRoute({
      ...shared,
      path: '/api/v1/health/ready',
      operationId: 'healthReady',
      summary: 'Readiness',
      description: 'Whether requests should be sent here.',
      responses: {
        200: { description: 'Ready.', schema: simple, example: { status: 'ok' } },
        503: {
          description: 'Not ready: the database is away, or the server is stopping.',
          schema: simple,
          example: { status: 'unavailable' },
        },
      },
      handle: async () =>
        (await health.isReady())
          ? { body: { status: 'ok' } }
          : { status: 503, body: { status: 'unavailable' } },
    }),
  ];
}
