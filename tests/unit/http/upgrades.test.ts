// A connection that makes many offers gathers no listeners: not of Node's, nor of clients that watch connections.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { handleUpgrades } from '../../../src/http/connection/upgrades.js';

const server = createServer((_request, response) => {
  response.end('ok');
});
let socket: Socket | undefined;
let closings = 0;

beforeAll(async () => {
  // As a library that ends connections at a graceful stop.
  server.on('connection', (connection: Socket) => {
    socket = connection;
    connection.once('close', () => {
      closings += 1;
    });
  });
  handleUpgrades(server, {
    isProduction: false,
    isWebSocketPath: () => false,
    logOrigin: () => {},
    openWebSocket: () => {},
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

it('listeners stay as many as after the first offer, and still hear the end', async () => {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.setEncoding('utf8');
  const counts: Record<string, number>[] = [];
  for (let offer = 0; offer < 30; offer += 1) {
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    let answer = '';
    while (!answer.endsWith('ok')) answer += (await once(client, 'data'))[0];
    const names = socket?.eventNames() ?? [];
    counts.push(Object.fromEntries(names.map((name) => [String(name), socket?.listenerCount(name) ?? 0])));
  }
  expect(counts[0]?.close).toBeGreaterThan(0);
  expect(counts.at(-1)).toEqual(counts[1]);
  client.destroy();
  await once(socket as Socket, 'close');
  expect(closings).toBe(2); // those of the first announcement and of the last
});
