// Loads of live streams, event streams and WebSockets: what each got and how it ended.
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import { clock } from './time.mjs';

const query = `subscription($id: ID!, $after: ID) { live: executionEvents(executionId: $id, after: $after) {
  id type at execution { status progress phase }
} }`;
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

/**
 * Opens streams and holds them until they end by themselves or the signal comes. Tells `{ opened }` once all have
 * their first event, `{ ended }` when the last one ends.
 * @param {{ urls: string[], token: string, executionId: string, after?: string, counts: { sse?: number, websocket?: number } }} options
 * @returns per stream: `events` ({ id, phase, at } or, with `isLean`, only when each came by phase), `end`, `endedAt`
 */
export async function streams(options, signal, tell) {
  const { counts, atOnce = 100 } = options;
  const kinds = Object.entries(counts).flatMap(([kind, count]) => Array(count).fill(kind));
  const all = [];
  for (let from = 0; from < kinds.length; from += atOnce) {
    const batch = kinds.slice(from, from + atOnce).map((kind, n) => openStream(kind, options, from + n));
    all.push(...batch);
    await Promise.all(batch.map(({ isOpen }) => isOpen));
  }
  tell({ opened: all.length });
  Promise.all(all.map(({ ended }) => ended)).then(() => tell({ ended: all.length }));
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  const result = all.map(({ kind, url, events, end, endedAt, errors }) => ({
    ...{ kind, url, events, end, endedAt, errors },
  }));
  for (const { close } of all) close();
  return result;
}

function openStream(kind, options, n) {
  const { urls, token, executionId, after } = options;
  const url = urls[n % urls.length];
  const stream = { kind, url, events: [], errors: [], end: undefined, endedAt: undefined };
  const variables = { id: executionId, after };
  stream.ended = new Promise((resolve) => {
    stream.isOpen = new Promise((opened) => {
      const onAnswer = ({ data, errors }) => {
        for (const { extensions } of errors ?? []) stream.errors.push(extensions?.code);
        if (data?.live != null) {
          stream.events.push({ id: data.live.id, phase: data.live.execution.phase, at: clock() });
        }
        opened();
      };
      const onEnd = (how) => {
        stream.end ??= how;
        stream.endedAt ??= clock();
        opened();
        resolve();
      };
      stream.close = openers[kind](url, token, variables, onAnswer, onEnd);
    });
  });
  return stream;
}

const openers = {
  /** Ends with the close code. */
  websocket(url, token, variables, onAnswer, onEnd) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
    });
    const send = (message) => socket.send(JSON.stringify(message));
    socket.on('open', () => send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    socket.on('error', (error) => onEnd(error.code ?? error.message));
    socket.on('close', (code) => onEnd(code));
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'connection_ack')
        send({ id: '1', type: 'subscribe', payload: { query, variables } });
      if (message.type === 'next') onAnswer(message.payload);
      if (message.type === 'error') onAnswer({ errors: message.payload });
    });
    return () => socket.terminate();
  },

  /** Ends with "clean" after a whole body, else with what broke it. */
  sse(url, token, variables, onAnswer, onEnd) {
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
          if (line.startsWith('data: ')) onAnswer(JSON.parse(line.slice(6)));
        }
      });
      answer.on('end', () => onEnd(answer.statusCode === 200 ? 'clean' : answer.statusCode));
      answer.on('error', (error) => onEnd(error.code ?? error.message));
    });
    sent.on('error', (error) => onEnd(error.code ?? error.message));
    sent.end(JSON.stringify({ query, variables }));
    return () => sent.destroy();
  },
};
