// login, logout, whoami: signs in and out. credentials.ts stores the tokens, session.ts refreshes them.
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Action, CommonOptions, Context } from '../context.js';
import { type ExitCode, exitCodes, failure, isFailure, usageFault } from '../failure.js';
import { problemOf, send } from '../http.js';
import { plain } from '../output.js';
import { ask } from '../prompt.js';
import { queries } from '../queries.js';
import { type Api, type Tokens, toSignIn } from '../session.js';

interface LoginOptions extends CommonOptions {
  email?: string;
  passwordStdin?: boolean;
  /** An identity provider, or true for the only one. */
  sso?: string | true;
  /** Whether the browser is on another machine. */
  device?: true;
}

/** Adds the commands to the program. */
export function addSignInCommands(program: Command, action: Action): void {
  program
    .command('login')
    .description('Sign in and keep the sign-in for later commands')
    .option('--email <address>', 'who signs in (or SEC_TESTER_EMAIL)')
    .option(
      '--password-stdin',
      'read the password from standard input (or set SEC_TESTER_PASSWORD); a second line is the code',
    )
    .option('--sso [provider]', 'sign in at the identity provider with your browser, without a password')
    .option(
      '--device',
      'as --sso, with the browser on another device, where you enter a code (the default over SSH)',
    )
    .action(action(login));
  program
    .command('logout')
    .description('End the sign-in, here and on the server')
    .option('--everywhere', 'end all sessions of the user')
    .action(action(logout));
  program.command('whoami').description('Tell who is signed in, and where').action(action(whoami));
}

async function login(context: Context, options: LoginOptions): Promise<ExitCode> {
  const { printer, store, server } = context;
  const { sso = options.device } = options;
  const tokens =
    sso === undefined
      ? await signInWithPassword(context, options)
      : await (await import('../device-sign-in.js')).signInAtProvider(
          context,
          sso === true ? undefined : sso,
          options.device,
        );
  const previous = await store.update(async (credentials) => {
    const { [server.href]: before } = credentials.servers;
    credentials.current = server.href;
    credentials.servers[server.href] = toSignIn(tokens);
    return before;
  });
  // The sign-in that this one replaces would otherwise last until it expires.
  if (previous !== undefined)
    await send(server, 'api/v1/auth/logout', {}, { token: previous.accessToken }).catch(() => undefined);
  const { id, email: address, name, role } = tokens.user;
  if (printer.isJson) printer.json({ server: server.href, user: { id, email: address, name, role } });
  else printer.print(`Signed in to ${server.origin} as ${nameOf(tokens.user)}, ${plain(role)}`);
  return exitCodes.ok;
}

async function signInWithPassword({ surroundings, server }: Context, options: LoginOptions): Promise<Tokens> {
  const { env } = surroundings;
  const email = options.email || env.SEC_TESTER_EMAIL || (await ask(surroundings, 'E-mail: '));
  if (!email) throw usageFault('--email (or SEC_TESTER_EMAIL) is missing');
  const [fromStdin, codeFromStdin] = options.passwordStdin
    ? (await text(surroundings.stdin)).split(/\r?\n/)
    : [];
  const password = options.passwordStdin
    ? fromStdin
    : env.SEC_TESTER_PASSWORD || (await ask(surroundings, 'Password: ', true));
  if (!password)
    throw usageFault(
      'The password is missing: use --password-stdin or SEC_TESTER_PASSWORD without a terminal',
    );
  const attempt = (code: string | undefined) =>
    send(server, 'api/v1/auth/login', { email, password, ...(code && { code }) });
  let answer = await attempt(codeFromStdin || env.SEC_TESTER_CODE);
  if ((answer.body as { code?: string }).code === 'SECOND_FACTOR_REQUIRED') {
    const code = await ask(surroundings, 'Code of the authenticator app, or a recovery code: ');
    if (!code)
      throw failure(
        `${problemOf(answer).message} Set SEC_TESTER_CODE, or send the code as the second line with --password-stdin`,
        { code: 'SECOND_FACTOR_REQUIRED' },
      );
    answer = await attempt(code);
  }
  if (answer.status !== 200) throw problemOf(answer);
  return answer.body as Tokens;
}

async function logout(
  { printer, store, server, api }: Context,
  { everywhere = false }: CommonOptions & { everywhere?: boolean },
): Promise<ExitCode> {
  if (api.via !== 'sign-in') throw usageFault(`The client uses ${api.via}: there is no sign-in to end`);
  if ((await store.read()).servers[server.href] === undefined)
    throw failure(`Nobody is signed in to ${server.origin}`, { code: 'UNAUTHENTICATED' });
  try {
    const answer = await send(server, 'api/v1/auth/logout', { everywhere }, { token: await api.token() });
    if (answer.status !== 200 && answer.status !== 401) throw problemOf(answer);
    const { revokedSessions = 0 } = answer.body as { revokedSessions?: number };
    if (printer.isJson) printer.json({ server: server.href, revokedSessions });
    else printer.print(`Signed out of ${server.origin}`);
    return exitCodes.ok;
  } catch (error) {
    if (!isFailure(error)) throw error;
    throw Object.assign(error, {
      message: `${error.message}. The sign-in is forgotten here; on the server it lasts until it expires`,
    });
  } finally {
    await store.update(async (credentials) => {
      delete credentials.servers[server.href];
    });
  }
}

async function whoami({ printer, server, api }: Context): Promise<ExitCode> {
  const me = await viewer(api);
  const { via } = api;
  if (printer.isJson) printer.json({ server: server.href, user: me, via });
  else printer.print(`${nameOf(me)}, ${plain(me.role)}, at ${server.origin} (${via})`);
  return exitCodes.ok;
}

type Viewer = Omit<Tokens['user'], 'email'> & { email?: string };

/** The caller; without the e-mail address for an API key that may not read it. */
async function viewer(api: Api): Promise<Viewer> {
  try {
    return (await api.graphql<{ me: Viewer }>(queries.me)).me;
  } catch (error) {
    if (!isFailure(error) || error.code !== 'FORBIDDEN') throw error;
    return (await api.graphql<{ me: Viewer }>(queries.identity)).me;
  }
}

function nameOf({ name, email }: Viewer): string {
  return email === undefined ? plain(name) : `${plain(name)} <${plain(email)}>`;
}
