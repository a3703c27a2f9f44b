// Authenticates the client: by an API key from the environment, or by the stored sign-in, refreshed in time.
import type { CredentialStore, SignIn } from './credentials.js';
import { failure } from './failure.js';
import { type GraphqlBody, graphqlErrorOf, problemOf, send } from './http.js';

const renewBeforeMs = 30_000;
const signInAgain = 'Sign in: sec-tester login (or set SEC_TESTER_TOKEN to an API key)';

/** The API as one caller. */
export interface Api {
  server: URL;
  /** Source of the token. */
  via: 'SEC_TESTER_TOKEN' | 'workload identity' | 'sign-in';
  /** Whether that token is an API key. */
  hasGivenKey: boolean;
  /**
   * A token that is good now.
   * @param refused one that the server has just called expired
   * @throws Failure when nobody is signed in
   */
  token(refused?: string): Promise<string>;
  /**
   * Runs a document.
   * @param isRepeatable whether it may be sent again when no answer comes
   * @throws Failure with the API's error code
   */
  graphql<Data>(query: string, variables?: object, isRepeatable?: boolean): Promise<Data>;
}

/** The response to a sign-in or a refresh. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds. */
  expiresIn: number;
  user: { id: string; email: string; name: string; role: string };
}

/** The tokens of an answer as they are kept. */
export function toSignIn({ accessToken, refreshToken, expiresIn, user }: Tokens): SignIn {
  return { email: user.email, refreshToken, accessToken, expiresAt: Date.now() + expiresIn * 1000 };
}

/** One process refreshes, the others wait for it and take what it brought. */
function refresh(server: URL, store: CredentialStore, refused: string): Promise<string> {
  return store.update(async (credentials) => {
    const kept = credentials.servers[server.href];
    if (kept === undefined) throw failure(signInAgain, { code: 'UNAUTHENTICATED' });
    if (kept.accessToken !== refused) return kept.accessToken;
    const answer = await send(
      server,
      'api/v1/auth/refresh',
      { refreshToken: kept.refreshToken },
      { isRepeatable: true },
    );
    if (answer.status === 200) {
      const next = toSignIn(answer.body as Tokens);
      credentials.servers[server.href] = next;
      return next.accessToken;
    }
    const problem = problemOf(answer);
    if (answer.status !== 401) throw problem;
    delete credentials.servers[server.href];
    throw Object.assign(problem, { message: `Your sign-in has ended. ${signInAgain}` });
  });
}

/** Credentials in the environment, which replace a stored sign-in. */
export interface Given {
  /** An API key or access token, which is used as it is. */
  token?: string | undefined;
  /** Gives the token of a workload. */
  workload?: ((refused?: string) => Promise<string>) | undefined;
}

/** Creates the API of a server for the caller that the environment or the stored sign-ins name. */
export function createApi(server: URL, store: CredentialStore, given: Given): Api {
  async function token(refused?: string): Promise<string> {
    if (given.token !== undefined) {
      if (refused === undefined) return given.token;
      throw failure('The token in SEC_TESTER_TOKEN has expired', { code: 'TOKEN_EXPIRED' });
    }
    if (given.workload !== undefined) return given.workload(refused);
    const kept = (await store.read()).servers[server.href];
    if (kept === undefined)
      throw failure(`Nobody is signed in to ${server.origin}. ${signInAgain}`, { code: 'UNAUTHENTICATED' });
    const isOver = kept.accessToken === refused || Date.now() > kept.expiresAt - renewBeforeMs;
    return isOver ? refresh(server, store, kept.accessToken) : kept.accessToken;
  }

  return {
    server,
    via:
      given.token !== undefined
        ? 'SEC_TESTER_TOKEN'
        : given.workload !== undefined
          ? 'workload identity'
          : 'sign-in',
    hasGivenKey: given.token?.startsWith('stk_') === true,
    token,
    async graphql<Data>(query: string, variables: object = {}, isRepeatable = true): Promise<Data> {
      let refused: string | undefined;
      for (;;) {
        const accessToken = await token(refused);
        const answer = await send(
          server,
          'graphql',
          { query, variables },
          { token: accessToken, isRepeatable },
        );
        const body = answer.body as GraphqlBody;
        const error = graphqlErrorOf(body);
        if (error === undefined) return body.data as Data;
        if (error.code !== 'TOKEN_EXPIRED' || refused !== undefined) throw error;
        refused = accessToken;
      }
    },
  };
}
