// Processes very many items in chunks, so that the event loop serves other work in between.
import { setImmediate } from 'node:timers/promises';

const perTurn = 100;

/** Does it for each thing that is there now, a hundred per turn of the event loop. */
export async function inTurns<Thing>(things: Iterable<Thing>, work: (thing: Thing) => void): Promise<void> {
  const all = [...things];
  for (let from = 0; from < all.length; from += perTurn) {
    if (from > 0) await setImmediate();
    for (const thing of all.slice(from, from + perTurn)) work(thing);
  }
}
