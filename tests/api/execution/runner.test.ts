// The runner protocol: claiming, leases and how they run out, cancellation, and who may write.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { GqlAnswer } from '../../kit/harness.js';
import { act, follow, report, until, useTwo } from '../../kit/live.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';

const [server, twin] = await useTwo();
const adminToken = await server.signIn();
const creator = await createPerson(server, adminToken, 'ANALYST');
const runner = await createPerson(server, adminToken, 'ANALYST');
const stranger = await createPerson(server, adminToken, 'ANALYST');
const viewer = await createPerson(server, adminToken, 'VIEWER');
beforeEach(() => server.sql('DELETE FROM test_executions'));

const claimMutation = `mutation($input: ClaimExecutionInput!) {
  claimExecution(input: $input) { execution { id status startedAt } }
}`;

function tryClaim(
  input: Record<string, unknown> = {},
  token = runner.token,
  on = server,
): Promise<GqlAnswer> {
  return on.gql(claimMutation, { input: { kinds: ['DAST'], runner: 'box-1', ...input } }, token);
}

async function claim(input: Record<string, unknown> = {}, on = server): Promise<string | undefined> {
  return (await tryClaim(input, runner.token, on)).expectData().claimExecution.execution?.id;
}

interface Row {
  status: string;
  runner: string | null;
  expires: Date | null;
}

async function rowOf(id: string): Promise<Row> {
  const [row] = await server.sql<Row>(
    'SELECT status, runner, lease_expires_at AS expires FROM test_executions WHERE id = $1',
    [id.slice(4)],
  );
  return row as Row;
}

/** Does something that begins a lease of so many seconds, or renews it. */
async function expectLease(id: string, seconds: number, work: () => Promise<unknown>): Promise<void> {
  const before = server.clock.now();
  await work();
  const after = server.clock.now();
  const begun = ((await rowOf(id)).expires?.getTime() ?? 0) - seconds * 1000;
  expect(begun).toBeGreaterThanOrEqual(before);
  expect(begun).toBeLessThanOrEqual(after);
}

const reapUntil = async (id: string, status: string) => {
  await until(async () => {
    await server.services.runners.reap();
    return (await rowOf(id)).status === status;
  }, `${id} to be ${status}`);
};

describe('claiming', () => {
  it('hands out the oldest of the asked kinds, started, and null when nothing waits', async () => {
    const sast = await createExecution(server, creator.token, { kind: 'SAST' });
    const [first, second] = [
      await createExecution(server, creator.token),
      await createExecution(server, creator.token, { kind: 'SCA' }),
    ];
    const answer = (await tryClaim({ kinds: ['SCA', 'DAST'] })).expectData().claimExecution;
    expect(answer.execution).toEqual({ id: first, status: 'RUNNING', startedAt: expect.any(String) });
    expect(await claim({ kinds: ['SCA', 'DAST'] })).toBe(second);
    expect(await claim({ kinds: ['SCA', 'DAST'] })).toBeUndefined();
    expect(await claim({ kinds: ['SAST'] })).toBe(sast);
    const [audit] = await server.sql(
      `SELECT action, changes FROM audit_events WHERE target_id = $1 AND action = 'execution.claim'`,
      [sast.slice(4)],
    );
    expect(audit?.changes).toEqual({ runner: 'box-1', leaseSeconds: 60 });
  });

  it('gives a lease of 60 s unless another is asked for', async () => {
    for (const [leaseSeconds, expected] of [
      [undefined, 60],
      [10, 10],
      [3600, 3600],
    ]) {
      const id = await createExecution(server, creator.token);
      await expectLease(id, expected as number, () => claim({ leaseSeconds }));
      expect(await rowOf(id)).toMatchObject({ status: 'RUNNING', runner: 'box-1' });
    }
  });

  it.each([
    ['leaseSeconds', { leaseSeconds: 9 }],
    ['leaseSeconds', { leaseSeconds: 3601 }],
    ['kinds', { kinds: [] }],
    ['runner', { runner: '' }],
  ])('a wrong %s is VALIDATION_FAILED', async (field, input) => {
    const { extensions } = (await tryClaim(input)).expectError('VALIDATION_FAILED');
    expect(extensions.fields?.[0]?.path).toBe(`input.${field}`);
  });

  it('a viewer claims nothing', async () => {
    (await tryClaim({}, viewer.token)).expectError('FORBIDDEN');
  });

  it('50 runners on two instances racing for 30 executions get each of them once', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => createExecution(server, creator.token)));
    const got = await Promise.all(Array.from({ length: 50 }, (_, n) => claim({}, n % 2 ? server : twin)));
    const claimed = got.filter((id) => id !== undefined);
    expect(new Set(claimed).size).toBe(claimed.length);
    // Who came while all the rest was locked got none; nothing is lost by it.
    for (let id = await claim(); id !== undefined; id = await claim()) claimed.push(id);
    expect([...claimed].sort()).toEqual([...ids].sort());
  });
});

