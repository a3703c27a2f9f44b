// F9: one process with 10,000 live streams, and one event to all of them.
import { must, report } from './kit/scene.mjs';
import { clock, sleep, until } from './kit/time.mjs';

const total = 10_000;

export const title = '10,000 subscriptions in one process, one event to all';

export async function run(scene, figures) {
  const { server, token } = await scene.signedIn();
  for (const kind of ['websocket', 'sse']) {
    const executionId = await scene.execution(server, token);
    const open = async (count) => {
      const load = scene.load('streams', {
        urls: [server.url],
        token,
        executionId,
        counts: { [kind]: count },
      });
      await load.ready;
      return load;
    };
    const warmUp = await open(200);
    await must(server.url, report(token, executionId, 1, '#0'));
    await sleep(1000);
    await warmUp.stop();
    await sleep(1000);
    const before = await memoryOf(server);
    const halves = await Promise.all([open(total / 2), open(total / 2)]);
    await sleep(3000);
    const held = await memoryOf(server);
    const sentAt = clock();
    await must(server.url, report(token, executionId, 2, '#1'));
    await sleep(4000);
    const streams = (await Promise.all(halves.map((half) => half.stop()))).flat();
    const arrivals = streams.flatMap(({ events }) =>
      events.filter(({ phase }) => phase === '#1').map(({ at }) => at),
    );
    const isBack = async () => (await memoryOf(server)).heap <= before.heap * 1.1;
    await until(isBack, 'the heap', 10_000, 500).catch(() => {});
    const after = await memoryOf(server);
    const name = kind === 'sse' ? 'Event streams' : 'WebSockets';
    figures.is(`${name}: had the event, of 10,000`, arrivals.length, total);
    figures.atMost('… the last one after', Math.max(...arrivals) - sentAt, 1500, 'ms');
    figures.atMost('… resident memory each', ((held.resident - before.resident) * 1024) / total, 35, 'KB');
    figures.note('… heap each', ((held.heap - before.heap) * 1024) / total, 'KB');
    figures.atMost(
      '… heap after they are closed, of that before',
      (after.heap / before.heap) * 100,
      110,
      '%',
    );
  }
}

/** In MB. */
async function memoryOf(server) {
  const { heapUsed, rss } = await server.ask('memory');
  return { heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 };
}
