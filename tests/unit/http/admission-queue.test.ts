// Which requests wait in the admission queue, for how long, and which ones it refuses.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { createAdmissionQueue } from '../../../src/http/admission-queue.js';
import {
  currentRequest,
  type RequestContext,
  runInRequest,
} from '../../../src/infra/telemetry/request-context.js';

const routes = [
  { method: 'post', path: '/sign-in', hasCapacity: () => true },
  { method: 'post', path: '/full', hasCapacity: () => false },
  { method: 'get', path: '/other' },
];

function setUp() {
  let refusals = 0;
  const admit = createAdmissionQueue(routes, () => {
    refusals += 1;
  });
  const done: string[] = [];
  const send = (method: string, path: string, name: string) => {
    const store: RequestContext = { correlationId: name, ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    const work = () => done.push(`${name} ${currentRequest()?.correlationId}`);
    const refuse = (error: unknown) => done.push(`${name} ${(error as { code: string }).code}`);
    runInRequest(store, () => admit({ method, path, store, work, refuse }));
    return store;
  };
  return { done, send, refusals: () => refusals };
}

it('a burst is admitted four per turn, each request in its own context, and others pass between', async () => {
  const { done, send } = setUp();
  for (let index = 0; index < 10; index += 1) send('POST', '/sign-in', `s${index}`);
  expect(done).toEqual([]);
  await nextTurn();
  expect(done).toEqual(['s0 s0', 's1 s1', 's2 s2', 's3 s3']);
  send('GET', '/other', 'o');
  send('GET', '/sign-in', 'p');
  expect(done.slice(4)).toEqual(['o o', 'p p']);
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  expect(done.slice(6)).toEqual(['s4 s4', 's5 s5', 's6 s6', 's7 s7', 's8 s8', 's9 s9']);
});

it('a request that finds no capacity is refused and counted, and its work is not done', async () => {
  const { done, send, refusals } = setUp();
  const store = send('POST', '/full', 'f');
  await nextTurn();
  expect([done, store.route, refusals()]).toEqual([['f UNAVAILABLE'], '/full', 1]);
});
