// Requests over kept connections that never throw: an answer, or how it failed; and the API's calls by name.
import { Agent, request } from 'node:http';

// Kept for less long than the server keeps them: it never closes one on which a request is on its way.
const defaultAgent = new Agent({ keepAlive: true, timeout: 40_000, maxSockets: Number.POSITIVE_INFINITY });

/**
 * Sends one request.
 * @returns {Promise<{ status: number, ms: number, code?: string, error?: string, headers: object, body: any }>}
 * `status` is 0 and `error` tells why when there was no answer
 */
export function call(url, options) {
  const {
    method = 'GET',
    path,
    body,
    token,
    headers = {},
    agent = defaultAgent,
    timeoutMs = 30_000,
  } = options;
  const started = performance.now();
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve) => {
    const fail = (error) => {
      const ms = performance.now() - started;
      resolve({ status: 0, ms, error: error.code ?? error.message, headers: {}, body: undefined });
    };
    const sent = request(
      url + path,
      {
        ...{ method, agent },
        headers: {
          ...(text !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(text),
          }),
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...headers,
        },
      },
      (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () => {
          clearTimeout(timer);
          const got = parse(Buffer.concat(chunks).toString('utf8'));
          resolve({
            ...{
              status: answer.statusCode,
              ms: performance.now() - started,
              headers: answer.headers,
              body: got,
            },
            code: got?.code ?? got?.errors?.[0]?.extensions?.code,
          });
        });
      },
    );
    const timer = setTimeout(() => sent.destroy(new Error('no answer in time')), timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      fail(error);
    });
    sent.end(text);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Requests by name, for {@link call}. */
export const requests = {
  live: () => ({ path: '/api/v1/health/live' }),
  ready: () => ({ path: '/api/v1/health/ready' }),
  health: () => ({ path: '/api/v1/health' }),
  me: (token) => ({ path: '/api/v1/auth/me', token }),
  login: (_token, { email, password }) => ({
    ...{ method: 'POST', path: '/api/v1/auth/login', body: { email, password } },
  }),
  refresh: (_token, refreshToken) => ({
    ...{ method: 'POST', path: '/api/v1/auth/refresh', body: { refreshToken } },
  }),
  logout: (token) => ({ method: 'POST', path: '/api/v1/auth/logout', token }),
  list: (token) => graphql(token, '{ executions(first: 20) { nodes { id name status } } }'),
  write: (token, name = 'Fault') =>
    graphql(
      token,
      'mutation($name: String!) { createExecution(input: { name: $name, target: "fault", kind: OTHER }) { execution { id } } }',
      { name },
    ),
};

/** A GraphQL request, for {@link call}. */
export function graphql(token, query, variables) {
  return { method: 'POST', path: '/graphql', token, body: { query, variables } };
}

/** A request that must succeed; gives its body (REST) or data (GraphQL). @throws Error */
export async function must(url, options) {
  const answer = await call(url, options);
  if (answer.status < 200 || answer.status > 299 || answer.body?.errors !== undefined) {
    throw new Error(`${options.path}: ${answer.status} ${answer.error ?? JSON.stringify(answer.body)}`);
  }
  return answer.body?.data ?? answer.body;
}
