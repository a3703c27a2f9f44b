// A TCP proxy that tests cut, freeze and restore, to take a database or Redis away from a server.
import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './free-port.js';

export interface TcpProxy {
  /** The target's URL through the proxy. */
  url: string;
  /** Ends all connections and refuses new ones. */
  cut: () => Promise<void>;
  /** Keeps all connections open and takes new ones, but lets nothing through: what hangs rather than fails. */
  freeze: () => void;
  /** Lets through again what is frozen. */
  thaw: () => void;
  /** Lets through again after a cut, on the same port. */
  restore: () => Promise<void>;
}

/** Stands in front of what a URL names. */
export async function createTcpProxy(target: string): Promise<TcpProxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((incoming) => {
    const outgoing = connect(Number(to.port), to.hostname);
    for (const [from, into] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.on('error', () => into.destroy());
      from.on('close', () => {
        sockets.delete(from);
        into.destroy();
      });
      from.pipe(into);
      if (isFrozen) from.pause();
    }
  });
  const port = await freePort();
  const restore = () =>
    new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', resolve);
    });
  await restore();
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    restore,
    freeze: () => {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw: () => {
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
