// A server process that is killed or stopped while clients follow: they come back with their cursor and miss nothing.
import { expect, it } from '@jest/globals';
import { endOf, type Following, follow, idsOf, type Transport, transports, until } from '../../kit/live.js';
import { createServerProcess } from '../../kit/programs/process.js';
import { atEnd } from '../../kit/use.js';

const server = await createServerProcess();
atEnd(() => server.remove());
await server.start();
const token = await server.signIn();

/** A mutation, again until the server takes it. */
async function mutate(field: string): Promise<{ execution: { id: string } }> {
  for (;;) {
    const query = `mutation { result: ${field} { execution { id } } }`;
    const answer = await server.gql(query, {}, token).catch(() => undefined);
    if (answer?.body.data != null) return answer.body.data.result;
    answer?.expectError('UNAVAILABLE');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function startExecution(): Promise<string> {
  const { execution } = await mutate('createExecution(input: { name: "A", target: "t", kind: DAST })');
  await mutate(`startExecution(id: "${execution.id}")`);
  return execution.id;
}

/** What a client does: it follows, and when the stream breaks it follows again behind the last event it saw. */
async function followThrough(transport: Transport, id: string): Promise<Following['events']> {
  const seen: Following['events'] = [];
  for (;;) {
    const stream = follow(transport, server, token, id, seen.at(-1)?.id);
    await stream.ended;
    seen.push(...stream.events);
    if (seen.at(-1)?.type === 'COMPLETED') return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('killed twice and started again, it leaves no gap and nothing twice for clients that reconnect', async () => {
  const id = await startExecution();
  const clients = transports.flatMap((transport) => [
    followThrough(transport, id),
    followThrough(transport, id),
  ]);
  const writing = (async () => {
    for (let n = 1; n <= 60; n += 1)
      await mutate(`reportProgress(input: { executionId: "${id}", progress: ${n} })`);
    await mutate(`completeExecution(id: "${id}")`);
  })();
  for (let time = 0; time < 2; time += 1) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await server.stop('SIGKILL')).toBeNull();
    await server.start();
  }
  await writing;
  const whole = follow('WebSocket', server, token, id);
  await endOf(whole);
  expect(whole.events.length).toBeGreaterThanOrEqual(63); // a report whose answer was lost was sent again
  for (const events of await Promise.all(clients))
    expect(events.map((event) => event.id)).toEqual(idsOf(whole));
});

it('stopped with SIGTERM, it says goodbye: WebSockets get 1001, event streams an answer, and it exits with 0', async () => {
  const id = await startExecution();
  const [socket, stream] = transports.map((transport) => follow(transport, server, token, id)) as [
    Following,
    Following,
  ];
  await until(() => [socket, stream].every(({ events }) => events.length === 2), 'the beginnings');
  expect(await server.stop('SIGTERM')).toBe(0);
  expect(await endOf(socket)).toBe('1001');
  expect(await endOf(stream)).toBe('complete');
  expect(stream.errors.map(({ code }) => code)).toEqual(['UNAVAILABLE']);
  expect(socket.errors).toEqual([]);
  expect([socket.events.length, stream.events.length]).toEqual([2, 2]);
});
