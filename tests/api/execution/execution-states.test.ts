// The life of executions as a whole: the transition table, races, the log of events, and what the database refuses.
import { describe, expect, it } from '@jest/globals';
import { finalStatuses, isFinal, transitions } from '../../../src/features/execution/execution.states.js';
import type { GqlAnswer } from '../../kit/harness.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const analyst = await createPerson(server, await server.signIn(), 'ANALYST');

type Status = keyof typeof transitions | 'QUEUED';
const statuses = ['QUEUED', ...Object.keys(transitions)] as Status[];
const uuidOf = (id: string) => id.slice(4);

/** What a caller can do, and the status that it leads to from each status. */
const actions: Record<string, { call: (id: string) => Promise<GqlAnswer>; to: (from: Status) => Status }> = {
  start: { call: (id) => act('startExecution(id: $id)', id), to: () => 'RUNNING' },
  complete: { call: (id) => act('completeExecution(id: $id)', id), to: () => 'COMPLETED' },
  fail: { call: (id) => act('failExecution(id: $id, errorMessage: "no")', id), to: () => 'FAILED' },
  cancel: {
    call: (id) => act('cancelExecution(id: $id)', id),
    to: (from) => (from === 'RUNNING' ? 'CANCEL_REQUESTED' : 'CANCELLED'),
  },
  'report progress': {
    call: (id) => act('reportProgress(input: { executionId: $id, progress: 30 })', id),
    to: (from) => (from === 'CANCEL_REQUESTED' ? from : 'RUNNING'),
  },
  'add results': {
    call: (id) =>
      act('addResults(input: { executionId: $id, results: [{ title: "A", severity: LOW }] })', id),
    to: (from) => (from === 'CANCEL_REQUESTED' ? from : 'RUNNING'),
  },
};
const duringRun = ['report progress', 'add results'];

/** Whether the table lets the action happen in the status. */
function isLegal(name: string, from: Status): boolean {
  if (duringRun.includes(name)) return from === 'RUNNING' || from === 'CANCEL_REQUESTED';
  const to = actions[name]?.to(from) as keyof typeof transitions;
  return (transitions[to].from as readonly string[]).includes(from);
}

function act(mutation: string, id: string): Promise<GqlAnswer> {
  return server.gql(
    `mutation($id: ID!) { result: ${mutation} { execution { status } } }`,
    { id },
    analyst.token,
  );
}

async function inStatus(status: Status): Promise<string> {
  const id = await createExecution(server, analyst.token);
  await server.sql(
    `UPDATE test_executions SET status = $2::execution_status,
       started_at = CASE WHEN $2 <> 'QUEUED' THEN created_at END,
       finished_at = CASE WHEN $3 THEN created_at END WHERE id = $1`,
    [uuidOf(id), status, finalStatuses.includes(status)],
  );
  return id;
}

async function stored(id: string): Promise<unknown[]> {
  const uuid = uuidOf(id);
  return [
    // Without what the meeting with the findings writes, which follows each end.
    await server.sql(
      `SELECT to_jsonb(row) - 'run_number' - 'scan_branch_id' AS row FROM test_executions AS row WHERE id = $1`,
      [uuid],
    ),
    await server.sql('SELECT * FROM execution_events WHERE execution_id = $1 ORDER BY number', [uuid]),
    await server.sql('SELECT id, severity FROM test_results WHERE execution_id = $1', [uuid]),
    await server.sql('SELECT * FROM audit_events WHERE target_id = $1', [uuid]),
  ];
}

describe('the transition table', () => {
  it('names every status but QUEUED as a target, and final ones lead nowhere', () => {
    const sources = new Set(Object.values(transitions).flatMap(({ from }) => from as readonly string[]));
    expect([...finalStatuses].filter((status) => sources.has(status))).toEqual([]);
    expect(statuses.filter((status) => !isFinal(status))).toEqual(['QUEUED', 'RUNNING', 'CANCEL_REQUESTED']);
    expect(sources).toEqual(new Set(['QUEUED', 'RUNNING', 'CANCEL_REQUESTED']));
  });

  for (const [name, { call, to }] of Object.entries(actions)) {
    for (const status of statuses) {
      if (isLegal(name, status)) {
        it(`lets ${name} lead from ${status} to ${to(status)}`, async () => {
          const answer = await call(await inStatus(status));
          expect(answer.expectData().result.execution.status).toBe(to(status));
        });
      } else {
        const code = isFinal(status) ? 'EXECUTION_FINISHED' : 'CONFLICT';
        it(`refuses to ${name} in ${status} with ${code} and writes nothing`, async () => {
          const id = await inStatus(status);
          const before = await stored(id);
          expect((await call(id)).expectError(code).message).toContain(status);
          expect(await stored(id)).toEqual(before);
        });
      }
    }
  }
});

