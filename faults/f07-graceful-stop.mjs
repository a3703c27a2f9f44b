// F7: SIGTERM while 200 requests and 5,000 live streams are open.
import { Agent, request } from 'node:http';
import { failuresOf, tally } from './kit/figures.mjs';
import { call, requests } from './kit/scene.mjs';
import { clock, sleep } from './kit/time.mjs';

const streamsOfEach = 2500;

export const title = 'SIGTERM with 200 requests and 5,000 subscriptions open';

export async function run(scene, figures) {
  const { server, token } = await scene.signedIn();
  const executionId = await scene.execution(server, token);
  const halves = [
    scene.load('streams', { urls: [server.url], token, executionId, counts: { sse: streamsOfEach } }),
    scene.load('streams', { urls: [server.url], token, executionId, counts: { websocket: streamsOfEach } }),
  ];
  await Promise.all(halves.map(({ ready }) => ready));
  const open = await openRequests(server.url, token, 100);
  const load = scene.load('closed', {
    urls: [server.url],
    token,
    kinds: ['list', 'write'],
    connections: 100,
  });
  await load.ready;
  await sleep(1500);

  // Who watches readiness, as a balancer does, sends no more once it is denied.
  let samples;
  const probes = watchReadiness(server.url, () => {
    samples = load.stop();
  });
  const stoppedAt = clock();
  server.signal('SIGTERM');
  await sleep(500);
  const finished = await Promise.all(open.map((finish) => finish()));
  const { code, signal } = await server.ended();
  const exitedAt = clock();
  const seen = await probes();
  await sleep(1000);
  const all = (await Promise.all(halves.map((half) => half.stop()))).flat();

  const lost = failuresOf(await samples);
  const isTurnedAway = ({ error }) => error !== undefined;
  const firstClosed = seen.findIndex(isTurnedAway);
  figures.note('Streams open', all.length);
  figures.is(
    'Readiness says 503 before the port closes',
    seen.slice(0, firstClosed === -1 ? undefined : firstClosed).some(({ status }) => status === 503),
    true,
  );
  figures.note('100 requests that were half sent', tally(finished));
  figures.is('… failed', failuresOf(finished).length, 0);
  figures.is('Requests of 100 busy connections that failed', lost.length === 0 ? 0 : tally(lost), 0);
  figures.is(
    'WebSockets closed otherwise than with 1001',
    all.filter(({ kind, end }) => kind === 'websocket' && end !== 1001).length,
    0,
  );
  figures.is(
    'Event streams that broke off',
    all.filter(({ kind, end }) => kind === 'sse' && end !== 'clean').length,
    0,
  );
  figures.is('Exit', signal ?? code, 0);
  figures.atMost('… after', exitedAt - stoppedAt, 10_000, 'ms');
}

/** Requests whose body is half sent; each gives a function that sends the rest. */
function openRequests(url, token, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const body = JSON.stringify(requests.write(token).body);
  const openOne = () =>
    new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        Authorization: `Bearer ${token}`,
      };
      const sent = request(`${url}/graphql`, { agent, method: 'POST', headers });
      const answered = new Promise((done) => {
        sent.on('response', (answer) => {
          answer.resume();
          answer.on('end', () => done({ status: answer.statusCode }));
          answer.on('error', (error) => done({ status: 0, error: error.code }));
        });
        sent.on('error', (error) => {
          done({ status: 0, error: error.code });
          reject(error);
        });
      });
      sent.write(body.slice(0, 20), () =>
        resolve(() => {
          sent.end(body.slice(20));
          return answered;
        }),
      );
    });
  return Promise.all(Array.from({ length: count }, openOne));
}

/** Asks for readiness over new connections until the port is closed, and calls back once when it is denied. */
function watchReadiness(url, onDenied) {
  const agent = new Agent({ keepAlive: false });
  const seen = [];
  const watching = (async () => {
    while (seen.at(-1)?.error === undefined) {
      const answer = await call(url, { ...requests.ready(), agent, timeoutMs: 3000 });
      if (answer.status === 503 && !seen.some(({ status }) => status === 503)) onDenied();
      seen.push(answer);
    }
    return seen;
  })();
  return () => watching;
}
