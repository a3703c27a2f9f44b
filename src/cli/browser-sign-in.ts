// Signs in at an identity provider for the command login: the browser comes back to a page on this computer (RFC 8252).
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from './context.js';
import { failure, reasonOf, usageFault } from './failure.js';
import { problemOf, send } from './http.js';
import { plain } from './output.js';
import { ask } from './prompt.js';
import type { Tokens } from './session.js';

/** Longest wait for the browser. */
const waitMs = 5 * 60_000;

interface Provider {
  id: string;
  name: string;
}

/**
 * Signs in.
 * @param wanted id of the provider; needed only where the server has several
 * @throws Failure when the user refuses, nobody comes back in time, or the server refuses the code
 */
export async function signInWithBrowser(context: Context, wanted: string | undefined): Promise<Tokens> {
  const { server, printer, surroundings } = context;
  const { id } = choose(await providersOf(server), wanted);
  const { verifier, codeChallenge } = createPkce();
  const page = createServer();
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  try {
    const path = `/${randomBytes(16).toString('base64url')}`;
    const returnTo = `http://127.0.0.1:${(page.address() as AddressInfo).port}${path}`;
    const url = new URL(`api/v1/auth/oidc/${id}`, server);
    url.search = new URLSearchParams({ returnTo, codeChallenge }).toString();
    printer.note(`Sign in with your browser: ${url.href}`);
    if (surroundings.stderr.isTTY) openBrowser(url.href);
    return await redeemCode(context, await codeFrom(page, path), verifier);
  } finally {
    page.closeAllConnections();
    page.close();
  }
}

/** A PKCE verifier and its challenge (RFC 7636, S256): they bind the one-time code to this process. */
export function createPkce(): { verifier: string; codeChallenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, codeChallenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Exchanges a one-time code, with the second factor where the user has one. @throws Failure */
export async function redeemCode(
  { server, surroundings }: Context,
  code: string,
  verifier: string,
): Promise<Tokens> {
  const redeem = (secondFactorCode: string | undefined) =>
    send(server, 'api/v1/auth/oidc/token', {
      code,
      codeVerifier: verifier,
      ...(secondFactorCode && { secondFactorCode }),
    });
  let answer = await redeem(surroundings.env.SEC_TESTER_CODE);
  if ((answer.body as { code?: string }).code === 'SECOND_FACTOR_REQUIRED')
    answer = await redeem(await ask(surroundings, 'Code of the authenticator app, or a recovery code: '));
  if (answer.status !== 200) throw problemOf(answer);
  return answer.body as Tokens;
}

/** The identity providers of a server. @throws Failure */
export async function providersOf(server: URL): Promise<Provider[]> {
  const response = await fetch(new URL('api/v1/auth/providers', server), {
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  }).catch((error: unknown) => {
    throw failure(`${server.origin} cannot be reached: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
  });
  if (response.status !== 200) throw failure(`${server.origin} has no single sign-on`);
  return ((await response.json()) as { providers: Provider[] }).providers;
}

/** The provider that the user wants, or the only one. @throws Failure */
export function choose(providers: readonly Provider[], wanted: string | undefined): Provider {
  const [only, another] = providers;
  if (only === undefined) throw failure('The server has no identity provider: sign in with a password');
  const ids = providers.map(({ id }) => id).join(', ');
  if (wanted === undefined) {
    if (another !== undefined) throw usageFault(`Name the identity provider, --sso PROVIDER: ${ids}`);
    return only;
  }
  const found = providers.find(({ id }) => id === wanted);
  if (found === undefined) throw usageFault(`There is no identity provider ${plain(wanted)}: ${ids}`);
  return found;
}

/** The code that the browser brings to the page; other paths get nothing, so that no other page ends the wait. */
function codeFrom(page: Server, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(failure('The browser did not come back within five minutes')),
      waitMs,
    );
    page.on('request', (request, response) => {
      const url = new URL(request.url ?? '/', 'http://127.0.0.1');
      const [code, error] = [url.searchParams.get('code'), url.searchParams.get('error')];
      if (url.pathname !== path || (code === null && error === null)) {
        response.writeHead(404).end();
        return;
      }
      clearTimeout(timer);
      const outcome = code === null ? 'The sign-in failed.' : 'You are signed in.';
      response.writeHead(200, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Cache-Control': 'no-store',
        'Referrer-Policy': 'no-referrer',
        Connection: 'close',
      });
      response.end(`${outcome} You may close this page and go back to the terminal.\n`, () => {
        if (code === null)
          reject(failure(`The sign-in failed: ${reasonIn(error ?? '')}`, { code: 'UNAUTHENTICATED' }));
        else resolve(code);
      });
    });
  });
}

/** An error of the server, such as `account_exists`, in words. */
const reasonIn = (error: string): string => plain(error).replaceAll('_', ' ');

/** Opens the browser where that is possible; the address is on the terminal anyway. */
function openBrowser(url: string): void {
  const command = { darwin: 'open', win32: 'explorer' }[process.platform as string] ?? 'xdg-open';
  spawn(command, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