describe('a lease', () => {
  it('is renewed by reports and results', async () => {
    const id = await createExecution(server, creator.token);
    await claim({ leaseSeconds: 100 });
    const shorten = () =>
      server.sql(`UPDATE test_executions SET lease_expires_at = lease_expires_at - interval '60 s'`);
    await shorten();
    await expectLease(id, 100, () => report(server, runner.token, id, 10));
    await shorten();
    await expectLease(id, 100, () => addResults(server, runner.token, id, [{ title: 'A', severity: 'LOW' }]));
  });

  it('that runs out interrupts the run: status, event, audit; and the runner gets an error when it comes back', async () => {
    const id = await createExecution(server, creator.token);
    await claim({ leaseSeconds: 300 });
    const stream = follow('event stream', server, viewer.token, id);
    server.clock.advance(200_000);
    await server.services.runners.reap();
    expect((await rowOf(id)).status).toBe('RUNNING');
    server.clock.advance(101_000);
    await reapUntil(id, 'INTERRUPTED');
    expect(await stream.ended).toBe('complete');
    expect(stream.events.at(-1)).toMatchObject({ type: 'INTERRUPTED', execution: { status: 'INTERRUPTED' } });
    (await report(server, runner.token, id, 50)).expectError('EXECUTION_FINISHED');
    (await act(server, runner.token, 'completeExecution', id)).expectError('EXECUTION_FINISHED');
    const [audit] = await server.sql(
      `SELECT outcome, actor_id, changes FROM audit_events WHERE action = 'execution.interrupt' AND target_id = $1`,
      [id.slice(4)],
    );
    expect(audit).toEqual({
      outcome: 'FAILURE',
      actor_id: null,
      changes: { runner: 'box-1', leaseSeconds: 300 },
    });
  });

  it('that runs out in real time interrupts by itself, and not before', async () => {
    const id = await createExecution(server, creator.token);
    await claim();
    const expires = new Date(server.clock.now() + 1000);
    await server.sql(`UPDATE test_executions SET lease_expires_at = $1`, [expires]);
    await until(async () => (await rowOf(id)).status === 'INTERRUPTED', 'the interruption');
    const [row] = await server.sql<{ at: Date }>(
      `SELECT at FROM execution_events WHERE type = 'INTERRUPTED' AND execution_id = $1`,
      [id.slice(4)],
    );
    expect(row?.at.getTime()).toBeGreaterThanOrEqual(expires.getTime());
  });

  it('that runs out is seen by one of two reapers', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => createExecution(server, creator.token)));
    while ((await claim({ leaseSeconds: 10 })) !== undefined);
    server.clock.advance(11_000);
    twin.clock.advance(11_000);
    const reap = () => Promise.all([server, twin].map(({ services }) => services.runners.reap()));
    await until(async () => {
      await reap();
      return (await Promise.all(ids.map(rowOf))).every(({ status }) => status === 'INTERRUPTED');
    }, 'all interruptions');
    const events = await server.sql(`SELECT execution_id FROM execution_events WHERE type = 'INTERRUPTED'`);
    expect(events).toHaveLength(5);
  });

  it('of a run started by hand lasts a day, or as long as its starter asks for', async () => {
    const id = await startExecution(server, creator.token);
    await report(server, creator.token, id, 10);
    const { status, runner, expires } = await rowOf(id);
    expect({ status, runner }).toEqual({ status: 'RUNNING', runner: null });
    const seconds = (Date.parse(String(expires)) - server.clock.now()) / 1000;
    expect(Math.round(seconds / 3600)).toBe(24);
    const short = await createExecution(server, creator.token);
    (
      await server.gql(
        'mutation($id: ID!) { startExecution(id: $id, leaseSeconds: 10) { execution { id } } }',
        { id: short },
        creator.token,
      )
    ).expectData();
    server.clock.advance(11_000);
    expect(await server.services.runners.reap()).toBe(1);
    expect(await rowOf(short)).toMatchObject({ status: 'INTERRUPTED' });
    expect(await rowOf(id)).toMatchObject({ status: 'RUNNING' });
  });
});

describe('a claimed run', () => {
  it('is written to by its runner, its creator and admins, and by nobody else', async () => {
    const id = await createExecution(server, creator.token);
    (await report(server, runner.token, id, 10)).expectError('FORBIDDEN');
    await claim();
    (await report(server, stranger.token, id, 10)).expectError('FORBIDDEN');
    (await report(server, viewer.token, id, 10)).expectError('FORBIDDEN');
    for (const token of [runner.token, creator.token, adminToken])
      expect((await report(server, token, id, 10)).expectData().reportProgress.execution.status).toBe(
        'RUNNING',
      );
    expect((await act(server, runner.token, 'completeExecution', id)).expectData()).toBeDefined();
  });

  it('that is called off tells its runner in the next answer; the runner acknowledges by cancelling too', async () => {
    const id = await createExecution(server, creator.token);
    await claim();
    await act(server, creator.token, 'cancelExecution', id);
    const answer = (await report(server, runner.token, id, 20)).expectData().reportProgress;
    expect(answer.execution.status).toBe('CANCEL_REQUESTED');
    const added = await server.change(
      'addResults',
      { executionId: id, results: [{ title: 'A', severity: 'LOW' }] },
      'execution { status }',
      runner.token,
    );
    expect(added.expectData().addResults.execution.status).toBe('CANCEL_REQUESTED');
    const acknowledged = await act(server, runner.token, 'cancelExecution', id);
    expect(acknowledged.expectData().cancelExecution.execution.status).toBe('CANCELLED');
    (await report(server, runner.token, id, 30)).expectError('EXECUTION_FINISHED');
    expect((await rowOf(id)).expires).toBeNull();
  });

  it('whose runner dies while it is being called off is interrupted', async () => {
    const id = await createExecution(server, creator.token);
    await claim();
    await act(server, creator.token, 'cancelExecution', id);
    await server.sql(`UPDATE test_executions SET lease_expires_at = $1`, [new Date(server.clock.now() - 1)]);
    await reapUntil(id, 'INTERRUPTED');
    expect((await rowOf(id)).status).toBe('INTERRUPTED');
  });
});
