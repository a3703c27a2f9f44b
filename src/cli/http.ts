// Sends requests to the API: addresses, JSON, retries when the server asks for them, errors in words. session.ts signs in.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, failure, isNetworkFault, reasonOf, usageFault } from './failure.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
const timeoutMs = 30_000;
const maxTries = 4;
const maxWaitSeconds = 60;

export { version };

/** An answer that is JSON. */
export interface Answer {
  status: number;
  body: unknown;
  headers: Headers;
}

interface ApiFault {
  code?: string;
  correlationId?: string;
  fields?: { path: string; message: string }[];
  retryAfterSeconds?: number;
}

/** A response of GraphQL. */
export interface GraphqlBody {
  data?: unknown;
  errors?: { message: string; extensions?: ApiFault }[];
}

/** The server's address, with a slash at its end. */
export function readServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usageFault(`${text} is not an http:// or https:// address`);
  if (url.username !== '' || url.password !== '') throw usageFault('The address must not hold a password');
  url.search = '';
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Whether what is sent to this address can be read on its way. */
export function isReadableOnTheWay({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && !/^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/**
 * Sends a request as it is.
 * @param accept media type of the answer
 * @throws Failure UNREACHABLE when no answer comes
 */
export async function request(
  server: URL,
  path: string,
  body: object,
  { token, accept = 'application/json', signal }: { token?: string; accept?: string; signal?: AbortSignal },
): Promise<Response> {
  const response = await fetch(new URL(path, server), {
    method: 'POST',
    // A redirect could send a password to another host.
    redirect: 'manual',
    headers: {
      'Content-Type': 'application/json',
      Accept: accept,
      'User-Agent': `sec-tester/${version}`,
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(timeoutMs),
  }).catch((error: unknown) => {
    throw failure(`${server.origin} cannot be reached: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
  });
  if (response.status < 300 || response.status >= 400) return response;
  await response.body?.cancel();
  throw failure(`${server.origin} redirects to ${response.headers.get('location')}: give that address`);
}

/**
 * Sends JSON and reads JSON. A request that may be repeated waits for a server that is busy or out of reach.
 * @throws Failure when there is no answer, or none that is JSON
 */
export async function send(
  server: URL,
  path: string,
  body: object,
  { token, isRepeatable = false }: { token?: string; isRepeatable?: boolean } = {},
): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const mayRepeat = isRepeatable && tries < maxTries;
    try {
      const response = await request(server, path, body, { ...(token !== undefined && { token }) });
      const text = await response.text();
      const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
      if (mayRepeat && [429, 503].includes(response.status) && retryAfter <= maxWaitSeconds) {
        await sleep(retryAfter * 1000);
        continue;
      }
      return { status: response.status, headers: response.headers, body: parse(text, response) };
    } catch (error) {
      const isUnreachable = (error as Partial<Failure>).code === 'UNREACHABLE' || isNetworkFault(error);
      if (!mayRepeat || !isUnreachable) throw error;
      await sleep(250 * 2 ** tries);
    }
  }
}

function parse(text: string, { url, status }: Response): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw failure(`${url} answered ${status} and no JSON: is this a SEC-TESTER API?`);
  }
}

/** The error of a REST answer (application/problem+json). */
export function problemOf({ status, body, headers }: Answer): Failure {
  const { code, detail, errors, correlationId } = body as Record<string, unknown>;
  const retryAfter = headers.get('retry-after');
  return failure(String(detail ?? `The server answered ${status}`), {
    ...(code !== undefined && { code: String(code) }),
    ...(correlationId !== undefined && { correlationId: String(correlationId) }),
    ...(Array.isArray(errors) && { fields: errors }),
    ...(retryAfter !== null && { retryAfterSeconds: Number(retryAfter) }),
  });
}

/** The first error of a GraphQL answer; undefined when there is none. */
export function graphqlErrorOf({ errors }: GraphqlBody): Failure | undefined {
  const [error] = errors ?? [];
  if (error === undefined) return undefined;
  const { code, correlationId, fields, retryAfterSeconds } = error.extensions ?? {};
  return failure(error.message, {
    ...(code !== undefined && { code }),
    ...(correlationId !== undefined && { correlationId }),
    ...(fields !== undefined && { fields }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}
