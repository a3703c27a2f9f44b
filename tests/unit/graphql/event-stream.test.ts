// Readers of an event stream who take nothing, and slow ones; with a heartbeat that the tests beat.
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { over, toStream } from '../../../src/core/pull-stream.js';
import { bytesOf, deliver, inThisRequest } from '../../../src/graphql/subscriptions/backpressure.js';
import { createHeartbeat, type Heartbeat } from '../../../src/graphql/subscriptions/heartbeat.js';
import { createHttpStreams } from '../../../src/graphql/subscriptions/http-stream.js';
import {
  eventStream,
  multipart,
  type StreamFormat,
} from '../../../src/graphql/subscriptions/stream-formats.js';
import { currentRequest, runInRequest } from '../../../src/infra/telemetry/request-context.js';
import { until } from '../../kit/live.js';

let http: Server;
let format: StreamFormat;
let socket: Socket | undefined;
/** What the heartbeat calls. */
const beats = new Set<() => void>();
const heartbeat: Heartbeat = (turn) => {
  beats.add(turn);
  return () => beats.delete(turn);
};
/** The stream: how many answers there are, after which it waits, and what became of it. */
let stream: { total: number; taken: number; mostWaiting: number; isClosed: boolean; filler: unknown };

beforeEach(async () => {
  format = eventStream;
  const state = {
    total: 0,
    taken: 0,
    mostWaiting: 0,
    isClosed: false,
    filler: 'x'.repeat(50_000) as unknown,
  };
  beats.clear();
  stream = state;
  const send = createHttpStreams({ mask: (answer) => answer, heartbeat });
  http = createServer((request, response) => {
    socket = request.socket;
    const source = {
      take: () => {
        if (state.isClosed) return over;
        if (state.taken >= state.total) return undefined;
        state.taken += 1;
        state.mostWaiting = Math.max(state.mostWaiting, request.socket.writableLength);
        return { done: false, value: { data: { filler: state.filler } } } as const;
      },
      whenReady: () => {},
      fault: () => undefined,
      close: () => {
        state.isClosed = true;
      },
    };
    send(response, toStream<ExecutionResult>(source), format);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
});
afterEach(() => {
  http.closeAllConnections();
  http.close();
});

async function open(): Promise<IncomingMessage> {
  const { port } = http.address() as AddressInfo;
  const [response] = await once(
    get({ port, host: '127.0.0.1' }).on('error', () => {}),
    'response',
  );
  return (response as IncomingMessage).on('error', () => {});
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function beat(): Promise<void> {
  for (const turn of [...beats]) turn();
  await sleep(1); // an end is told of a moment later
}

/** Whether bytes wait in the server and none of them goes any more. */
async function hasSettled(): Promise<boolean> {
  const [waiting, taken] = [socket?.writableLength ?? 0, stream.taken];
  await sleep(100);
  const isOver = stream.taken === stream.total;
  return (waiting > 0 || isOver) && socket?.writableLength === waiting && stream.taken === taken;
}

it('one who takes nothing is dropped after a while, with little waiting for it', async () => {
  stream.total = Number.POSITIVE_INFINITY;
  const response = await open();
  response.pause();
  await until(hasSettled, 'full buffers');
  await until(async () => {
    await beat();
    return stream.isClosed;
  }, 'the end');
  expect(stream.mostWaiting).toBeLessThan(200_000); // some megabytes lie in the system's buffers, little in ours
});

it('one who is slow but takes something is served to the end', async () => {
  stream.total = 300;
  const response = await open();
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  while (bytes < stream.total * 50_000) {
    response.pause();
    await until(hasSettled, 'full buffers');
    for (let turn = 0; turn < 2; turn += 1) await beat();
    expect(stream.isClosed).toBe(false);
    const [before, taken] = [bytes, stream.taken];
    response.resume();
    const hasMoved = () => bytes - before > 3_000_000 && stream.taken > taken;
    await until(() => hasMoved() || bytes >= stream.total * 50_000, 'the next bytes');
  }
  expect(stream.taken).toBe(stream.total);
});

it('one who has everything gets signs of life and is kept', async () => {
  stream.total = 1;
  const response = await open();
  let text = '';
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const pings = () => text.match(/^:$/gm)?.length ?? 0;
  await until(() => text.includes('filler'), 'the answer');
  expect(pings()).toBe(1); // opens the stream
  for (let turn = 2; turn < 10; turn += 1) {
    await beat();
    await until(() => pings() === turn, 'a ping');
  }
  expect(stream.isClosed).toBe(false);
});

it('an answer that cannot be written becomes an error, for its own stream alone', async () => {
  [stream.total, stream.filler] = [1, 1n];
  const response = await open();
  const [first] = await once(response.setEncoding('utf8'), 'data');
  const text = String(first) + (String(first).includes('data') ? '' : (await once(response, 'data'))[0]);
  expect(text).toContain('event: next\ndata: {"errors":[{"message":"Do not know how to serialize a BigInt"');
  expect(stream.isClosed).toBe(false);
});

it('errors are written in the subscriber’s request, even if another one wakes the stream', async () => {
  const masks: (string | undefined)[] = [];
  const mask = (answer: ExecutionResult) => {
    masks.push(currentRequest()?.correlationId);
    isReady = false;
    return answer;
  };
  let wake: () => void = () => {};
  let isReady = false;
  const source = {
    take: () =>
      isReady ? ({ done: false, value: { errors: [new GraphQLError('no')] } } as const) : undefined,
    whenReady: (callback: () => void) => {
      wake = callback;
    },
    fault: () => undefined,
    close: () => {},
  };
  const socket = new PassThrough() as unknown as Socket;
  const own = { correlationId: 'own', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
  const ownMask = runInRequest(own, () => inThisRequest(mask));
  const encode = (answer: ExecutionResult) => bytesOf(answer, ownMask, 'test', () => Buffer.from('x'));
  deliver({
    answers: toStream<ExecutionResult>(source),
    ...{ socket, encode, onEnd: () => {}, isOpen: () => true },
  });
  isReady = true;
  runInRequest({ ...own, correlationId: 'another' }, () => wake());
  expect(masks).toEqual(['own']);
});

it('a heartbeat gives everyone a turn per period, spread over it, and stops with the last', () => {
  jest.useFakeTimers();
  try {
    const heartbeat = createHeartbeat(12_000);
    const turns = Array.from({ length: 24 }, () => 0);
    const stops = turns.map((_, index) =>
      heartbeat(() => {
        turns[index] = (turns[index] ?? 0) + 1;
      }),
    );
    jest.advanceTimersByTime(1000);
    expect(turns.filter((count) => count === 1)).toHaveLength(2);
    jest.advanceTimersByTime(11_000);
    expect(turns).toEqual(turns.map(() => 1));
    for (const stop of stops) {
      stop();
      stop();
    }
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

it('a multipart subscription has heartbeats between its parts, each with the boundary that completes it', async () => {
  format = multipart;
  stream.total = 1;
  stream.filler = 'text';
  const response = await open();
  expect(response.headers['content-type']).toBe('multipart/mixed;boundary="graphql";subscriptionSpec=1.0');
  let text = '';
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await until(() => text.includes('payload'), 'the answer');
  await beat();
  const part = (json: string) => `\r\nContent-Type: application/json\r\n\r\n${json}\r\n--graphql`;
  const whole = `\r\n--graphql${part('{}')}${part('{"payload":{"data":{"filler":"text"}}}')}${part('{}')}`;
  await until(() => text.length >= whole.length, 'the heartbeat');
  expect(text).toBe(whole);
});
