// examples/live-dashboard in a real browser: signs in across origins, shows findings and follows a run; wide and narrow.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { admin, chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { importSarif } from '../kit/imports.js';
import { startExecution } from '../kit/seed.js';
import { expectAccessible, openBrowser, openPage } from './kit.js';

jest.setTimeout(300_000);

(chromium === undefined ? describe.skip : describe)('the live dashboard', () => {
  let dashboard: { url: string; close: () => Promise<void> };
  let server: TestServer;
  let browser: Browser;
  let token: string;
  beforeAll(async () => {
    const path = '../../examples/live-dashboard/serve.mjs';
    dashboard = await (await import(path)).serveDashboard(0);
    server = await startTestServer({ CORS_ORIGINS: dashboard.url });
    browser = await openBrowser();
    token = await server.signIn();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await dashboard?.close();
  });

  const signIn = async (page: Page, password: string = admin.password) => {
    await page.getByLabel('Server').fill(server.url);
    await page.getByLabel('E-mail').fill(admin.email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  const open = (width?: number) => openPage(browser, dashboard.url, { width, alsoFrom: [server.url] });
  const tile = (page: Page, name: string) => page.locator('.tile').filter({ hasText: name }).locator('dd');

  it('shows open findings, and what an import adds to them while it is open', async () => {
    await importSarif(server, token, { target: 'shop' }, [{ rule: 'A' }, { rule: 'B', level: 'warning' }]);
    const { page, faults } = await open();
    await signIn(page);
    await page.getByText('Live', { exact: true }).waitFor();
    await tile(page, 'High').filter({ hasText: /^1/ }).waitFor();
    await page.locator('#findings').getByText('Problem of A').waitFor();
    await page.locator('#trend canvas').waitFor();
    expect(await page.locator('#trend').getAttribute('aria-label')).toContain('2 open (0 critical, 1 high');
    await importSarif(server, token, { target: 'till' }, [{ rule: 'C' }]);
    await tile(page, 'High').filter({ hasText: /^2/ }).waitFor();
    await page.locator('#findings').getByText('Problem of C').waitFor();
    const run = page.locator('.run').filter({ hasText: 'till' });
    await run.getByText('1 new, 0 reopened, 0 gone').waitFor();
    expect(faults).toEqual([]);
    await expectAccessible(page, {});
    await page.context().close();
  });

  it('follows a run from its start to its end', async () => {
    const { page, faults } = await open();
    await signIn(page);
    await page.getByText('Live', { exact: true }).waitFor();
    const id = await startExecution(server, token, { target: 'followed' });
    const run = page.locator('.run').filter({ hasText: 'followed' });
    await run.getByText('running').waitFor();
    const report = await server.change(
      'reportProgress',
      { executionId: id, progress: 40, phase: 'Crawling' },
      'execution { progress }',
      token,
    );
    report.expectData();
    await run.getByText('40 %').waitFor();
    await run.getByText('Crawling').waitFor();
    const complete = 'mutation($id: ID!) { completeExecution(id: $id) { execution { status } } }';
    (await server.gql(complete, { id }, token)).expectData();
    await run.getByText('completed').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('says why a sign-in failed, signs out, and fits into 390 pixels', async () => {
    const { page, faults } = await open(390);
    await signIn(page, 'a wrong password it is');
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    await signIn(page);
    await page.locator('#trend canvas').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(faults).toEqual([expect.stringContaining('status of 401')]);
    await page.context().close();
  });
});
