// Sends GraphQL requests over kept connections and measures the answers; which ones is in workloads.mjs.
import { Agent, request } from 'node:http';
import { admin } from './server.mjs';

/**
 * A signed-in client.
 * @param {{ url: string }} server
 */
export async function createClient({ url }) {
  // With a timeout of its own an Agent also heeds the server's: one that is busy would use a connection just closed.
  const agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: 60_000 });
  let token = '';

  /** Sends a prepared body; gives status and text. */
  const post = (path, body) =>
    new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        ...(token && { Authorization: `Bearer ${token}` }),
      };
      const outgoing = request(
        `${url}${path}`,
        { agent, method: 'POST', headers, timeout: 30_000 },
        (answer) => {
          const chunks = [];
          answer.on('data', (chunk) => chunks.push(chunk));
          answer.on('end', () =>
            resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString('utf8') }),
          );
          answer.on('error', reject);
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 30 s')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  /** A GraphQL call of a prepared body. @throws Error when the answer has errors */
  const send = async (body) => {
    const { status, text } = await post('/graphql', body);
    if (status !== 200 || text.startsWith('{"errors"')) throw new Error(`${status}: ${text.slice(0, 500)}`);
    return text;
  };

  /** Access tokens last 15 minutes: a long run signs in again in between. */
  const signIn = async () => {
    const { text } = await post('/api/v1/auth/login', JSON.stringify(admin));
    token = JSON.parse(text).accessToken;
  };
  await signIn();
  setInterval(() => signIn().catch(() => {}), 10 * 60_000).unref();

  return {
    send,
    graphql: async (query, variables) => JSON.parse(await send(JSON.stringify({ query, variables }))).data,
  };
}

/**
 * One request after another.
 * @param {{ send: (body: string) => Promise<string> }} client
 * @param {() => string} next the next body
 */
export async function oneByOne(client, next, { seconds, max = Number.POSITIVE_INFINITY }) {
  return load(client, next, { seconds, connections: 1, max });
}

/** As many requests at a time as there are connections, each followed by the next. */
export async function load(client, next, { seconds, connections, max = Number.POSITIVE_INFINITY }) {
  const times = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const work = async () => {
    while (performance.now() < endsAt && times.length < max) {
      const body = next();
      const sentAt = performance.now();
      await client.send(body);
      times.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  const tookMs = performance.now() - startedAt;
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return {
    count: times.length,
    perSecond: (times.length / tookMs) * 1000,
    medianMs: at(0.5),
    p99Ms: at(0.99),
  };
}
