// F11: bodies, headers and messages beyond the limits.
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { call } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

export const title = '20 MB body, deep JSON, 2,000 headers, WebSocket messages over the limit';

export async function run(scene, figures) {
  const { server, token } = await scene.signedIn();
  const before = server.residentMb();
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, server.residentMb());
  }, 20);
  const large = JSON.stringify({ query: '{ me { id } }', variables: { a: 'x'.repeat(20_000_000) } });
  const graphql = { method: 'POST', path: '/graphql' };
  const login = { method: 'POST', path: '/api/v1/auth/login' };
  const twenty = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      call(server.url, { ...graphql, body: large, ...(n % 2 && { token }) }),
    ),
  );
  figures.is(
    '20 MB to GraphQL, 20 at once: other than 413',
    twenty.filter(({ status }) => status !== 413).length,
    0,
  );
  figures.is('20 MB to REST', (await call(server.url, { ...login, body: large })).status, 413);
  figures.is('20 MB to GraphQL, in chunks without a length', await sendChunks(server.url, token, 20), 413);
  const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const create = `mutation($value: JSON!) { createExecution(input: { name: "Deep", target: "deep", kind: OTHER, parameters: { value: $value } }) { execution { id } } }`;
  for (const depth of [1000, 400_000]) {
    const body = `{"query":${JSON.stringify(create)},"variables":{"value":${nested(depth)}}}`;
    const answer = await call(server.url, { ...graphql, token, body });
    const isRefused = answer.status === 400 || (answer.status === 200 && answer.code === 'VALIDATION_FAILED');
    figures.is(`JSON nested ${depth.toLocaleString('en')} times to GraphQL is refused`, isRefused, true);
  }
  figures.is(
    'JSON nested 40,000 times to REST',
    (await call(server.url, { ...login, body: `${'['.repeat(40_000)}${']'.repeat(40_000)}` })).status,
    400,
  );
  figures.is('2,000 headers', await sendHeaders(server.url, 2000), 431);
  const closes = await Promise.all(
    Array.from({ length: 10 }, () => sendMessage(server.url, 'x'.repeat(2_000_000))),
  );
  figures.is(
    'WebSocket message of 2 MB: closed otherwise than with 1009',
    closes.filter((code) => code !== 1009).length,
    0,
  );
  await sleep(500);
  clearInterval(watching);
  figures.atMost('Resident memory grown by, at most', most - before, 100, 'MB');
  figures.is('The server lives', (await call(server.url, { path: '/api/v1/health/live' })).status, 200);
}

/** The status of what comes back on a bare socket. */
function statusOf(url, write) {
  return new Promise((resolve) => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1', () => write(socket));
    let text = '';
    socket.on('data', (data) => {
      text += data;
      const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
      if (status === undefined) return;
      resolve(Number(status));
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.code));
    socket.on('close', () => resolve('closed without an answer'));
    socket.setTimeout(10_000, () => socket.destroy());
  });
}

const sendHeaders = (url, count) =>
  statusOf(url, (socket) => {
    const headers = Array.from({ length: count }, (_, n) => `X-Many-${n}: ${n}\r\n`).join('');
    socket.write(`GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  });

const sendChunks = (url, token, megabytes) =>
  statusOf(url, (socket) => {
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = 'x'.repeat(1_000_000);
    for (let n = 0; n < megabytes; n += 1) socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  });

/** The code with which the socket is closed. */
function sendMessage(url, text) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    socket.on('open', () => socket.send(text));
    socket.on('error', () => {});
    socket.on('close', resolve);
  });
}
