// F12: a thousand connections that send their headers a byte at a time.
import { connect } from 'node:net';
import { failuresOf, p99, tally } from './kit/figures.mjs';
import { clock, sleep } from './kit/time.mjs';

const count = 1000;

export const title = '1,000 slow-header connections';

export async function run(scene, figures) {
  const server = await scene.instance();
  const probes = scene.load('open', { urls: [server.url], kinds: ['health'], perSecond: 50 });
  await probes.ready;
  await sleep(1000);
  const slow = Array.from({ length: count }, () => openSlow(server.url));
  await Promise.race([Promise.all(slow.map(({ dropped }) => dropped)), sleep(25_000)]);
  const samples = await probes.stop();
  const times = slow.map(({ openMs }) => openMs());
  figures.note('Slow connections', times.length);
  figures.atMost('… dropped after, at most', Math.max(...times) / 1000, 15, 's');
  figures.note('… first one dropped after', Math.min(...times) / 1000, 's');
  figures.note('Health meanwhile', tally(samples));
  figures.is('… failed', failuresOf(samples).length, 0);
  figures.atMost('… 99 %', p99(samples), 200, 'ms');
}

/** How long it is or was open, and when it ended. */
function openSlow(url) {
  const startedAt = clock();
  let endedAt;
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  const timer = setInterval(() => socket.writable && socket.write('a'), 500);
  const dropped = new Promise((resolve) => {
    socket.on('close', () => {
      clearInterval(timer);
      endedAt = clock();
      resolve();
    });
  });
  socket.on('error', () => {});
  socket.resume();
  return { dropped, openMs: () => (endedAt ?? clock()) - startedAt };
}
