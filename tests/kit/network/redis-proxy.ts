// A way to the tests' Redis that can be cut and restored, for tests of what happens while Redis is gone.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RedisProxy {
  /** To be given to servers as REDIS_URL. */
  url: string;
  /** Ends all connections and takes none. */
  cut: () => void;
  /** Takes connections again. */
  mend: () => void;
  close: () => Promise<void>;
}

/** @param database number of a Redis database that the test has for itself */
export async function createRedisProxy(database: number): Promise<RedisProxy> {
  const target = new URL(process.env.TEST_REDIS_URL as string);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    const other = connect(Number(target.port || 6379), target.hostname);
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}/${database}`,
    cut,
    mend: () => {
      isCut = false;
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
