// Subscribers that do not read: they hold up nobody, and what they miss waits in the log, not in the process.
import { type IncomingMessage, request } from 'node:http';
import { expect, it } from '@jest/globals';
import { follow, logOf, report, type Transport, transports, until, useServerWith } from '../../kit/live.js';
import { Socket } from '../../kit/network/socket.js';
import { startExecution } from '../../kit/seed.js';

const [server, analyst] = await useServerWith(['ANALYST']);

it.each(transports)(
  'a reader by %s that stops reading holds up nobody, costs bounded memory and misses nothing',
  async (transport) => {
    const parameters = { filler: 'x'.repeat(60_000) };
    const id = await startExecution(server, analyst.token, { parameters });
    const query = `subscription { executionEvents(executionId: "${id}") { id execution { parameters } } }`;
    const reader = await pausedReader[transport](query);
    const healthy = follow('WebSocket', server, analyst.token, id);
    // Until the system's buffers are full, whatever they hold, and then 6 MB more.
    let count = 0;
    const reportOn = async (times: number) => {
      for (let n = 0; n < times; n += 1, count += 1)
        await report(server, analyst.token, id, Math.min(99, Math.floor(count / 5)));
      await until(() => healthy.events.length === 2 + count, 'all events for the other');
    };
    while (waitingBytes() === 0) await reportOn(50);
    await reportOn(100);
    expect(waitingBytes()).toBeGreaterThan(0);
    expect(waitingBytes()).toBeLessThan(1_000_000); // the rest waits in the log
    const log = await logOf(server, id);
    const ids = () => [...new Set(reader.text().match(/evt_[0-9a-f-]{36}/g))];
    reader.resume();
    await until(() => ids().length === log.length, 'the rest for the slow one');
    expect(ids()).toEqual(log);
    healthy.stop();
    reader.close();
    await until(() => server.services.streams.size() === 0, 'no open stream');
  },
);

it('one who asks and asks by WebSocket and reads no answer is cut off', async () => {
  const id = await startExecution(server, analyst.token, { parameters: { filler: 'x'.repeat(60_000) } });
  const before = new Set(handles());
  const socket = await new Socket(server.url).init(analyst.token);
  const port = Number(new URL(server.url).port);
  const served = handles().find((handle) => handle.localPort === port && !before.has(handle));
  socket.ws.pause();
  const aliases = Array.from({ length: 10 }, (_, n) => `a${n}: execution(id: "${id}") { parameters }`);
  for (let n = 0; n < 60; n += 1) socket.subscribe(`q${n}`, `{ ${aliases.join(' ')} }`);
  await until(() => served?.destroyed === true, 'the end of the connection');
  socket.ws.resume();
});

interface Handle {
  localPort?: number;
  writableLength?: number;
  destroyed?: boolean;
}

/** Sockets of this process, which is the server's too. */
function handles(): Handle[] {
  return (process as unknown as { _getActiveHandles: () => Handle[] })._getActiveHandles();
}

/** Bytes that wait in the fullest of the server's. */
function waitingBytes(): number {
  const port = Number(new URL(server.url).port);
  const own = handles().filter(({ localPort }) => localPort === port);
  return Math.max(0, ...own.map(({ writableLength }) => writableLength ?? 0));
}

interface Reader {
  text: () => string;
  resume: () => void;
  close: () => void;
}

/** Subscribers that read nothing until they are told to. */
const pausedReader: Record<Transport, (query: string) => Promise<Reader>> = {
  async WebSocket(query) {
    const socket = await new Socket(server.url).init(analyst.token);
    socket.ws.pause();
    socket.subscribe('slow', query);
    return {
      text: () => JSON.stringify(socket.messages),
      resume: () => socket.ws.resume(),
      close: () => socket.ws.close(),
    };
  },
  async 'event stream'(query) {
    const sent = request(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${analyst.token}`,
      },
    }).end(JSON.stringify({ query }));
    const response = await new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    let text = '';
    return {
      text: () => text,
      resume: () => response.on('data', (chunk) => (text += chunk)),
      close: () => response.destroy(),
    };
  },
};
