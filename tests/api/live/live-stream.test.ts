// Following one execution, over both transports: in order, without a gap, nothing twice, to the end and not beyond.
import { describe, expect, it } from '@jest/globals';
import {
  act,
  endOf,
  eventFields,
  follow,
  idsOf,
  logOf,
  report,
  subscribe,
  transports,
  until,
  useServerWith,
} from '../../kit/live.js';
import { addResults, createExecution, startExecution } from '../../kit/seed.js';

// It never polls: every event that comes was pushed.
const [server, analyst, viewer] = await useServerWith(['ANALYST', 'VIEWER'], { pollEveryMs: 86_400_000 });

const complete = (id: string) => act(server, analyst.token, 'completeExecution', id);

describe.each(transports)('by %s', (transport) => {
  const watch = (id: string, after?: string) => follow(transport, server, viewer.token, id, after);

  it('a subscriber sees every event in order, and the stream completes after the last', async () => {
    const id = await createExecution(server, analyst.token);
    const stream = watch(id);
    await until(() => stream.events.length === 1, 'the first event');
    await act(server, analyst.token, 'startExecution', id);
    for (let progress = 10; progress <= 50; progress += 10) await report(server, analyst.token, id, progress);
    await complete(id);
    expect(await endOf(stream)).toBe('complete');
    expect(stream.events.map(({ type }) => type)).toEqual([
      ...['CREATED', 'STARTED', 'PROGRESS', 'PROGRESS', 'PROGRESS', 'PROGRESS', 'PROGRESS', 'COMPLETED'],
    ]);
    expect(stream.events.map(({ execution }) => execution.progress)).toEqual([0, 0, 10, 20, 30, 40, 50, 100]);
    expect(idsOf(stream)).toEqual(await logOf(server, id));
    expect(stream.errors).toEqual([]);
  });

  it('the last event comes also where answers wait for the database', async () => {
    const id = await startExecution(server, analyst.token);
    await report(server, analyst.token, id, 10);
    await complete(id);
    const query = `subscription($executionId: ID!) {
      live: executionEvents(executionId: $executionId) { id type execution { id imports { id } } }
    }`;
    const stream = subscribe(transport, server.url, viewer.token, { query, variables: { executionId: id } });
    expect(await endOf(stream)).toBe('complete');
    expect(stream.events.map(({ type }) => type)).toEqual(['CREATED', 'STARTED', 'PROGRESS', 'COMPLETED']);
  });

  it('an event arrives as it is written, not with the next poll', async () => {
    const id = await startExecution(server, analyst.token);
    const stream = watch(id);
    await until(() => stream.events.length === 2, 'what there is');
    await report(server, analyst.token, id, 10);
    await until(() => stream.events.length === 3, 'the report');
    stream.stop();
  });

  it('events shows the execution as it was then, not as it is', async () => {
    const id = await startExecution(server, analyst.token);
    await report(server, analyst.token, id, 40, 'crawling');
    await complete(id);
    const stream = watch(id);
    expect(await endOf(stream)).toBe('complete');
    expect(stream.events.map(({ execution }) => [execution.status, execution.phase])).toEqual([
      ...[
        ['QUEUED', null],
        ['RUNNING', null],
        ['RUNNING', 'crawling'],
        ['COMPLETED', 'crawling'],
      ],
    ]);
  });

  it('a late subscriber to a long run sees all of it, more than is kept in memory', async () => {
    const id = await startExecution(server, analyst.token);
    await server.sql(
      `INSERT INTO execution_events (id, execution_id, number, type, at, snapshot, result_ids)
       SELECT gen_random_uuid(), execution_id, number + n, 'PROGRESS', at, snapshot, '{}'
       FROM execution_events, generate_series(1, 700) AS n WHERE execution_id = $1 AND number = 2`,
      [id.slice(4)],
    );
    await server.sql('UPDATE test_executions SET last_event_number = 702 WHERE id = $1', [id.slice(4)]);
    const early = watch(id);
    await until(() => early.events.length > 300, 'the first pages');
    const late = watch(id);
    await complete(id);
    expect(await Promise.all([endOf(early), endOf(late)])).toEqual(['complete', 'complete']);
    const log = await logOf(server, id);
    expect(log).toHaveLength(703);
    expect(idsOf(early)).toEqual(log);
    expect(idsOf(late)).toEqual(log);
  });

  it('`after` resumes right behind an event, also behind the last', async () => {
    const id = await startExecution(server, analyst.token);
    for (let progress = 1; progress <= 6; progress += 1) await report(server, analyst.token, id, progress);
    const log = await logOf(server, id);
    const live = watch(id, log[log.length - 1]);
    const streams = log.map((cursor) => watch(id, cursor));
    await complete(id);
    const whole = await logOf(server, id);
    for (const [position, stream] of streams.entries()) {
      expect(await endOf(stream)).toBe('complete');
      expect(idsOf(stream)).toEqual(whole.slice(position + 1));
    }
    expect(await endOf(live)).toBe('complete');
    expect(live.events.map(({ type }) => type)).toEqual(['COMPLETED']);
    const over = watch(id, whole.at(-1));
    expect(await endOf(over)).toBe('complete');
    expect(over.events).toEqual([]);
  });

  it('50 writers at once leave no gap and nothing twice in any of 20 streams', async () => {
    const id = await startExecution(server, analyst.token);
    const streams = Array.from({ length: 20 }, () => watch(id));
    await until(() => streams.every(({ events }) => events.length === 2), 'the beginnings');
    await Promise.all(Array.from({ length: 50 }, (_, n) => report(server, analyst.token, id, n)));
    await complete(id);
    await Promise.all(streams.map((stream) => endOf(stream)));
    const log = await logOf(server, id);
    expect(log).toHaveLength(53);
    for (const stream of streams) expect(idsOf(stream)).toEqual(log);
  });

  it('RESULTS_ADDED brings at most 100 results of the batch, and the counts', async () => {
    const id = await startExecution(server, analyst.token);
    const query = `subscription($executionId: ID!) { live: executionEvents(executionId: $executionId) {
      ${eventFields} results { title severity } execution { severityCounts { high total } } } }`;
    const stream = subscribe(transport, server.url, viewer.token, { query, variables: { executionId: id } });
    const batch = (size: number, from: number) =>
      Array.from({ length: size }, (_, n) => ({ title: `Finding ${from + n}`, severity: 'HIGH' }));
    await addResults(server, analyst.token, id, batch(150, 0));
    await addResults(server, analyst.token, id, batch(2, 150));
    await complete(id);
    await endOf(stream);
    const added = stream.events.filter(({ type }) => type === 'RESULTS_ADDED') as never as {
      results: { title: string; severity: string }[];
      execution: { severityCounts: { high: number; total: number } };
    }[];
    expect(added.map(({ results }) => results.length)).toEqual([100, 2]);
    expect(added.map(({ execution }) => execution.severityCounts)).toEqual([
      { high: 150, total: 150 },
      { high: 152, total: 152 },
    ]);
    expect(added[1]?.results[0]).toEqual({ title: 'Finding 150', severity: 'HIGH' });
  });

  it('deleting the execution ends the stream', async () => {
    const id = await startExecution(server, analyst.token);
    const stream = watch(id);
    await until(() => stream.events.length === 2, 'the beginning');
    (
      await server.gql('mutation($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id }, analyst.token)
    ).expectData();
    expect(await endOf(stream)).toBe('complete');
    expect(stream.events).toHaveLength(2);
  });

  it('a cursor that is malformed, of another type or of another execution is a fault of `after`', async () => {
    const id = await startExecution(server, analyst.token);
    const [foreign] = await logOf(server, await createExecution(server, analyst.token));
    for (const cursor of ['nonsense', id, foreign, `evt_${crypto.randomUUID()}`]) {
      const stream = watch(id, cursor);
      await until(() => stream.errors.length > 0, `an error for ${cursor}`);
      expect(stream.errors[0]).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path: 'after' }] });
      expect(stream.errors[0]?.correlationId).toEqual(expect.any(String));
      expect(stream.events).toEqual([]);
      await endOf(stream);
    }
  });

  it('an unknown execution is NOT_FOUND', async () => {
    const stream = watch('exe_019a0000-0000-7000-8000-000000000000');
    await endOf(stream);
    expect(stream.errors.map(({ code }) => code)).toEqual(['NOT_FOUND']);
  });

  it('streams that clients leave are closed on the server too, at each moment they may leave', async () => {
    const none = () => until(() => server.services.streams.size() === 0, 'no open stream');
    await none();
    const id = await startExecution(server, analyst.token);
    for (let delay = 0; delay < 20; delay += 1) {
      const stream = watch(id);
      setTimeout(stream.stop, delay);
    }
    const followed = watch(id);
    await until(() => followed.events.length === 2, 'the beginning');
    followed.stop();
    await none();
  });
});
