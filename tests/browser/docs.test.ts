// /docs in a real browser: authorizing and trying out against the running server, alone, and accessible.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { admin, chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { startProvider } from '../kit/oidc/oidc.js';
import { arrive } from '../kit/oidc/visitor.js';
import { expectAccessible, openBrowser, openPage } from './kit.js';

jest.setTimeout(300_000);

/** What Swagger UI itself draws that way. */
const ofSwagger = {
  'nested-interactive': /class="opblock-summary-control"/,
  region: /class="(information-container|scheme-container|schemes)/,
};

(chromium === undefined ? describe.skip : describe)('/docs', () => {
  let server: TestServer;
  let browser: Browser;
  /** What a test has started besides; stopped also when it fails. */
  const stops: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    server = await startTestServer();
    browser = await openBrowser();
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it('authorizes with a token and tries out who one is', async () => {
    const { page, faults } = await openPage(browser, `${server.url}/docs`);
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page
      .locator('form', { hasText: 'accessToken' })
      .locator('input')
      .fill(await server.signIn());
    await page.locator('form', { hasText: 'accessToken' }).locator('.authorize').click();
    await page.locator('.auth-btn-wrapper .btn-done').first().click();
    const me = page.locator('#operations-Authentication-me');
    await me.locator('.opblock-summary-control').click();
    await me.getByRole('button', { name: 'Try it out' }).click();
    await me.getByRole('button', { name: 'Execute' }).click();
    const answer = me.locator('.live-responses-table');
    await answer.waitFor();
    expect(await answer.locator('.response .response-col_status').textContent()).toMatch(/^200/);
    expect(await answer.textContent()).toContain(admin.email);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('authorizes the user who signs in there, and shows problems as they are', async () => {
    const { page, faults } = await openPage(browser, `${server.url}/docs`);
    const login = page.locator('#operations-Authentication-login');
    await login.locator('.opblock-summary-control').click();
    await login.getByRole('button', { name: 'Try it out' }).click();
    const answer = login.locator('.live-responses-table');
    const execute = async (password: string) => {
      await login.locator('textarea').fill(JSON.stringify({ email: admin.email, password }));
      await login.getByRole('button', { name: 'Execute' }).click();
    };
    await execute('wrong');
    await answer.getByText('INVALID_CREDENTIALS').first().waitFor();
    expect(await page.locator('.auth-wrapper .authorize.locked').count()).toBe(0);
    await execute(admin.password);
    await page.locator('.auth-wrapper .authorize.locked').waitFor();
    expect(await answer.textContent()).toContain('"accessToken"');
    // The browser itself notes that an answer was a 401.
    expect(faults).toEqual([expect.stringContaining('status of 401')]);
    await page.context().close();
  });

  it('offers the identity providers, and authorizes the user who has signed in there', async () => {
    const provider = await startProvider(['main']);
    stops.push(provider.stop);
    const own = await startTestServer({
      PORT: String(provider.serverPort),
      OIDC_PROVIDERS: JSON.stringify([provider.settings('main')]),
    });
    stops.push(own.close);
    await arrive(provider, { sub: 'reader' });
    const { page, faults } = await openPage(browser, `${own.url}/docs/`, {
      alsoFrom: [provider.issuers[0]],
    });
    await page.getByRole('button', { name: 'Sign in with Provider main' }).waitFor();
    await expectAccessible(page, ofSwagger);
    await page.getByRole('button', { name: 'Sign in with Provider main' }).click();
    await page.getByText('Signed in as reader (viewer).').waitFor();
    await page.locator('.auth-wrapper .authorize.locked').waitFor();
    expect(page.url()).toBe(`${own.url}/docs/`);
    const me = page.locator('#operations-Authentication-me');
    await me.locator('.opblock-summary-control').click();
    await me.getByRole('button', { name: 'Try it out' }).click();
    await me.getByRole('button', { name: 'Execute' }).click();
    await me.locator('.live-responses-table').getByText('reader@idp.test').waitFor();
    await provider.control({ set: { sub: null } });
    await page.goto(`${own.url}/docs/?error=access_denied`);
    await page.getByText('The sign-in failed: access denied.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('breaks no rule of accessibility by what is ours', async () => {
    const { page, faults } = await openPage(browser, `${server.url}/docs/`);
    await page.locator('#operations-Health-healthReady').waitFor();
    await expectAccessible(page, ofSwagger);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
