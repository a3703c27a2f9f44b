// Signs CI jobs and other workloads in by the token of their platform, without a secret (docs/workload-identity.md).
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { CredentialStore } from './credentials.js';
import { type Failure, failure, reasonOf } from './failure.js';
import { problemOf, send } from './http.js';

type Env = Record<string, string | undefined>;

/** A workload that can prove what it is. */
export interface Workload {
  /** Where its tokens come from, for people. */
  platform: string;
  /** Tells the workload from others that share the file of sign-ins. */
  id: string;
  /** A token of the platform for this audience. */
  idToken: (audience: string) => Promise<string>;
}

/** A token is not used in its last moments. */
const renewBeforeMs = 30_000;

/**
 * The workload that the environment describes: by SEC_TESTER_ID_TOKEN or SEC_TESTER_ID_TOKEN_FILE, or a job of GitHub Actions
 * with the permission `id-token: write`.
 */
export function workloadOf(env: Env): Workload | undefined {
  const { SEC_TESTER_ID_TOKEN: given, SEC_TESTER_ID_TOKEN_FILE: file } = env;
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret } = env;
  if (given) return { platform: 'SEC_TESTER_ID_TOKEN', id: given, idToken: async () => given };
  if (file) return { platform: 'SEC_TESTER_ID_TOKEN_FILE', id: file, idToken: () => tokenIn(file) };
  if (!url || !secret) return undefined;
  return { platform: 'GitHub Actions', id: secret, idToken: (audience) => fromGitHub(url, secret, audience) };
}

async function tokenIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw failure(`SEC_TESTER_ID_TOKEN_FILE cannot be read: ${reasonOf(error)}`);
  });
  return text.trim();
}

async function fromGitHub(url: string, secret: string, audience: string): Promise<string> {
  const asked = new URL(url);
  asked.searchParams.set('audience', audience);
  const answer = await fetch(asked, {
    headers: { Authorization: `Bearer ${secret}`, Accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(30_000),
  })
    .then(async (response) => ({
      status: response.status,
      body: (await response.json()) as { value?: unknown },
    }))
    .catch((error: unknown) => {
      throw failure(`GitHub gave no ID token: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
    });
  const { value } = answer.body;
  if (answer.status === 200 && typeof value === 'string') return value;
  throw failure(`GitHub gave no ID token: status ${answer.status}`, { code: 'UNAUTHENTICATED' });
}

/**
 * Creates the function that gives a workload's token of this server, exchanged when it is needed. Steps of a job share it through
 * the file of sign-ins: platforms that give a job one token for all its steps have it exchanged once.
 */
export function createWorkloadSignIn(server: URL, store: CredentialStore, workload: Workload, env: Env) {
  const audience = env.SEC_TESTER_AUDIENCE || server.href.replace(/\/$/, '');
  const key = createHash('sha256').update(`${server.href} ${audience} ${workload.id}`).digest('hex');
  let own: { accessToken: string; expiresAt: number } | undefined;

  const isGood = (token: typeof own, refused: string | undefined): token is NonNullable<typeof own> =>
    token !== undefined && token.accessToken !== refused && Date.now() < token.expiresAt - renewBeforeMs;

  return async (refused?: string): Promise<string> => {
    if (isGood(own, refused)) return own.accessToken;
    if (!(await store.isWritable())) {
      own = await exchange(server, audience, workload);
      return own.accessToken;
    }
    own = await store.update(async (credentials) => {
      const kept = credentials.workloads?.[key];
      if (isGood(kept, refused)) return kept;
      const made = await exchange(server, audience, workload);
      const live = Object.entries(credentials.workloads ?? {}).filter(
        ([, { expiresAt }]) => expiresAt > Date.now(),
      );
      credentials.workloads = { ...Object.fromEntries(live), [key]: made };
      return made;
    });
    return own.accessToken;
  };
}

async function exchange(server: URL, audience: string, { platform, idToken }: Workload) {
  const answer = await send(server, 'api/v1/auth/token-exchange', {
    grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subjectToken: await idToken(audience),
    subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
  });
  if (answer.status !== 200) throw inWords(problemOf(answer), platform, audience);
  const { accessToken, expiresIn } = answer.body as { accessToken: string; expiresIn: number };
  return { accessToken, expiresAt: Date.now() + expiresIn * 1000 };
}

function inWords(problem: Failure, platform: string, audience: string): Failure {
  if (problem.code !== 'SUBJECT_TOKEN_REFUSED') return problem;
  const message = `The server refused the token of ${platform} (audience ${audience}): ${problem.message}`;
  return Object.assign(problem, { message });
}
