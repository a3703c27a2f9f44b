// The pages in a real browser under a sub-path of a reverse proxy: they sign in and ask there, not at the root of the host.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { admin, chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { type SubPathProxy, startProxy } from '../kit/network/proxy.js';
import { openBrowser, openPage } from './kit.js';

jest.setTimeout(300_000);

(chromium === undefined ? describe.skip : describe)('under a sub-path', () => {
  let server: TestServer;
  let proxy: SubPathProxy;
  let browser: Browser;
  beforeAll(async () => {
    server = await startTestServer();
    proxy = await startProxy(server.url);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.close();
  });

  it.each(['/graphql', '/api/v1/graphql'])('GraphiQL at %s signs in, asks and signs out', async (path) => {
    const { page, faults, requests } = await openPage(browser, proxy.url + path);
    await page.getByLabel('E-mail').fill(admin.email);
    await page.getByLabel('Password').fill(admin.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('Signed in as Administrator (admin)').waitFor();
    const answered = page.waitForResponse(
      (response) => response.request().method() === 'POST' && response.url().endsWith('/graphql'),
    );
    await page.locator('.graphiql-execute-button').click();
    expect((await answered).status()).toBe(200);
    // The page shows the form again before the request is out.
    const signedOut = page.waitForRequest((request) => request.url().endsWith('/auth/logout'));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signedOut;
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    expect(requests.filter((request) => !request.includes(' /sec/'))).toEqual([]);
    expect(requests).toEqual(
      expect.arrayContaining([
        'POST /sec/api/v1/auth/login',
        'POST /sec/api/v1/auth/logout',
        `POST /sec${path}`,
      ]),
    );
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('the documentation tries routes out, and shows no choice of servers', async () => {
    const { page, faults, requests } = await openPage(browser, `${proxy.url}/docs`);
    const login = page.locator('#operations-Authentication-login');
    await login.locator('.opblock-summary-control').click();
    await login.getByRole('button', { name: 'Try it out' }).click();
    await login.locator('textarea').fill(JSON.stringify(admin));
    await login.getByRole('button', { name: 'Execute' }).click();
    const answer = login.locator('.live-responses-table');
    await answer.waitFor();
    expect(await answer.textContent()).toContain('"accessToken"');
    expect(await page.locator('.schemes-server-container').isVisible()).toBe(false);
    expect(requests).toContain('POST /sec/api/v1/auth/login');
    expect(requests.filter((request) => !request.includes(' /sec/'))).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
