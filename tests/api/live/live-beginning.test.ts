// Where a stream without a cursor begins: "from now on" is after what was committed before it, however late that is announced,
// and includes what is committed later, however early it was begun.
import { afterEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { ownerUrlOf } from '../../kit/harness.js';
import {
  act,
  changes,
  type Following,
  idsOf,
  logOf,
  report,
  subscribe,
  until,
  useServerWith,
} from '../../kit/live.js';
import { startExecution } from '../../kit/seed.js';

const opened: Following[] = [];
const [server, analyst] = await useServerWith(['ANALYST'], { pollEveryMs: 50 });
afterEach(async () => {
  for (const { stop } of opened.splice(0)) stop();
  await until(() => server.services.streams.size() === 0, 'no open stream');
});

async function watch(after?: string): Promise<Following> {
  const open = server.services.streams.size();
  const variables = { after };
  const stream = subscribe('event stream', server.url, analyst.token, { query: changes, variables });
  opened.push(stream);
  await until(() => server.services.streams.size() > open, 'the stream');
  return stream;
}

/** Waits until the stream has an event that is made now: what was to come before it has come. */
async function waitForMarker(...streams: Following[]): Promise<string[]> {
  const id = await startExecution(server, analyst.token);
  const log = await logOf(server, id);
  await until(
    () => streams.every((stream) => log.every((event) => idsOf(stream).includes(event))),
    'the marker',
  );
  return log;
}

it('a stream gets nothing from before it began when another one resumes from there', async () => {
  const first = await watch();
  const id = await startExecution(server, analyst.token);
  for (let n = 1; n <= 5; n += 1) await report(server, analyst.token, id, n);
  await until(() => first.events.length === 7, 'the events');
  first.stop();
  await until(() => server.services.streams.size() === 0, 'no open stream');
  const resumed = await watch(first.events[0]?.id);
  const fresh = await watch();
  await until(() => resumed.events.length >= 6, 'the missed events');
  const marker = [...(await waitForMarker(resumed, fresh)), ...(await waitForMarker(resumed, fresh))];
  expect(idsOf(fresh)).toEqual(marker);
  resumed.stop();
  fresh.stop();
});

it('an event whose transaction was open when the stream began comes once it is committed', async () => {
  const id = await startExecution(server, analyst.token);
  const writer = new pg.Client(ownerUrlOf(server.databaseUrl));
  await writer.connect();
  try {
    await writer.query('BEGIN');
    await writer.query('SELECT FROM test_executions WHERE id = $1 FOR UPDATE', [id.slice(4)]);
    // The report has its event's id and waits for the row.
    const waiting = report(server, analyst.token, id, 1);
    await until(async () => {
      const [row] = await server.sql<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      return row?.n === 1;
    }, 'the report to wait');
    const stream = await watch();
    await writer.query('ROLLBACK');
    await waiting;
    const [, , event] = await logOf(server, id);
    await until(() => idsOf(stream).includes(event as string), 'the event');
    expect(idsOf(stream)).toEqual([event]);
    stream.stop();
  } finally {
    await writer.end();
  }
});

it('streams that begin while many write get all that is written from then on, and nothing that was written before', async () => {
  const ids = await Promise.all(Array.from({ length: 8 }, () => startExecution(server, analyst.token)));
  let isOver = false;
  const writers = ids.map(async (id) => {
    for (let n = 1; n <= 99 && !isOver; n += 1) await report(server, analyst.token, id, n);
  });
  const logs = async () => (await Promise.all(ids.map((id) => logOf(server, id)))).flat();
  for (let round = 0; round < 12; round += 1) {
    const before = await logs();
    // Every other one finds the feed of the instance asleep, or awake behind another stream's cursor.
    const resumed = round % 2 === 0 ? undefined : await watch(before.at(-1));
    const stream = await watch();
    const begun = await logs();
    const marker = await waitForMarker(stream);
    const after = (await logs()).filter((event) => !begun.includes(event));
    await until(() => after.every((event) => idsOf(stream).includes(event)), 'what was written since');
    expect(idsOf(stream).filter((event) => before.includes(event))).toEqual([]);
    expect(new Set(idsOf(stream)).size).toBe(idsOf(stream).length);
    expect(idsOf(stream)).toEqual(expect.arrayContaining(marker));
    stream.stop();
    resumed?.stop();
    await until(() => server.services.streams.size() === 0, 'no open stream');
  }
  isOver = true;
  await Promise.all(writers);
  for (const id of ids) await act(server, analyst.token, 'completeExecution', id);
});

it('a client that comes back behind its first event gets nothing from before its stream began', async () => {
  const before = await startExecution(server, analyst.token);
  const stream = await watch();
  const marker = await waitForMarker(stream);
  stream.stop();
  await until(() => server.services.streams.size() === 0, 'no open stream');
  const resumed = await watch(marker[0]);
  const next = await waitForMarker(resumed);
  const known = await logOf(server, before);
  expect(idsOf(resumed).filter((event) => known.includes(event))).toEqual([]);
  expect(idsOf(resumed)).toEqual([...marker.slice(1), ...next]);
  resumed.stop();
});
