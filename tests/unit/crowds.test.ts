// Requests that come in crowds: who waits for whom.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { createCrowds } from '../../src/http/admission-queue.js';
import {
  currentRequest,
  type RequestContext,
  runInRequest,
} from '../../src/infra/telemetry/request-context.js';
import type { Route } from '../../src/rest/route.js';

const fail = () => {
  throw new Error('no room');
};
const routes = [
  { method: 'post', path: '/crowded', assertRoom: () => {} },
  { method: 'post', path: '/full', assertRoom: fail },
  { method: 'get', path: '/other' },
] as unknown as Route[];

function setUp() {
  const enter = createCrowds(routes);
  const done: string[] = [];
  const send = (method: string, path: string, name: string) => {
    const store: RequestContext = { correlationId: name, ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    const work = () => done.push(`${name} ${currentRequest()?.correlationId}`);
    const refuse = () => done.push(`${name} refused`);
    runInRequest(store, () => enter({ method, path, store, work, refuse }));
    return store;
  };
  return { done, send };
}

it('lets others pass between the requests of a crowd, each of which keeps its context', async () => {
  const { done, send } = setUp();
  for (let index = 0; index < 10; index += 1) send('POST', '/crowded', `c${index}`);
  expect(done).toEqual([]);
  await nextTurn();
  expect(done).toEqual(['c0 c0', 'c1 c1', 'c2 c2', 'c3 c3']);
  send('GET', '/other', 'o');
  send('GET', '/crowded', 'p');
  expect(done.slice(4)).toEqual(['o o', 'p p']);
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  expect(done.slice(6)).toEqual(['c4 c4', 'c5 c5', 'c6 c6', 'c7 c7', 'c8 c8', 'c9 c9']);
});

it('refuses those that find no room, without the work', async () => {
  const { done, send } = setUp();
  const store = send('POST', '/full', 'f');
  await nextTurn();
  expect([done, store.route]).toEqual([['f refused'], '/full']);
});
