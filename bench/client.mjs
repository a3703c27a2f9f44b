// A signed-in client that sends GraphQL requests over kept connections; loads are in load.mjs.
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
