// Health over REST, for load balancers and people.
import { z } from 'zod';
import { defineRoute, type Route } from '../../http/route.js';
import type { HealthService } from './health.service.js';

const component = z
  .strictObject({
    status: z
      .enum(['healthy', 'unhealthy', 'unused'])
      .describe('"unused": there is no Redis and none is needed.'),
    latencyMs: z.number().min(0).describe('How long the check took, in milliseconds.'),
  })
  .meta({ id: 'ComponentHealth', description: 'One thing that the server stands on.' });

const overall = z
  .strictObject({
    status: z.enum(['healthy', 'degraded', 'unhealthy']).describe('Degraded works, slower.'),
    uptimeSeconds: z.int().min(0).max(2_147_483_647).describe('Seconds since the start.'),
    components: z.strictObject({ database: component, redis: component }).describe('What it stands on.'),
  })
  .meta({ id: 'Health', description: 'The server and what it stands on.' });

const simple = z
  .strictObject({ status: z.enum(['ok', 'unavailable']).describe('The answer.') })
  .meta({ id: 'Probe', description: 'Yes or no.' });

const up = { status: 'healthy', latencyMs: 0.8 };
const down = { status: 'unhealthy', latencyMs: 1000.4 };
const examples = {
  ...{ up, down },
  healthy: { status: 'healthy', uptimeSeconds: 86_400, components: { database: up, redis: up } },
  unhealthy: { status: 'unhealthy', uptimeSeconds: 86_400, components: { database: down, redis: up } },
};

/** Routes under /api/v1/health: 200 healthy or degraded, 503 unhealthy. */
export function healthRoutes(health: HealthService): Route[] {
  const shared = { method: 'get', tag: 'Health', permission: 'public', errors: [] } as const;
  return [
    defineRoute({
      ...{ ...shared, path: '/api/v1/health', operationId: 'health', summary: 'Overall health' },
      description: 'The server with its components.',
      responses: {
        200: { description: 'Healthy or degraded.', schema: overall, example: examples.healthy },
        503: { description: 'Unhealthy.', schema: overall, example: examples.unhealthy },
      },
      handle: async () => {
        const body = await health.overall();
        return { status: body.status === 'unhealthy' ? 503 : 200, body };
      },
    }),
    ...(['database', 'redis'] as const).map((name) =>
      defineRoute({
        ...{
          ...shared,
          path: `/api/v1/health/${name}`,
          operationId: `health${name === 'database' ? 'Database' : 'Redis'}`,
        },
        summary: name === 'database' ? 'PostgreSQL' : 'Redis',
        description: `Whether ${name === 'database' ? 'PostgreSQL' : 'Redis'} answers within a second.`,
        responses: {
          200: { description: 'It answers, or is not used.', schema: component, example: examples.up },
          503: { description: 'It does not answer.', schema: component, example: examples.down },
        },
        handle: async () => {
          const body = await health[name]();
          return { status: body.status === 'unhealthy' ? 503 : 200, body };
        },
      }),
    ),
    defineRoute({
      ...{ ...shared, path: '/api/v1/health/live', operationId: 'healthLive', summary: 'Liveness' },
      description: 'Whether the process answers at all; depends on nothing else.',
      responses: { 200: { description: 'It lives.', schema: simple, example: { status: 'ok' } } },
      handle: async () => ({ body: { status: 'ok' } }),
    }),
    defineRoute({
      ...{ ...shared, path: '/api/v1/health/ready', operationId: 'healthReady', summary: 'Readiness' },
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
