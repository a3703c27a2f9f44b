// Moments that processes agree on, waiting for something, and free ports.
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** Milliseconds since 1970, with fractions: the same in all processes of the machine. */
export const clock = () => performance.timeOrigin + performance.now();

/** Resolves with the moment at which something was so. @throws Error when it was not in time */
export async function until(isSo, what, withinMs = 10_000, everyMs = 10) {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(everyMs);
  }
  return clock();
}

export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