describe('races', () => {
  it.each([
    ['complete', startExecution, 'COMPLETED'],
    ['start', createExecution, 'RUNNING'],
    ['cancel', createExecution, 'CANCELLED'],
  ] as const)('lets exactly one of ten parallel calls to %s win', async (name, make, status) => {
    const id = await make(server, analyst.token);
    const answers = await Promise.all(Array.from({ length: 10 }, () => actions[name]?.call(id)));
    const won = answers.filter((answer) => answer?.body.errors === undefined);
    expect(won.map((answer) => answer?.body.data.result.execution.status)).toEqual([status]);
    const lost = answers
      .flatMap((answer) => answer?.body.errors ?? [])
      .map(({ extensions }) => extensions.code);
    expect(lost).toHaveLength(9);
    expect(lost.filter((code) => code !== 'CONFLICT' && code !== 'EXECUTION_FINISHED')).toEqual([]);
    const events = await server.sql('SELECT 1 FROM execution_events WHERE execution_id = $1 AND type = $2', [
      uuidOf(id),
      status === 'RUNNING' ? 'STARTED' : status,
    ]);
    expect(events).toHaveLength(1);
  });

  it('ends in one state, once, when it is completed, failed and cancelled at the same time', async () => {
    for (let round = 0; round < 5; round += 1) {
      const id = await startExecution(server, analyst.token);
      const names = ['complete', 'fail', 'cancel', 'report progress', 'add results'];
      await Promise.all(names.map((name) => actions[name]?.call(id)));
      const events = await server.sql<{ type: string; number: number }>(
        'SELECT type, number FROM execution_events WHERE execution_id = $1 ORDER BY number',
        [uuidOf(id)],
      );
      expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
      const ends = events.filter(({ type }) => (finalStatuses as string[]).includes(type));
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends.length === 1) expect(events.at(-1)).toEqual(ends[0]);
    }
  });
});

describe('the log of an execution', () => {
  it('numbers every change without a gap, with what the execution was then', async () => {
    const id = await startExecution(server, analyst.token);
    await act('reportProgress(input: { executionId: $id, progress: 30, phase: "spider" })', id);
    await addResults(server, analyst.token, id, [
      { title: 'A', severity: 'LOW' },
      { title: 'B', severity: 'HIGH' },
    ]);
    await act('startExecution(id: $id)', id); // refused: leaves no number behind
    await act('cancelExecution(id: $id)', id);
    await act('failExecution(id: $id, errorMessage: "stopped")', id);
    const events = await server.sql<{ number: number; type: string; snapshot: object; result_ids: string[] }>(
      'SELECT number, type, snapshot, result_ids FROM execution_events WHERE execution_id = $1 ORDER BY number',
      [uuidOf(id)],
    );
    expect(events.map(({ number, type }) => `${number} ${type}`)).toEqual([
      ...['1 CREATED', '2 STARTED', '3 PROGRESS', '4 RESULTS_ADDED', '5 CANCEL_REQUESTED', '6 FAILED'],
    ]);
    const none = { infoCount: 0, lowCount: 0, mediumCount: 0, highCount: 0, criticalCount: 0 };
    expect(events[0]?.snapshot).toEqual({
      ...{ status: 'QUEUED', progress: 0, phase: null, errorMessage: null },
      ...{ startedAt: null, finishedAt: null, ...none },
    });
    expect(events[2]?.snapshot).toMatchObject({ status: 'RUNNING', progress: 30, phase: 'spider', ...none });
    expect(events[3]?.snapshot).toMatchObject({ ...none, lowCount: 1, highCount: 1 });
    expect(events[3]?.result_ids).toHaveLength(2);
    expect(events[5]?.snapshot).toMatchObject({
      ...{ status: 'FAILED', errorMessage: 'stopped', progress: 30, phase: 'spider', lowCount: 1 },
      finishedAt: expect.any(String),
    });
  });

  it('is written in the change’s own transaction: where it cannot be, nothing happens', async () => {
    const id = await startExecution(server, analyst.token);
    await server.sql(
      `INSERT INTO execution_events (id, execution_id, number, type, at, snapshot)
       VALUES (gen_random_uuid(), $1, 3, 'PROGRESS', now(), '{}')`,
      [uuidOf(id)],
    );
    const before = await stored(id);
    for (const name of ['complete', 'report progress', 'add results']) {
      (await actions[name]?.call(id))?.expectError('INTERNAL');
      expect(await stored(id)).toEqual(before);
    }
  });

  it('is numbered without a gap by twenty parallel reports', async () => {
    const id = await startExecution(server, analyst.token);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        act(`reportProgress(input: { executionId: $id, progress: ${index * 5} })`, id),
      ),
    );
    const events = await server.sql<{ number: number; snapshot: { progress: number } }>(
      'SELECT number, snapshot FROM execution_events WHERE execution_id = $1 ORDER BY number',
      [uuidOf(id)],
    );
    expect(events.map(({ number }) => number)).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
    const progress = events.map(({ snapshot }) => snapshot.progress);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(95);
  });
});

