// A headless Chromium for tests of the pages: what it logs, refuses or asks of others is kept, and must be nothing.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from '@jest/globals';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromium as executablePath } from '../kit/harness.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Starts the system's Chromium; it fetches nothing on its own. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    timeout: 120_000,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
      '--disable-dev-shm-usage', // which is small in containers
    ],
  });
}

export interface Watched {
  page: Page;
  /** Errors in the console, violations of the page's policy, uncaught exceptions, requests to elsewhere. */
  faults: string[];
  /** Requests to the server, as "POST /graphql". */
  requests: string[];
}

/** A page on a profile of its own. Requests to other origins than its own and `alsoFrom` are faults. */
export async function openPage(
  browser: Browser,
  url: string,
  {
    width = 1280,
    hasTouch = false,
    alsoFrom = [],
  }: { width?: number | undefined; hasTouch?: boolean; alsoFrom?: readonly string[] } = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, hasTouch });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const faults: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  await context.route('**/*', (route) => {
    const asked = new URL(route.request().url());
    if (['data:', 'blob:'].includes(asked.protocol)) return route.continue();
    if ([new URL(url).origin, ...alsoFrom].includes(asked.origin)) {
      requests.push(`${route.request().method()} ${asked.pathname}${asked.search}`);
      return route.continue();
    }
    faults.push(`foreign: ${asked.href}`);
    return route.abort();
  });
  await page.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));`,
  });
  await page.goto(url, { waitUntil: 'load' });
  return { page, faults, requests };
}

/**
 * Fails on violations of accessibility, but for those of the library that draws the page.
 * @param ofLibrary rule → a selector of the library's elements that break it
 */
export async function expectAccessible(page: Page, ofLibrary: Record<string, RegExp>): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate<{ id: string; html: string }[]>(
    `axe.run().then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => ({ id, html }))))`,
  );
  const ours = found.filter(({ id, html }) => !ofLibrary[id]?.test(html));
  expect(ours.map(({ id, html }) => `${id}: ${html}`)).toEqual([]);
}
