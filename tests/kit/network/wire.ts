// What the security tests share: raw sockets, and WebSockets spoken by hand.
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { TestServer } from '../harness.js';

/** Sends bytes as they are and gives everything that came back until the server closed, or until the time was up. */
export function sendRaw(
  server: TestServer,
  bytes: string,
  withinMs = 60_000,
): Promise<{ text: string; isClosed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () =>
      socket.write(bytes, 'latin1'),
    );
    let text = '';
    const timer = setTimeout(() => {
      resolve({ text, isClosed: false });
      socket.destroy();
    }, withinMs);
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', (error) => (text === '' ? reject(error) : undefined));
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ text, isClosed: true });
    });
  });
}

export interface Message {
  type: string;
  id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read messages of any shape
  payload?: any;
}

/** A WebSocket that speaks graphql-transport-ws by hand. */
export interface Wire {
  send: (message: unknown) => void;
  /** The next message. */
  next: () => Promise<Message>;
  /** Resolves with the code when the server closes. */
  closed: Promise<number>;
  end: () => void;
}

export async function openWire(server: TestServer, headers: Record<string, string> = {}): Promise<Wire> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers,
  });
  const waiting: ((message: Message) => void)[] = [];
  const arrived: Message[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Message;
    const waiter = waiting.shift();
    if (waiter === undefined) arrived.push(message);
    else waiter(message);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return {
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    next: () => {
      const message = arrived.shift();
      return message === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(message);
    },
    end: () => socket.terminate(),
  };
}

/** A wire that is signed in. */
export async function openSignedInWire(server: TestServer, token: string): Promise<Wire> {
  const wire = await openWire(server);
  wire.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  const { type } = await wire.next();
  if (type !== 'connection_ack') throw new Error(`connection_ack was expected, not ${type}`);
  return wire;
}
