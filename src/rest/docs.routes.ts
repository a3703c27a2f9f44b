// /docs: Swagger UI from the package, offline, and the document it shows.
import { type Request, type Response, Router } from 'express';
import swaggerUi from 'swagger-ui-express';
import { AppError } from '../core/errors.js';
import { docsStyle } from './docs-style.js';
import { createOpenApiDocument, printOpenApi } from './openapi.js';
import { named, type Route } from './route.js';

const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Of the package's files those that the page uses; it has an example page, too. */
const files = [
  ...['/swagger-ui.css', '/swagger-ui-bundle.js', '/swagger-ui-standalone-preset.js', '/swagger-ui-init.js'],
  ...['/favicon-16x16.png', '/favicon-32x32.png'],
];
const paths = new Set(['/', '/openapi.json', '/openapi.yaml', ...files]);

/** /docs, /docs/openapi.json and /docs/openapi.yaml. */
export function docsRouter(routes: Route[], version: string): Router {
  const document = createOpenApiDocument(routes, version);
  const yaml = printOpenApi(routes, version);
  const page = pageOf(document);
  const router = Router();
  router.use('/docs', named('/docs'), (request: Request, response: Response, next: () => void) => {
    if (!paths.has(request.path))
      throw new AppError('NOT_FOUND', { message: 'There is nothing at this path.' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD, OPTIONS');
      if (request.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
      response.status(204).end();
      return;
    }
    response.setHeader('Content-Security-Policy', pagePolicy);
    response.setHeader('Cache-Control', 'no-cache'); // kept by browsers, which ask whether it has changed
    next();
  });
  router.get('/docs/openapi.json', (_request: Request, response: Response) => {
    response.json(document);
  });
  router.get('/docs/openapi.yaml', (_request: Request, response: Response) => {
    response.type('application/yaml').send(yaml);
  });
  router.get('/docs/', (request: Request, response: Response, next: () => void) => {
    if (request.path === '/docs/') response.send(page);
    else next(); // without the slash its assets would not be found: it is redirected
  });
  router.use('/docs', swaggerUi.serve);
  return router;
}

/** The package's page as telephones and screen readers want it. */
function pageOf(document: ReturnType<typeof createOpenApiDocument>): string {
  // There is but this server: nothing to choose.
  const { servers: _servers, ...shown } = document;
  return swaggerUi
    .generateHTML(shown, {
      customSiteTitle: 'SEC-TESTER API',
      customCss: docsStyle,
      swaggerOptions: {
        displayRequestDuration: true,
        defaultModelsExpandDepth: 0,
        validatorUrl: null, // it would send the document to a public service
        responseInterceptor: authorizeAfterSignIn,
      },
    })
    .trimStart()
    .replace('<head>', '<head>\n  <meta name="viewport" content="width=device-width, initial-scale=1">');
}

/** Runs in the page, so it must stand on its own: who signs in by "Try it out" is authorized for what follows. */
function authorizeAfterSignIn(response: { ok?: boolean; obj?: { accessToken?: unknown } }) {
  const { ui } = globalThis as { ui?: { preauthorizeApiKey: (scheme: string, token: string) => void } };
  const token = response.obj?.accessToken;
  if (response.ok && typeof token === 'string') ui?.preauthorizeApiKey('accessToken', token);
  return response;
}
