// Serves the live dashboard: its page, and from node_modules the two libraries that the page uses. Nothing else is readable.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const usage = `Serves the live dashboard at http://127.0.0.1:4100.

Usage: PORT=4100 node examples/live-dashboard/serve.mjs

The server that it shows must list that address: CORS_ORIGINS=http://127.0.0.1:4100`;

const require = createRequire(import.meta.url);
const uplot = dirname(require.resolve('uplot'));
const graphqlSse = dirname(require.resolve('graphql-sse'));

/** Path → file and content type. */
const files = {
  '/': [join(import.meta.dirname, 'index.html'), 'text/html; charset=utf-8'],
  '/lib/uplot.js': [join(uplot, 'uPlot.esm.js'), 'text/javascript'],
  '/lib/uplot.css': [join(uplot, 'uPlot.min.css'), 'text/css'],
  ...Object.fromEntries(
    ['client', 'common', 'parser', 'utils'].map((name) => [
      `/lib/graphql-sse/${name}.mjs`,
      [join(graphqlSse, `${name}.mjs`), 'text/javascript'],
    ]),
  ),
};

/**
 * Starts to serve on the loopback interface.
 * @param {number} port 0 for any
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serveDashboard(port) {
  const server = createServer(({ url = '/', method }, response) => {
    const file = files[url.split('?')[0]];
    if (file === undefined || method !== 'GET') {
      response.writeHead(404).end();
      return;
    }
    const [path, type] = file;
    const text = readFileSync(path, 'utf8');
    response.writeHead(200, {
      'Content-Type': type,
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
      ...(url === '/' && { 'Content-Security-Policy': policyOf(text) }),
    });
    response.end(text);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const { port: chosen } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections());
  return { url: `http://127.0.0.1:${chosen}`, close };
}

/** Only the scripts of the page run. It may call any server: the user says which. */
function policyOf(html) {
  const hashes = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    'img-src data:',
    'connect-src http: https:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.length > 2) {
    console.log(usage);
  } else {
    const { url } = await serveDashboard(Number(process.env.PORT ?? 4100));
    console.log(`The dashboard is at ${url}. Start the server with CORS_ORIGINS=${url}`);
  }
}
