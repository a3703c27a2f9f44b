// A TCP proxy that goes half-open: connections stay, new ones are taken, and nothing passes any more.
import { connect, createServer } from 'node:net';

/** Stands in front of what a URL names. */
export async function startProxy(target) {
  const to = new URL(target);
  const pairs = new Set();
  let isBlackHole = false;
  const server = createServer((incoming) => {
    const outgoing = connect(Number(to.port), to.hostname);
    // What was open when the cut came stays cut off for good, as after a lost route.
    const pair = { incoming, outgoing, isLost: isBlackHole };
    pairs.add(pair);
    for (const [from, into] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ]) {
      from.on('data', (data) => pair.isLost || into.write(data));
      from.on('error', () => {});
      from.on('close', () => {
        if (!pair.isLost || from === incoming) into.destroy();
        if (from === incoming) pairs.delete(pair);
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String(server.address().port);
  return {
    url: url.href,
    /** From now on nothing passes, and nobody is told. */
    cut() {
      isBlackHole = true;
      for (const pair of pairs) pair.isLost = true;
    },
    /** New connections pass again; old ones stay lost. */
    mend() {
      isBlackHole = false;
    },
    close() {
      for (const { incoming, outgoing } of pairs) {
        incoming.destroy();
        outgoing.destroy();
      }
      server.close();
    },
  };
}
