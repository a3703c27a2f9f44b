// The GraphiQL page: Yoga's offline bundle with a sign-in bar and ready-made tabs. Nothing is loaded from elsewhere.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { GraphiQLOptions } from 'graphql-yoga';
import { bar, script, style } from './graphiql-bar.js';
import { graphiqlTabs } from './graphiql-tabs.js';

/** What GraphiQL is given. */
const graphiqlOptions: GraphiQLOptions = {
  title: 'SEC-TESTER API',
  credentials: 'same-origin',
  defaultQuery: '', // of tabs that one opens oneself
  defaultTabs: graphiqlTabs,
  method: 'POST', // a GET would put what is asked into addresses, which proxies log
  shouldPersistHeaders: false,
};

/**
 * Makes what sends the page. Its scripts run by their hashes: whatever else got into the page would not. Its editor
 * writes style sheets at run time, which only 'unsafe-inline' lets it do.
 */
export function createGraphiqlPage(): (response: ServerResponse) => Promise<void> {
  let made: Promise<{ html: Buffer; policy: string }> | undefined;
  return async (response) => {
    made ??= makePage();
    const { html, policy } = await made;
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Security-Policy', policy);
    response.end(html);
  };
}

async function makePage(): Promise<{ html: Buffer; policy: string }> {
  // Megabytes that only those keep in memory who open the page.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(graphiqlOptions)
    .trimStart()
    .replace('<div id="root"></div>', () => `${bar}<main id="root"></main>`)
    .replace(
      '</head>',
      () =>
        `<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style><script>${script}</script></head>`,
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
  return { html: Buffer.from(html), policy };
}
