// A person at a browser who signs in through the test provider, for the tests of single sign-on.
import type { TestServer } from '../harness.js';
import { callbackPage, frontend, TestBrowser, type TestProvider } from './oidc.js';

/** A person at the provider. */
export interface Visitor {
  sub: string;
  claims?: Record<string, unknown>;
}

/** Tokens, as the frontend gets them. */
export interface VisitorTokens {
  accessToken: string;
  refreshToken: string;
  user: { id: string; role: string; email: string; status: string };
}

/** The URL that starts a sign-in. */
export const startUrl = (server: TestServer, id: string, query = ''): string =>
  `${server.url}/api/v1/auth/oidc/${id}?returnTo=${encodeURIComponent(callbackPage)}${query}`;

/** Has the provider sign this person in next. */
export async function arrive(provider: TestProvider, { sub, claims = {} }: Visitor): Promise<void> {
  const known = { email: `${sub}@idp.test`, email_verified: true, name: sub, ...claims };
  await provider.control({ account: { sub, claims: known }, set: { sub } });
}

/** Signs a person in as a browser does, as far as the page of the frontend. @returns the parameters of the page */
export async function signInAt(
  { server, provider }: { server: TestServer; provider: TestProvider },
  visitor: Visitor,
  {
    id = 'main',
    browser = new TestBrowser(),
    query = '',
  }: { id?: string; browser?: TestBrowser; query?: string } = {},
): Promise<{ browser: TestBrowser; code: string | null; error: string | null }> {
  await arrive(provider, visitor);
  const { url, response } = await browser.follow(startUrl(server, id, query), frontend);
  if (response !== undefined) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return { browser, code: url.searchParams.get('code'), error: url.searchParams.get('error') };
}

/** Exchanges a code in a browser. */
export const redeem = (server: TestServer, browser: TestBrowser, body: object): Promise<Response> =>
  browser.get(`${server.url}/api/v1/auth/oidc/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** Signs a person in as far as the tokens. */
export async function tokensAt(
  at: { server: TestServer; provider: TestProvider },
  visitor: Visitor,
  id = 'main',
  browser = new TestBrowser(),
): Promise<VisitorTokens> {
  const { code, error } = await signInAt(at, visitor, { id, browser });
  if (code === null) throw new Error(`the sign-in of ${visitor.sub} ended with ${error}`);
  const answer = await redeem(at.server, browser, { code });
  const body = await answer.json();
  if (answer.status !== 200) throw new Error(`the code of ${visitor.sub}: ${JSON.stringify(body)}`);
  return body as VisitorTokens;
}
