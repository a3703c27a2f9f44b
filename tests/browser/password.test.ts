// The page behind links of invitations in a real browser: it takes the token from the mail's link, and the address shows it no more.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { freePort } from '../kit/network/free-port.js';
import { type MailServer, mailSettings, startMailServer } from '../kit/network/mail-server.js';
import { until } from '../kit/receiver.js';
import { expectAccessible, openBrowser, openPage } from './kit.js';

jest.setTimeout(300_000);

const chosen = 'vellum orbit cactus 5177';

(chromium === undefined ? describe.skip : describe)('/password', () => {
  let box: MailServer;
  let server: TestServer;
  let browser: Browser;
  beforeAll(async () => {
    box = await startMailServer();
    const port = await freePort();
    const PUBLIC_URL = `http://127.0.0.1:${port}`;
    server = await startTestServer({ ...mailSettings(box.url), PUBLIC_URL, PORT: String(port) });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await box?.close();
  });

  it('takes the invited user from the mail to a password', async () => {
    const input = { email: 'browser@people.test', name: 'Browser', role: 'VIEWER' };
    (await server.change('createUser', input, 'mailedTo', await server.signIn())).expectData();
    const [mail] = await until(
      () => box.mails,
      ({ length }) => length > 0,
    );
    const [link = ''] = /^http:\S+$/m.exec(mail?.text?.replace(/^http:\S+\d$/m, '') ?? '') ?? [];
    expect(link).toMatch(/\/password#sti_/);
    const { page, faults, requests } = await openPage(browser, link);
    expect(page.url()).toBe(`${server.url}/password`);
    const [next, again] = [page.getByLabel('New password'), page.getByLabel('The same again')];
    const submit = async (first: string, second: string) => {
      await next.fill(first);
      await again.fill(second);
      await page.getByRole('button', { name: 'Save' }).click();
    };
    await submit(chosen, 'something else');
    await page.getByText('The two entries differ.').waitFor();
    await submit('too short', 'too short');
    await page.getByText('at least 15').waitFor();
    await expectAccessible(page, {});
    await submit(chosen, chosen);
    await page.getByText('The password is set.').waitFor();
    expect(requests.join(' ')).not.toContain('sti_');
    // The browser itself notes that an answer was a 400.
    expect(faults.filter((fault) => !fault.includes('status of 400'))).toEqual([]);
    expect(await server.signIn(input.email, chosen)).toMatch(/^ey/);
    await page.context().close();

    const second = await openPage(browser, link);
    await second.page.getByLabel('New password').fill(`${chosen} x`);
    await second.page.getByLabel('The same again').fill(`${chosen} x`);
    await second.page.getByRole('button', { name: 'Save' }).click();
    await second.page.getByText('The link cannot be used').waitFor();
    await second.page.context().close();
  });

  it('says that it needs a link', async () => {
    const { page, faults } = await openPage(browser, `${server.url}/password`);
    await page.getByText('This page needs the link from your mail.').waitFor();
    await expectAccessible(page, {});
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
