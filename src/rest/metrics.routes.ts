// Serves /metrics to Prometheus, with a bearer token where one is set. The metrics themselves are infra/telemetry's.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { AppError } from '../core/errors.js';
import type { Metrics } from '../infra/telemetry/metrics.js';
import { noteRoute } from './mount.js';

const path = '/metrics';
const digest = (text: string) => createHash('sha256').update(text).digest();

/** @param token bearer token that readers must send; without it anyone may read */
export function metricsRouter(metrics: Metrics, token: string | undefined): Router {
  const expected = token === undefined ? undefined : digest(`Bearer ${token}`);
  const router = Router({ caseSensitive: true, strict: true });
  router.all(path, noteRoute(path), async (request: Request, response: Response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new AppError('METHOD_NOT_ALLOWED');
    }
    if (expected !== undefined && !timingSafeEqual(expected, digest(request.headers.authorization ?? '')))
      throw new AppError('UNAUTHENTICATED', { message: 'Send the token of METRICS_TOKEN.' });
    response.setHeader('Content-Type', metrics.contentType);
    response.end(await metrics.print());
  });
  return router;
}