describe('the database', () => {
  it.each([
    ['progress above 100', 'progress = 101'],
    ['progress below 0', 'progress = -1'],
    ['an end without a final status', 'finished_at = now()'],
    ['a final status without an end', "status = 'COMPLETED'"],
    ['a run that never started', 'started_at = NULL'],
    ['a status that is none', "status = 'DONE'"],
    ['a kind that is none', "kind = 'PENTEST'"],
    ['negative counts', 'critical_count = -1'],
    ['a lease of five seconds', 'lease_seconds = 5'],
    ['huge parameters', "parameters = jsonb_build_object('a', repeat('x', 131073))"],
    ['a creator that is none', 'created_by_id = gen_random_uuid()'],
    ['no name', 'name = NULL'],
  ])('refuses an execution with %s', async (_fault, assignment) => {
    const id = await startExecution(server, analyst.token);
    await expect(
      server.sql(`UPDATE test_executions SET ${assignment} WHERE id = $1`, [uuidOf(id)]),
    ).rejects.toThrow(/violates|invalid input value/);
  });

  it.each([
    ['a CVSS score above 10', 'cvss_score = 11'],
    ['a CVSS score below 0', 'cvss_score = -0.1'],
    ['a severity above CRITICAL', 'severity = 5'],
    ['a severity below INFO', 'severity = -1'],
    ['an empty title', "title = ''"],
    ['a title of 501 characters', "title = repeat('x', 501)"],
    ['an execution that is none', 'execution_id = gen_random_uuid()'],
    [
      'the content of another',
      "content_key = (SELECT content_key FROM test_results WHERE fingerprint = 'taken' AND execution_id = $1)",
    ],
  ])('refuses a result with %s', async (_fault, assignment) => {
    const id = await startExecution(server, analyst.token);
    await addResults(server, analyst.token, id, [
      { title: 'A', severity: 'LOW', fingerprint: 'taken' },
      { title: 'B', severity: 'LOW', fingerprint: 'free' },
    ]);
    const change = `UPDATE test_results SET ${assignment} WHERE execution_id = $1 AND fingerprint = 'free'`;
    await expect(server.sql(change, [uuidOf(id)])).rejects.toThrow(/violates/);
  });

  it('refuses an idempotency key, a batch key and an event number twice', async () => {
    const id = await startExecution(server, analyst.token, { idempotencyKey: 'mine' });
    await addResults(server, analyst.token, id, [{ title: 'A', severity: 'LOW' }], 'batch');
    const [execution, user] = [uuidOf(id), uuidOf(analyst.id)];
    for (const [text, values] of [
      [
        `INSERT INTO test_executions (id, name, target, kind, created_at, created_by_id, idempotency_key)
         VALUES (gen_random_uuid(), 'n', 't', 'DAST', now(), $1, 'mine')`,
        [user],
      ],
      [`INSERT INTO result_batches SELECT * FROM result_batches WHERE execution_id = $1`, [execution]],
      [
        `INSERT INTO execution_events SELECT gen_random_uuid(), execution_id, number, type, at, snapshot, result_ids
         FROM execution_events WHERE execution_id = $1`,
        [execution],
      ],
    ] as const) {
      await expect(server.sql(text, [...values])).rejects.toThrow(/duplicate key/);
    }
  });
});
