// Starts a load in a process of its own and stops it; what the loads do is in loads.mjs and streams.mjs.
import { fork } from 'node:child_process';

/**
 * @param {string} name of an exported function of loads.mjs or streams.mjs
 * @returns `ready` resolves with the first thing that the load tells; `stop` gives its result
 */
export function startLoad(name, options) {
  const child = fork(new URL('worker.mjs', import.meta.url), { serialization: 'advanced' });
  const listeners = new Set();
  const over = new Promise((resolve, reject) => {
    child.on('message', ({ told, result, failure }) => {
      if (told !== undefined) for (const listen of listeners) listen(told);
      if (failure !== undefined) reject(new Error(`load ${name}: ${failure}`));
      if (result !== undefined) resolve(result);
    });
    child.on('exit', () => reject(new Error(`load ${name}: its process ended`)));
  });
  over.catch(() => {});
  const end = () => child.connected && child.disconnect();
  const ready = new Promise((resolve) => listeners.add(resolve));
  child.send({ run: name, options });
  return {
    ready: Promise.race([ready, over]),
    /** What it measured, when it ends by itself. */
    result: () => over.finally(end),
    stop: () => {
      child.send({ stop: true });
      return over.finally(end);
    },
    change: (change) => child.send({ change }),
    end,
  };
}
