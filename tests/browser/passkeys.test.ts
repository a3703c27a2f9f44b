// Passkeys in Chromium with its virtual authenticator, through GraphiQL's bar: enrolled, used, renamed, removed.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Browser, CDPSession } from 'playwright-core';
import { chromium, startTestServer, type TestServer } from '../kit/harness.js';
import { freePort } from '../kit/network/free-port.js';
import { createPerson, password } from '../kit/seed.js';
import { expectAccessible, openBrowser, openPage, type Watched } from './kit.js';

jest.setTimeout(300_000);

/** What GraphiQL itself draws that way. */
const ofGraphiql = { 'nested-interactive': /role="tab"/ };
/** A folder for screenshots that people look at; none unless set. */
const screenshots = process.env.TEST_SCREENSHOTS;

(chromium === undefined ? describe.skip : describe)('Passkeys in GraphiQL', () => {
  let server: TestServer;
  let browser: Browser;
  let watched: Watched;
  let devtools: CDPSession;
  let authenticatorId: string;
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    // As after `npm start`: no setting of passkeys, no PUBLIC_URL.
    server = await startTestServer({ PORT: String(port) });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(() => open());
  afterEach(() => watched.page.context().close());

  /** The page with an authenticator of its own, as a laptop has one. */
  const open = async (host = 'localhost', width = 1440) => {
    watched = await openPage(browser, `http://${host}:${port}/graphql`, { width });
    devtools = await watched.page.context().newCDPSession(watched.page);
    await devtools.send('WebAuthn.enable');
    const added = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    authenticatorId = added.authenticatorId;
    await watched.page.locator('.graphiql-execute-button').waitFor();
  };
  const button = (name: string) => watched.page.getByRole('button', { name, exact: true });
  const signIn = async (email: string) => {
    await watched.page.getByLabel('E-mail').fill(email);
    await watched.page.getByLabel('Password').fill(password);
    await button('Sign in').click();
  };
  const viewer = async () => createPerson(server, await server.signIn(), 'VIEWER');
  const signedIn = () => watched.page.getByText('(viewer)').waitFor();
  const addPasskey = async (name: string) => {
    await watched.page.getByLabel('Name of a new one').fill(name);
    await button('Add a passkey').click();
    await button(`Remove ${name}`).waitFor();
  };
  const picture = async (name: string) => {
    if (screenshots !== undefined) await watched.page.screenshot({ path: `${screenshots}/${name}.png` });
  };

  it.each([1440, 390])('are enrolled, sign in, are renamed and removed, at %i px', async (width) => {
    await watched.page.context().close();
    await open('localhost', width);
    const { email, token } = await viewer();
    await picture(`passkeys-${width}-signed-out`);
    await signIn(email);
    await signedIn();
    await button('Passkeys').click();
    await addPasskey('Laptop');
    const codes = watched.page.locator('#passkey-codes li');
    expect(await codes.allTextContents()).toHaveLength(10);
    await codes
      .filter({ hasText: /^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/ })
      .last()
      .waitFor();
    await picture(`passkeys-${width}-panel`);
    await expectAccessible(watched.page, ofGraphiql);
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
    expect(credentials).toEqual([
      expect.objectContaining({ isResidentCredential: true, rpId: 'localhost', userName: email }),
    ]);

    await button('Sign out').click();
    await button('Sign in with a passkey').click();
    await signedIn();
    expect(await watched.page.locator('#passkeys').isVisible()).toBe(false);
    await button('Passkeys').click();
    await watched.page.getByText('Last used').waitFor();
    expect(await watched.page.locator('#passkey-codes li').count()).toBe(0);
    await watched.page.locator('#passkey-list input').fill('Old <b>laptop</b>');
    await button('Rename Laptop').click();
    watched.page.on('dialog', (dialog) => void dialog.accept());
    await button('Remove Old <b>laptop</b>').click();
    await button('Remove Old <b>laptop</b>').waitFor({ state: 'detached' });
    const me = await server.gql('{ me { hasSecondFactor passkeys { id } } }', {}, token);
    expect(me.expectData().me).toEqual({ hasSecondFactor: false, passkeys: [] });
    expect(watched.faults).toEqual([]);

    await button('Sign out').click();
    await button('Sign in with a passkey').click();
    await watched.page.getByText('The passkey was not accepted').waitFor();
    expect(watched.requests.filter((request) => request.includes('?'))).toEqual([]);
  });

  it('stand in for the code after the password', async () => {
    const { email } = await viewer();
    await signIn(email);
    await signedIn();
    await button('Passkeys').click();
    await addPasskey('Phone');
    await button('Sign out').click();
    await signIn(email);
    await watched.page.getByText('or sign in with a passkey').waitFor();
    await button('Sign in with a passkey').click();
    await signedIn();
    expect(await watched.page.getByLabel('Code', { exact: true }).isVisible()).toBe(false);
  });

  it('are refused in words where the browser has none, is cancelled, or is at another address', async () => {
    await button('Sign in with a passkey').click();
    await watched.page.getByText('No passkey was given').waitFor();
    const { email } = await viewer();
    await signIn(email);
    await signedIn();
    await button('Passkeys').click();
    await addPasskey('Once');
    await watched.page.getByLabel('Name of a new one').fill('Twice');
    await button('Add a passkey').click();
    await watched.page.getByText('This authenticator holds a passkey of yours already').waitFor();
    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await button('Sign out').click();
    await button('Sign in with a passkey').click();
    await watched.page.getByText('No passkey was given').waitFor();
    await watched.page.context().close();
    await open('127.0.0.1');
    await button('Sign in with a passkey').click();
    await watched.page.getByText('work on localhost only, and not on 127.0.0.1').waitFor();
  });
});
