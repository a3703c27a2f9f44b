// What the examples share: options, signing in over REST, GraphQL calls, clear failures. No scanner lives here.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const timeoutMs = 30_000;
const apiKey = process.env.SEC_TESTER_TOKEN;
const password = process.env.SEC_TESTER_PASSWORD;
const maxTries = 4;

/** Exit codes, so that scripts can tell what happened. */
export const exitCodes = { done: 0, failed: 1, usage: 2, cancelled: 3 };

/** @type {import('node:util').ParseArgsConfig['options'] & {}} */
const commonOptions = {
  server: { type: 'string', default: process.env.SEC_TESTER_URL ?? 'http://localhost:4000' },
  email: { type: 'string', default: process.env.SEC_TESTER_EMAIL },
  help: { type: 'boolean', short: 'h', default: false },
};

const commonHelp = `
  --server URL         the API            (or SEC_TESTER_URL; http://localhost:4000)
  --email ADDRESS      who signs in       (or SEC_TESTER_EMAIL)
                       the password comes from SEC_TESTER_PASSWORD: arguments are seen by all users of the machine;
                       or, instead of both, an API key in SEC_TESTER_TOKEN
  -h, --help           this text
`;

const tryHelp = 'Try --help.';

/** Something to tell people as it stands, without a stack. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ code?: string | undefined, exitCode?: number }} [options] `code` is the API's error code, if it has one
   */
  constructor(message, { code, exitCode = exitCodes.failed } = {}) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/**
 * Reads the command line; `--help` prints the usage and ends the program.
 * @param {string} usage what the program does and its own options
 * @param {Record<string, { type: 'string' | 'boolean' }>} [ownOptions]
 * @returns {Record<string, any> & { argument: string }} the options, and the one argument
 * @throws {Failure} for anything unknown or missing
 */
export function readOptions(usage, ownOptions = {}) {
  /** @type {{ values: Record<string, any>, positionals: string[] }} */
  let parsed;
  try {
    parsed = parseArgs({ options: { ...commonOptions, ...ownOptions }, allowPositionals: true });
  } catch (error) {
    throw new Failure(`${reasonOf(error)}\n${tryHelp}`, { exitCode: exitCodes.usage });
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(`${usage}${commonHelp}`);
    process.exit(exitCodes.done);
  }
  const faults = [
    ...(positionals.length === 1 ? [] : [`expected one argument, not ${positionals.length}`]),
    ...(URL.canParse(values.server) ? [] : [`--server ${values.server} is not a URL`]),
    ...(values.email || apiKey ? [] : ['--email (or SEC_TESTER_EMAIL) is missing']),
    ...(password || apiKey ? [] : ['SEC_TESTER_PASSWORD is missing']),
  ];
  if (faults.length > 0) throw new Failure([...faults, tryHelp].join('\n'), { exitCode: exitCodes.usage });
  return { ...values, argument: /** @type {string} */ (positionals[0]) };
}

/**
 * Signs in over REST; with an API key there is nothing to do.
 * @param {Record<string, any>} options with server and email
 * @throws {Failure}
 */
export async function signIn({ server, email }) {
  const begin = async () =>
    apiKey ? { accessToken: apiKey } : rest(server, 'auth/login', { email, password });
  let tokens = await begin();

  /** @param {object} request */
  const post = (request) => send(server, 'graphql', request, tokens.accessToken);

  return {
    /**
     * Opens a subscription as a stream of server-sent events.
     * @param {string} query @param {Record<string, unknown>} variables
     */
    open: (query, variables) =>
      fetch(new URL('graphql', server.endsWith('/') ? server : `${server}/`), {
        method: 'POST',
        headers: {
          ...{ 'Content-Type': 'application/json', Accept: 'text/event-stream' },
          Authorization: `Bearer ${tokens.accessToken}`,
        },
        body: JSON.stringify({ query, variables }),
      }),

    /** Signs in anew, for a stream that has outlived its token. */
    async signInAgain() {
      tokens = await begin();
    },

    /**
     * Runs a GraphQL document; an expired access token is refreshed and the call repeated.
     * @param {string} query
     * @param {Record<string, unknown>} [variables]
     * @returns {Promise<any>} the data
     * @throws {Failure} with the API's error code
     */
    async graphql(query, variables = {}) {
      let { body } = await post({ query, variables });
      if (body.errors?.[0]?.extensions?.code === 'TOKEN_EXPIRED' && !apiKey) {
        tokens = await rest(server, 'auth/refresh', { refreshToken: tokens.refreshToken });
        ({ body } = await post({ query, variables }));
      }
      const [error] = body.errors ?? [];
      if (error === undefined) return body.data;
      const { code, fields = [], correlationId } = error.extensions ?? {};
      const details = fields.map((/** @type {any} */ { path, message }) => `\n  ${path}: ${message}`);
      throw new Failure(`${code}: ${error.message}${details.join('')}\n  (correlation id ${correlationId})`, {
        code,
      });
    },

    /** Ends the session; best effort. */
    async signOut() {
      if (!apiKey) await send(server, 'api/v1/auth/logout', {}, tokens.accessToken).catch(() => {});
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof signIn>>} Api */

/**
 * Runs a program to its exit code; failures are told in words.
 * @param {() => Promise<number>} program
 */
export async function run(program) {
  try {
    process.exitCode = await program();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.message.split('\n').map(plain).join('\n')}\n`);
    process.exitCode = error.exitCode;
  }
}

/**
 * Text of a server on one line, without what a terminal would obey or show in another order.
 * @param {unknown} text
 */
export function plain(text) {
  return stripVTControlCharacters(String(text)).replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}

/**
 * What an error says; fetch hides the reason in its cause.
 * @param {any} error
 * @returns {string}
 */
export function reasonOf(error) {
  if (error?.name === 'TimeoutError') return 'no answer in time';
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join('; ');
  if (error instanceof TypeError && error.cause !== undefined) return reasonOf(error.cause);
  return error?.message || String(error);
}

/** @param {string} server @param {string} path @param {object} body */
async function rest(server, path, body) {
  const answer = await send(server, `api/v1/${path}`, body);
  if (answer.status === 200) return answer.body;
  const { code, detail } = answer.body;
  throw new Failure(`Signing in failed: ${code ?? answer.status}: ${detail}`, { code });
}

/**
 * Sends JSON and reads JSON; waits and tries again when the server is busy and says when.
 * @param {string} server @param {string} path @param {object} body @param {string} [token]
 * @returns {Promise<{ status: number, body: any }>}
 */
async function send(server, path, body, token) {
  const url = new URL(path, server.endsWith('/') ? server : `${server}/`);
  for (let tries = 1; ; tries += 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error) => {
      throw new Failure(`${url.origin} cannot be reached: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
    });
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    const text = await response.text();
    if ([429, 503].includes(response.status) && retryAfter <= 60 && tries < maxTries) {
      await sleep(retryAfter * 1000);
      continue;
    }
    try {
      return { status: response.status, body: JSON.parse(text) };
    } catch {
      throw new Failure(`${url} answered ${response.status} and no JSON: is this a SEC-TESTER API?`);
    }
  }
}
