// The GraphiQL page: Yoga's offline bundle with a sign-in bar and ready-made tabs. Nothing is loaded from elsewhere.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { GraphiQLOptions } from 'graphql-yoga';
import { graphiqlTabs } from './example-tabs.js';
import { bar, script, style } from './sign-in-bar.js';

/** Options of the GraphiQL page. */
const graphiqlOptions: GraphiQLOptions = {
  title: 'SEC-TESTER API',
  credentials: 'same-origin',
  defaultQuery: '', // of tabs that the user opens
  defaultTabs: graphiqlTabs,
  method: 'POST', // a GET would put what is asked into addresses, which proxies log
  shouldPersistHeaders: false,
};

/**
 * Lets the page survive a reload, also that of a sign-in at an identity provider. GraphiQL writes what is typed into the page's
 * address, which proxies log and where a reload runs it instead of showing the page. And it looks the open tab up by what was typed
 * last: while nobody has typed, it adds an empty tab at each load.
 */
const reloadScript = `{
  const replaceState = history.replaceState.bind(history);
  history.replaceState = (state, unused, url) => replaceState(state, unused, url instanceof URL ? url.pathname : url);
  try {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
    for (const name of ['query', 'variables']) localStorage.setItem('graphiql:' + name, tabs[activeTabIndex][name] ?? '');
  } catch {} // the first visit
}`;

/**
 * Creates the function that sends the page. Only its own scripts run, by their hashes. Its editor writes style sheets at
 * run time, which only 'unsafe-inline' allows.
 */
export function createGraphiqlPage(): (response: ServerResponse) => Promise<void> {
  let made: Promise<GraphiqlPage> | undefined;
  return async (response) => {
    made ??= makePage();
    const { html, zipped, policy, etag } = await made;
    const { headers } = response.req;
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Security-Policy', policy);
    // Megabytes, the same for everybody: kept by browsers, which ask whether it has changed.
    response.setHeader('Cache-Control', 'no-cache');
    response.setHeader('ETag', etag);
    response.setHeader('Vary', 'Origin, Accept, Accept-Encoding');
    if (headers['if-none-match'] === etag) {
      response.statusCode = 304;
      response.end();
      return;
    }
    const isZipped = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
    if (isZipped) response.setHeader('Content-Encoding', 'gzip');
    response.end(isZipped ? zipped : html);
  };
}

interface GraphiqlPage {
  html: Buffer;
  zipped: Buffer;
  policy: string;
  etag: string;
}

async function makePage(): Promise<GraphiqlPage> {
  // Megabytes that only those keep in memory who open the page.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(graphiqlOptions)
    .trimStart()
    .replace('<div id="root"></div>', () => `${bar}<main id="root"></main>`)
    .replace(
      '</head>',
      () =>
        `<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style><script>${reloadScript}</script><script>${script}</script></head>`,
    );
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, text]) =>
      `'sha256-${createHash('sha256')
        .update(text as string)
        .digest('base64')}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.join(' ')}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    'font-src data:',
    "connect-src 'self'",
    'worker-src blob:',
    "object-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const etag = `"${createHash('sha256').update(html).digest('base64url')}"`;
  return { html: Buffer.from(html), zipped: await promisify(gzip)(html), policy, etag };
}
