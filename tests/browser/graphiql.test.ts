// GraphiQL in a real browser: signing in, the ready-made tabs, a subscription that ticks; alone, and accessible.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type TOTP, URI } from 'otpauth';
import type { Browser } from 'playwright-core';
import { admin, chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { importSarif } from '../kit/imports.js';
import { until } from '../kit/live.js';
import { createExecution, createPerson, password, startExecution } from '../kit/seed.js';
import { expectAccessible, openBrowser, openPage, type Watched } from './kit.js';

jest.setTimeout(300_000);

/** What GraphiQL itself draws that way. */
const ofGraphiql = { 'nested-interactive': /role="tab"/ };

(chromium === undefined ? describe.skip : describe)('GraphiQL', () => {
  let server: TestServer;
  let browser: Browser;
  let watched: Watched;
  beforeAll(async () => {
    server = await startTestServer({ SECOND_FACTOR_KEY: Buffer.alloc(32, 7).toString('base64') });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    watched = await openPage(browser, `${server.url}/graphql`);
    await watched.page.locator('.graphiql-execute-button').waitFor();
  });
  afterEach(() => watched.page.context().close());

  const signIn = async (word: string = admin.password, email: string = admin.email) => {
    const { page } = watched;
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(word);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  };
  const signedIn = async () => {
    await signIn();
    await watched.page.getByText('Signed in as Administrator (admin)').waitFor();
  };
  const openTab = async (name: string) => {
    await watched.page.locator('.graphiql-tab-button').filter({ hasText: name }).click();
    await watched.page.locator('.graphiql-query-editor .view-lines').filter({ hasText: name }).waitFor();
  };
  const storedSession = async (): Promise<{ accessToken: string; refreshToken: string }> =>
    JSON.parse(await watched.page.evaluate<string>("sessionStorage.getItem('sec-tester.session')"));
  /** For a moment after a tab was opened GraphiQL takes no orders: ask again. */
  const run = async (name: string) => {
    let isSent = false;
    const sent = watched.page
      .waitForRequest((request) => request.postDataJSON()?.operationName === name)
      .then(() => {
        isSent = true;
      });
    const button = watched.page.locator('.graphiql-execute-button');
    while (!isSent) {
      // One that says Stop has taken the order.
      if ((await button.getAttribute('aria-label'))?.startsWith('Execute')) await button.click();
      await Promise.race([sent, watched.page.waitForTimeout(2000)]);
    }
  };
  /** The answer, once it has this in it. Its lines are drawn with hard spaces. */
  const answerWith = async (text: string): Promise<string> => {
    const answer = watched.page.locator('.result-window .view-lines').filter({ hasText: text });
    await answer.waitFor();
    return ((await answer.textContent()) ?? '').replaceAll('\u00a0', ' ');
  };

  it('runs the ready-made tabs without an error on a new server; mine shows nobody else’s', async () => {
    await signedIn();
    for (const [name, expected] of [
      ['CriticalResults', '"totalCount"'],
      ['CompareSeverities', '"nodes"'],
      ['WorstOpenFindings', '"totalCount"'],
      ['NewSinceLastWeek', '"totalCount"'],
      ['Trend', '"byBucket"'],
      ['MyLastExecutions', '"totalCount"'],
    ] as const) {
      await openTab(name);
      await run(name);
      expect(await answerWith(expected)).not.toContain('errors');
    }
    const token = await server.signIn();
    const other = await createPerson(server, token, 'ANALYST');
    await createExecution(server, other.token, { name: 'Not mine' });
    await createExecution(server, token, { name: 'Mine' });
    await run('MyLastExecutions');
    expect(await answerWith('"Mine"')).not.toContain('Not mine');
    expect(watched.faults).toEqual([]);
  });

  it('opens the same tab again after a reload, adds none, and keeps queries out of its address', async () => {
    const { page } = watched;
    const names = () => page.locator('.graphiql-tab-button').allTextContents();
    const before = await names();
    for (const name of ['CriticalResults', 'Trend']) {
      await openTab(name);
      // GraphiQL notes the open tab a moment later.
      const stored = "JSON.parse(localStorage.getItem('graphiql:tabState')).activeTabIndex";
      await until(async () => (await page.evaluate(stored)) === before.indexOf(name), 'the tab is noted');
      await page.reload();
      await page.locator('.graphiql-tab-active').filter({ hasText: name }).waitFor();
      expect(await names()).toEqual(before);
      expect(new URL(page.url()).search).toBe('');
    }
    expect(watched.faults).toEqual([]);
  });

  it('compares the two newest runs of one target where no ids are given', async () => {
    const token = await server.signIn();
    await importSarif(server, token, { target: 'tabs' }, [{ rule: 'A' }]);
    await importSarif(server, token, { target: 'tabs' }, [{ rule: 'A' }, { rule: 'B' }]);
    await signedIn();
    await openTab('CompareTwoRuns');
    await run('CompareTwoRuns');
    const answer = await answerWith('"unchanged"');
    expect(answer).not.toContain('errors');
    expect(answer).toContain('Problem of B');
    expect(watched.faults).toEqual([]);
  });

  it('shows a subscription tick, and goes on after the token was refreshed', async () => {
    await signedIn();
    const token = await server.signIn();
    await openTab('LiveProgress');
    // As if a quarter of an hour had gone by: the token in the page is about to expire.
    const before = await storedSession();
    const expiring = JSON.stringify({ ...before, expiresAt: Date.now() });
    await watched.page.evaluate(`sessionStorage.setItem('sec-tester.session', ${JSON.stringify(expiring)})`);
    await run('LiveProgress');
    await until(() => server.services.streams.size() === 1, 'the stream is open');
    await startExecution(server, token, { name: 'Ticking' });
    expect(await answerWith('"Ticking"')).toContain('executionsChanged');
    expect(await answerWith('"RUNNING"')).not.toContain('errors');
    expect((await storedSession()).accessToken).not.toBe(before.accessToken);
    await watched.page.locator('.graphiql-execute-button[aria-label^="Stop"]').click();
    await until(() => server.services.streams.size() === 0, 'the stream is closed');
    expect(watched.faults).toEqual([]);
  });

  it.each([
    ['a mouse at 1440 px', { width: 1440 }],
    ['a mouse at 390 px', { width: 390 }],
    ['touch at 390 px', { width: 390, hasTouch: true }],
  ])('opens the tab that was clicked, each time, with %s', async (_name, options) => {
    const { page } = await openPage(browser, `${server.url}/graphql`, options);
    await page.locator('.graphiql-execute-button').waitFor();
    const names = await page.locator('.graphiql-tab-button').allTextContents();
    for (const at of [1, 3, 0, 2, 3, 1, 2, 0]) {
      const tab = page.locator('.graphiql-tab-button').nth(at);
      await tab.scrollIntoViewIfNeeded();
      const { x, y, width, height } = (await tab.boundingBox()) as NonNullable<
        Awaited<ReturnType<typeof tab.boundingBox>>
      >;
      const [middleX, middleY] = [x + width / 2, y + height / 2];
      if ('hasTouch' in options) await page.touchscreen.tap(middleX, middleY);
      else await page.mouse.click(middleX, middleY);
      const active = page.locator('.graphiql-tab-active .graphiql-tab-button');
      await active.filter({ hasText: names[at] as string }).waitFor();
      // Its name is whole: it ends ahead of the button that closes it.
      const room = await page.evaluate<number>(`(() => {
        const tab = document.querySelector('.graphiql-tab-active');
        const range = document.createRange();
        range.selectNodeContents(tab.querySelector('.graphiql-tab-button'));
        const close = tab.querySelector('.graphiql-tab-close');
        return close.getBoundingClientRect().left - range.getBoundingClientRect().right;
      })()`);
      expect(room).toBeGreaterThanOrEqual(0);
    }
    await page.context().close();
  });

  it('opens tabs by the keyboard', async () => {
    const { page } = watched;
    const names = await page.locator('.graphiql-tab-button').allTextContents();
    for (const at of [2, 0, 3]) {
      await page.locator('.graphiql-tab-button').nth(at).focus();
      await page.keyboard.press('Enter');
      await page
        .locator('.graphiql-tab-active')
        .filter({ hasText: names[at] as string })
        .waitFor();
    }
  });

  it('leaves the editor usable beside the documentation at 390 px', async () => {
    const { page } = await openPage(browser, `${server.url}/graphql`, { width: 390 });
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.locator('.graphiql-doc-explorer').waitFor();
    const editor = page.locator('.graphiql-query-editor');
    expect((await editor.boundingBox())?.width).toBeGreaterThan(250);
    expect((await editor.boundingBox())?.height).toBeGreaterThan(60);
    await editor.click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('query Typed ');
    await editor.filter({ hasText: 'Typed' }).waitFor();
    await page.context().close();
  });

  it('says why a sign-in failed, signs out, and keeps tokens out of addresses and of what lasts', async () => {
    await signIn('wrong');
    await watched.page.getByText('E-mail or password is wrong').waitFor();
    await signedIn();
    const { accessToken, refreshToken } = await storedSession();
    const lasting = await watched.page.evaluate<string>('JSON.stringify({ ...localStorage })');
    expect(lasting).toContain('MyLastExecutions');
    for (const secret of [accessToken, refreshToken, admin.password]) expect(lasting).not.toContain(secret);
    await watched.page.getByRole('button', { name: 'Sign out' }).click();
    await watched.page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    expect(await watched.page.evaluate('sessionStorage.length')).toBe(0);
    const me = () => server.rest('GET', '/api/v1/auth/me', { token: accessToken });
    await until(async () => (await me()).body.code === 'TOKEN_REVOKED', 'the session has ended');
    expect(watched.requests.filter((request) => request.includes('?'))).toEqual([]);
    expect(watched.faults).toEqual([expect.stringContaining('status of 401')]);
  });

  it('asks a user with a second factor for it', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    const { uri } = (await server.gql('mutation { enrolSecondFactor { uri } }', {}, token)).expectData()
      .enrolSecondFactor;
    const app = URI.parse(uri) as TOTP;
    server.clock.advance(30_000);
    const confirmed = await server.gql(
      'mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes } }',
      { code: app.generate({ timestamp: server.clock.now() }) },
      token,
    );
    const [recoveryCode] = confirmed.expectData().confirmSecondFactor.recoveryCodes;
    const { page } = watched;
    expect(await page.getByLabel('Code', { exact: true }).isVisible()).toBe(false);
    await signIn(password, email);
    await page.getByText('Enter a code of your authenticator app').waitFor();
    await page.getByLabel('Code', { exact: true }).fill(recoveryCode);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('(viewer)').waitFor();
  });

  it('explains types and fields, and breaks no rule of accessibility by what is ours', async () => {
    await signedIn();
    await run('MyLastExecutions');
    await answerWith('"totalCount"');
    await expectAccessible(watched.page, ofGraphiql);
    await watched.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await watched.page
      .locator('.graphiql-doc-explorer')
      .getByRole('link', { name: 'TestExecution', exact: true })
      .click();
    await watched.page.getByText('severityCounts').first().waitFor();
    expect(watched.faults).toEqual([]);
  });
});
