// /metrics for Prometheus: who may read it, and nothing of what it tells.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { AppError } from '../core/errors.js';
import type { Metrics } from '../infra/telemetry/metrics.js';
import { named } from './route.js';

const path = '/metrics';
const digest = (text: string) => createHash('sha256').update(text).digest();

/** @param token what readers must send as a bearer token; without it everyone may read */
export function metricsRouter(metrics: Metrics, token: string | undefined): Router {
  const wanted = token === undefined ? undefined : digest(`Bearer ${token}`);
  const router = Router({ caseSensitive: true, strict: true });
  router.all(path, named(path), async (request: Request, response: Response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new AppError('METHOD_NOT_ALLOWED');
    }
    if (wanted !== undefined && !timingSafeEqual(wanted, digest(request.headers.authorization ?? '')))
      throw new AppError('UNAUTHENTICATED', { message: 'The token of METRICS_TOKEN is needed.' });
    response.setHeader('Content-Type', metrics.contentType);
    response.end(await metrics.print());
  });
  return router;
}
