// Creates the Express application that serves REST, the documentation, the page to choose a password and /metrics.
import express, { type NextFunction, type Request, type Response } from 'express';
import { AppError } from '../core/errors.js';
import type { Viewer } from '../core/permissions.js';
import { apiVersion } from '../http/headers.js';
import type { Infra } from '../infra/infra.js';
import { docsRouter } from './docs.routes.js';
import { metricsRouter } from './metrics.routes.js';
import { mountRoutes } from './mount.js';
import { passwordPage } from './password-page.js';
import { sendProblem } from './problem.js';
import type { Route } from './route.js';

/** Creates the application. It answers every path: an unknown one with NOT_FOUND. */
export function createRestApp(
  routes: Route[],
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>,
  { config, log, metrics }: Pick<Infra, 'config' | 'log' | 'metrics'>,
) {
  const rest = express();
  rest.disable('x-powered-by');
  rest.disable('etag');
  rest.set('query parser', 'simple');
  rest.use(mountRoutes(routes, authenticate));
  rest.use(docsRouter(routes, apiVersion));
  rest.use(passwordPage());
  if (config.isMetricsEnabled) rest.use(metricsRouter(metrics, config.metricsToken));
  rest.use(() => {
    throw new AppError('NOT_FOUND', { message: 'There is nothing at this path.' });
  });
  rest.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendProblem(response, request.path, error, log);
  });
  return rest;
}
