// A process of subscribers for live.mjs: opens many streams by hand and tells what arrived when. Talks over IPC.
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';

const query = `subscription($id: ID!, $after: ID) { executionEvents(executionId: $id, after: $after) {
  id type at execution { status progress phase }
} }`;
const now = () => performance.timeOrigin + performance.now();

/** Per phase of the execution ("#17"): how many had it, when the last did, and each one's delay behind the write. */
let arrivals = new Map();
/** Per stream: how many events it had and the last progress, to find gaps. */
let streams = [];

process.on('message', async ({ open, report }) => {
  if (open !== undefined) {
    await openAll(open);
    process.send({ opened: open.count });
  }
  if (report !== undefined) {
    process.send({
      arrivals: [...arrivals].map(([phase, { count, lastAt, delays }]) => ({ phase, count, lastAt, delays })),
      streams: streams.map(({ executionId, phases }) => ({ executionId, phases })),
    });
    arrivals = new Map();
    streams = streams.map((stream) => Object.assign(stream, { phases: stream.phases && [] }));
  }
});
process.on('disconnect', () => process.exit(0));

async function openAll({ url, token, transport, count, executionIds, keepsPhases = false, after }) {
  const atOnce = 100;
  for (let from = 0; from < count; from += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, count - from) }, (_, n) => {
      const executionId = executionIds[(from + n) % executionIds.length];
      const stream = { executionId, phases: keepsPhases ? [] : undefined };
      streams.push(stream);
      return openers[transport](url, token, { id: executionId, after }, (event) => note(stream, event));
    });
    await Promise.all(batch);
  }
}

function note(stream, { at, execution: { phase } }) {
  const arrivedAt = now();
  if (phase === null) return;
  stream.phases?.push(Number(phase.slice(1)));
  let arrival = arrivals.get(phase);
  if (arrival === undefined) {
    arrival = { count: 0, lastAt: 0, delays: [] };
    arrivals.set(phase, arrival);
  }
  arrival.count += 1;
  arrival.lastAt = arrivedAt;
  arrival.delays.push(arrivedAt - Date.parse(at));
}

const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
const openers = {
  /** Resolves once the first event is there. */
  websocket: (url, token, variables, onEvent) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        perMessageDeflate: false,
      });
      const send = (message) => socket.send(JSON.stringify(message));
      socket.on('open', () =>
        send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
      );
      socket.on('error', reject);
      socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
      socket.on('message', (data) => {
        const message = JSON.parse(data);
        if (message.type === 'connection_ack')
          send({ id: '1', type: 'subscribe', payload: { query, variables } });
        if (message.type === 'error') reject(new Error(JSON.stringify(message.payload)));
        if (message.type !== 'next') return;
        onEvent(message.payload.data.executionEvents);
        resolve();
      });
    }),

  sse: (url, token, variables, onEvent) =>
    new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      };
      const sent = request(`${url}/graphql`, { agent, method: 'POST', headers }, (answer) => {
        let rest = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop();
          for (const line of lines) {
            if (!line.startsWith('data: ')) continue;
            const { data, errors } = JSON.parse(line.slice(6));
            if (errors !== undefined) return reject(new Error(JSON.stringify(errors)));
            onEvent(data.executionEvents);
            resolve();
          }
        });
      });
      sent.on('error', reject);
      sent.end(JSON.stringify({ query, variables }));
    }),
};
