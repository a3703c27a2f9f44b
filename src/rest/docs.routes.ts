// Serves /docs: Swagger UI from its package, without a network, and the OpenAPI document. All links are relative, so that
// they work under a sub-path of a proxy.
import { type Request, type Response, Router } from 'express';
import swaggerUi from 'swagger-ui-express';
import { stringify } from 'yaml';
import { AppError } from '../core/errors.js';
import { docsSignIn } from './docs-sign-in.js';
import { docsStyle } from './docs-style.js';
import { noteRoute } from './mount.js';
import { createOpenApiDocument, yamlOptions } from './openapi.js';
import type { Route } from './route.js';

const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The files of the package that the page uses; the package has an example page too. */
const files = [
  ...['/swagger-ui.css', '/swagger-ui-bundle.js', '/swagger-ui-standalone-preset.js', '/swagger-ui-init.js'],
  ...['/favicon-16x16.png', '/favicon-32x32.png'],
];
const signInPath = '/sign-in.js';
const paths = new Set(['/', '/openapi.json', '/openapi.yaml', signInPath, ...files]);

/** Where the API is, seen from /docs/ and the documents in it. */
const serverFromDocs = '..';

/**
 * Serves /docs/, /docs/openapi.json and /docs/openapi.yaml; /docs is redirected. The first request makes what it needs, as it
 * would take a tenth of a second of every start.
 */
export function docsRouter(routes: Route[], version: string): Router {
  let made: { document: OpenApiDocument; page: string } | undefined;
  let yaml: string | undefined;
  const docs = () => {
    if (made === undefined) {
      const document = createOpenApiDocument(routes, version, serverFromDocs);
      made = { document, page: pageOf(document) };
    }
    return made;
  };
  const router = Router();
  router.use('/docs', noteRoute('/docs'), checkRequest, (_request, _response, next) => {
    docs(); // also before a file: one of the package's holds the document
    next();
  });
  router.get('/docs/openapi.json', (_request: Request, response: Response) => {
    response.json(docs().document);
  });
  router.get('/docs/openapi.yaml', (_request: Request, response: Response) => {
    yaml ??= stringify(docs().document, yamlOptions);
    response.type('application/yaml').send(yaml);
  });
  router.get(`/docs${signInPath}`, (_request: Request, response: Response) => {
    response.type('text/javascript').send(docsSignIn);
  });
  router.get('/docs/', (request: Request, response: Response) => {
    if (request.path === '/docs/') response.send(docs().page);
    else response.redirect(301, 'docs/'); // the page finds its files only from here
  });
  router.use('/docs', swaggerUi.serve);
  return router;
}

/** Refuses unknown paths and methods, and sets the headers of the page and its files. */
function checkRequest(request: Request, response: Response, next: () => void): void {
  if (!paths.has(request.path))
    throw new AppError('NOT_FOUND', { message: 'There is nothing at this path.' });
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (request.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
    response.status(204).end();
    return;
  }
  response.setHeader('Content-Security-Policy', pagePolicy);
  response.setHeader('Cache-Control', 'no-cache'); // browsers keep it and ask whether it has changed
  next();
}

type OpenApiDocument = ReturnType<typeof createOpenApiDocument>;

/** Swagger UI's page, fit for phones and screen readers. */
function pageOf(document: OpenApiDocument): string {
  return swaggerUi
    .generateHTML(document, {
      customSiteTitle: 'SEC-TESTER API',
      customCss: docsStyle,
      customJs: `.${signInPath}`,
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

/** Runs in the page, so it refers to nothing outside: a sign-in by "Try it out" authorizes the requests after it. */
function authorizeAfterSignIn(response: { ok?: boolean; obj?: { accessToken?: unknown } }) {
  const { ui } = globalThis as { ui?: { preauthorizeApiKey: (scheme: string, token: string) => void } };
  const token = response.obj?.accessToken;
  if (response.ok && typeof token === 'string') ui?.preauthorizeApiKey('accessToken', token);
  return response;
}
