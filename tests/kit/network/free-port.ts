// Ports for what tests start, stop and start again at the same place.
import { createServer } from 'node:net';

const [first, perWorker] = [10_000, 2000];
let next = Math.floor(Math.random() * perWorker);

/**
 * A port that nobody listens on, out of this worker's own share. It lies below those that systems hand out by
 * themselves (from 32,768 on), so that nothing else takes it before it is used, or between two uses.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    next = (next + 1) % perWorker;
    const port = first + (Number(process.env.JEST_WORKER_ID ?? 0) % 10) * perWorker + next;
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
