// /docs: Swagger UI from the package, offline, and the document it shows.
import { type Request, type Response, Router } from 'express';
import swaggerUi from 'swagger-ui-express';
import { AppError } from '../core/errors.js';
import { createOpenApiDocument, printOpenApi } from './openapi.js';
import { named, type Route } from './route.js';

const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** /docs, /docs/openapi.json and /docs/openapi.yaml. */
export function docsRouter(routes: Route[], version: string): Router {
  const document = createOpenApiDocument(routes, version);
  const yaml = printOpenApi(routes, version);
  const router = Router();
  router.use('/docs', named('/docs'), (request: Request, response: Response, next: () => void) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new AppError('METHOD_NOT_ALLOWED');
    }
    response.setHeader('Content-Security-Policy', pagePolicy);
    next();
  });
  router.get('/docs/openapi.json', (_request: Request, response: Response) => {
    response.json(document);
  });
  router.get('/docs/openapi.yaml', (_request: Request, response: Response) => {
    response.type('application/yaml').send(yaml);
  });
  router.use('/docs', swaggerUi.serve, swaggerUi.setup(document, { customSiteTitle: 'SEC-TESTER API' }));
  return router;
}
