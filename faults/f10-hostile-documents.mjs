// F10: documents made to cost as much as possible, over each transport.
import { WebSocket } from 'ws';
import { call } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const repeat = (count, make) => Array.from({ length: count }, (_, n) => make(n)).join(' ');
const documents = {
  'depth of 5,000': `{ ${'a { '.repeat(5000)} b ${'} '.repeat(5000)} }`,
  '10,000 fragments': `{ ...F0 } ${repeat(10_000, (n) => `fragment F${n} on Query { ...F${(n + 1) % 10_000} }`)}`,
  '10,000 aliases': `{ ${repeat(10_000, (n) => `a${n}: me { id }`)} }`,
  'lists nested 20,000 times': `{ executions(filter: ${'['.repeat(20_000)}1${']'.repeat(20_000)}) { totalCount } }`,
  '5,000 directives': `{ me ${'@include(if: true) '.repeat(5000)} { id } }`,
};

export const title = 'hostile documents over HTTP, event streams and WebSockets';

export async function run(scene, figures) {
  const postgres = await scene.postgres();
  const { server, token } = await scene.signedIn();
  const post = async (query, accept) =>
    call(server.url, { method: 'POST', path: '/graphql', token, body: { query }, headers: { accept } });
  const transports = {
    HTTP: (query) => post(query, 'application/json'),
    'event stream': async (query) => {
      const answer = await post(query, 'text/event-stream');
      // Refused before the stream began, or in its first answer.
      const code = answer.code ?? /"code":"(\w+)"/.exec(answer.body)?.[1];
      return { ...answer, code, hasData: /"data":\{/.test(answer.body) };
    },
    WebSocket: await openWire(scene, server.url, token),
  };
  for (const send of Object.values(transports)) for (let n = 0; n < 20; n += 1) await send(`{ x${n} }`); // warm-up
  const reads = async () =>
    (
      await postgres.sql(
        "SELECT seq_scan + idx_scan AS n FROM pg_stat_user_tables WHERE relname = 'test_executions'",
      )
    )[0].n;
  // The server looks for runs whose lease is over now and then; how often is told by a time without requests.
  const idleMs = 5000;
  await sleep(1500); // until what came before is counted
  const readsFirst = Number(await reads());
  await sleep(idleMs);
  const readsAtRest = Number(await reads()) - readsFirst;
  const startedAt = performance.now();
  const readsBefore = Number(await reads());
  for (const [transport, send] of Object.entries(transports)) {
    for (const [name, query] of Object.entries(documents)) {
      await sleep(50);
      await server.ask('watchLoop');
      const answer = await send(query);
      const blockMs = await server.ask('longestBlockMs');
      const isRefused =
        answer.status >= 400 && answer.status < 500 ? true : answer.code !== undefined && !answer.hasData;
      figures.is(
        `${name}, ${transport}: ${answer.code ?? answer.status}`,
        isRefused && server.isRunning(),
        true,
      );
      figures.atMost('… answered in', answer.ms, 50, 'ms');
      figures.atMost('… event loop blocked for', blockMs, 50, 'ms');
    }
  }
  await sleep(1500);
  const own = Math.ceil((readsAtRest / idleMs) * (performance.now() - startedAt)) + 1;
  figures.atMost('Reads of executions, with the server’s own', Number(await reads()) - readsBefore, own, '');
  figures.is('The server lives', (await call(server.url, { path: '/api/v1/health/live' })).status, 200);
}

/** Sends one document after another over a WebSocket; one that is closed is opened anew. */
async function openWire(scene, url, token) {
  let socket;
  const open = () =>
    new Promise((resolve, reject) => {
      socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      socket.on('error', reject);
      socket.on('open', () =>
        socket.send(
          JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
        ),
      );
      socket.once('message', resolve);
    });
  scene.later(() => socket?.terminate());
  await open();
  let id = 0;
  return async (query) => {
    if (socket.readyState !== WebSocket.OPEN) await open();
    id += 1;
    const started = performance.now();
    return new Promise((resolve) => {
      const done = (answer) => resolve({ status: 200, ms: performance.now() - started, ...answer });
      socket.once('close', (code) => done({ code: `closed with ${code}` }));
      socket.on('message', function listen(data) {
        const message = JSON.parse(data);
        if (message.id !== String(id)) return;
        socket.off('message', listen);
        const errors = message.type === 'error' ? message.payload : message.payload?.errors;
        done({ code: errors?.[0]?.extensions?.code, hasData: message.payload?.data != null });
      });
      socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload: { query } }));
    });
  };
}
