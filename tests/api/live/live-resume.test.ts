// The feed of all executions across breaks: a client that resumes behind its last event misses none and gets none twice.
import { afterEach, describe, expect, it } from '@jest/globals';
import { idFloor } from '../../../src/core/ids.js';
import { hasRedis, type TestServer } from '../../kit/harness.js';
import {
  act,
  changes,
  type Following,
  idsOf,
  logOf,
  report,
  sleep,
  subscribe,
  transports,
  until,
  useTwo,
} from '../../kit/live.js';
import { createPerson, startExecution } from '../../kit/seed.js';

const [server, other] = await useTwo(process.env.TEST_REDIS_URL, { pollEveryMs: 100 });
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');
afterEach(() =>
  until(() => server.services.streams.size() + other.services.streams.size() === 0, 'no stream'),
);

const watch = async (
  after?: string,
  { at = server, transport = 'event stream' as (typeof transports)[number], filter = {} } = {},
): Promise<Following> => {
  const open = at.services.streams.size();
  const variables = { filter, after };
  const stream = subscribe(transport, at.url, analyst.token, { query: changes, variables });
  // One that resumes need not be open yet: that is what the cursor is for.
  if (after === undefined) await until(() => at.services.streams.size() > open, 'the stream');
  return stream;
};

/** Runs an execution to its end, with so many reports. */
async function runToEnd(reports: number): Promise<string> {
  const id = await startExecution(server, analyst.token);
  for (let n = 1; n <= reports; n += 1) await report(server, analyst.token, id, n);
  await act(server, analyst.token, 'completeExecution', id);
  return id;
}

/**
 * Runs twelve executions side by side, while a client breaks off again and again and resumes where `place` says.
 * @returns what it got before its last stream, that stream, and the log of each execution
 */
async function breakOffWhileRunning(place: (turn: number) => TestServer) {
  const got: string[] = [];
  let stream = await watch();
  let isDone = false;
  const runs = Promise.all(Array.from({ length: 12 }, () => runToEnd(15))).finally(() => {
    isDone = true;
  });
  for (let turn = 0; !isDone; turn += 1) {
    const seen = stream;
    await until(() => seen.events.length > 3 || isDone, 'some events');
    stream.stop();
    got.push(...idsOf(stream));
    stream = await watch(got.at(-1), { at: place(turn) });
  }
  const logs = await Promise.all((await runs).map((id) => logOf(server, id)));
  return { got, stream, logs };
}

const sorted = (ids: string[]) => [...ids].sort();

describe.each(transports)('executionsChanged by %s', (transport) => {
  it('sends what happened while the client was away, then goes on live', async () => {
    const before = await watch(undefined, { transport });
    const first = await runToEnd(1);
    const own = () => before.events.filter(({ execution }) => execution.id === first);
    await until(() => own().length === 4, 'the first execution');
    before.stop();
    const missed = await runToEnd(2);
    const after = await watch(own()[1]?.id, { transport });
    const live = await runToEnd(0);
    await until(() => after.events.length >= 2 + 5 + 3, 'all events');
    await sleep(500); // the poll must bring nothing twice
    const logs = await Promise.all([first, missed, live].map((id) => logOf(server, id)));
    expect(idsOf(after)).toEqual(logs.flat().slice(2));
    after.stop();
  });
});

describe('executionsChanged', () => {
  it('gives each event once to a client that breaks off again and again while many executions run', async () => {
    const { got, stream, logs } = await breakOffWhileRunning(() => server);
    await until(() => got.length + stream.events.length >= logs.flat().length, 'all events');
    stream.stop();
    got.push(...idsOf(stream));
    expect(sorted(got)).toEqual(sorted(logs.flat()));
    for (const log of logs) expect(got.filter((id) => log.includes(id))).toEqual(log);
  });

  it('resumes on another instance, which has handed out nothing yet', async () => {
    const before = await watch();
    const first = await runToEnd(1);
    const ended = () => before.events.at(-1);
    await until(
      () => ended()?.type === 'COMPLETED' && ended()?.execution.id === first,
      'the first execution',
    );
    before.stop();
    const second = await runToEnd(1);
    const after = await watch(before.events.at(-1)?.id, { at: other });
    const third = await runToEnd(1);
    await until(
      async () => (await logOf(server, third)).every((id) => idsOf(after).includes(id)),
      'all events',
    );
    await sleep(300);
    const missed = [...(await logOf(server, second)), ...(await logOf(server, third))];
    // Those of the last seconds may come again, but not of the execution that the cursor is of.
    expect(idsOf(after).filter((id) => missed.includes(id))).toEqual(missed);
    const known = await logOf(server, first);
    expect(idsOf(after).filter((id) => known.includes(id))).toEqual([]);
    after.stop();
  });

  // Without Redis an instance does not learn that another one has given events to its client.
  (hasRedis ? it : it.skip)('loses nothing where instances change under load', async () => {
    const { got, stream, logs } = await breakOffWhileRunning((turn) => (turn % 2 === 0 ? other : server));
    const all = logs.flat();
    await until(() => all.every((id) => got.includes(id) || idsOf(stream).includes(id)), 'all events');
    stream.stop();
    const missed = all.filter((id) => !got.includes(id) && !idsOf(stream).includes(id));
    expect(missed).toEqual([]);
  });

  it('filters what was missed, by the state of that moment', async () => {
    const before = await watch();
    const id = await runToEnd(1);
    const own = () => before.events.filter(({ execution }) => execution.id === id);
    await until(() => own().length === 4, 'the events');
    before.stop();
    const after = await watch(own()[0]?.id, { filter: { status: ['COMPLETED'] } });
    await until(() => after.events.length === 1, 'the end');
    expect(idsOf(after)).toEqual((await logOf(server, id)).slice(3));
    after.stop();
  });

  it('says so when the cursor is too old, or too much happened since', async () => {
    const ofHours = (hours: number) => `evt_${idFloor(Date.now() - hours * 3_600_000)}`;
    const old = await watch(ofHours(25));
    await until(() => old.errors.length === 1, 'the refusal');
    expect(old.errors[0]?.code).toBe('CURSOR_EXPIRED');
    const id = await startExecution(server, analyst.token);
    await server.sql(
      `INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
       SELECT (substr($2, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, $1, n + 2, 'PROGRESS', now(), '{}', '{}'
       FROM generate_series(1, 10001) n`,
      [id.slice(4), idFloor(Date.now() - 3_600_000)],
    );
    const flood = await watch(ofHours(2));
    await until(() => flood.errors.length === 1, 'the refusal');
    expect(flood.errors[0]?.code).toBe('CURSOR_EXPIRED');
    const wrong = await watch('evt_nonsense');
    await until(() => wrong.errors.length === 1, 'the refusal');
    expect(wrong.errors[0]).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path: 'after' }] });
  });
});
