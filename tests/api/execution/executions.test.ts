// Executions one by one: creating, reporting, ending, repeating.
import { describe, expect, it } from '@jest/globals';
import type { GqlAnswer } from '../../kit/harness.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const other = await createPerson(server, adminToken, 'ANALYST');

const fields = `id name target kind status progress phase parameters tool toolVersion branch commitSha errorMessage
  severityCounts { info low medium high critical total } createdBy { id } rerunOf { id } createdAt startedAt finishedAt`;
const missing = 'exe_0199a5a0-0000-7000-8000-000000000000';
const noResults = { info: 0, low: 0, medium: 0, high: 0, critical: 0, total: 0 };
const full = {
  name: 'Nightly scan',
  target: 'https://shop.test/',
  kind: 'DAST',
  parameters: { depth: 3, paths: ['/a', '/b'], login: { user: null, isOn: true }, ratio: 0.25 },
  tool: 'zap',
  toolVersion: '2.16.0',
  branch: 'main',
  commitSha: '0123456789abcdef',
};

function create(input: Record<string, unknown>, token = analyst.token): Promise<GqlAnswer> {
  return server.change(
    'createExecution',
    { name: 'Scan', target: 'https://target.test', kind: 'DAST', ...input },
    `execution { ${fields} }`,
    token,
  );
}

/** A mutation that takes an execution's id alone. */
function act(mutation: string, id: string, token = analyst.token): Promise<GqlAnswer> {
  const more = mutation === 'failExecution' ? ', errorMessage: "out of luck"' : '';
  const selection = mutation === 'deleteExecution' ? 'deletedId' : `execution { ${fields} }`;
  return server.gql(
    `mutation($id: ID!) { result: ${mutation}(id: $id${more}) { ${selection} } }`,
    { id },
    token,
  );
}

function report(executionId: string, progress: unknown, phase?: string | null, token = analyst.token) {
  return server.change(
    'reportProgress',
    { executionId, progress, phase },
    'execution { status progress phase }',
    token,
  );
}

async function read(id: string): Promise<Record<string, unknown>> {
  const answer = await server.gql(`query($id: ID!) { execution(id: $id) { ${fields} } }`, { id }, adminToken);
  return answer.expectData().execution;
}

const uuidOf = (id: string) => id.slice(4);

describe('creating an execution', () => {
  it('keeps every field that is given and answers what a read answers', async () => {
    const created = (await create(full)).expectData().createExecution.execution;
    expect(created).toEqual({
      ...full,
      id: expect.stringMatching(/^exe_[0-9a-f-]{36}$/),
      ...{ status: 'QUEUED', progress: 0, phase: null, errorMessage: null, severityCounts: noResults },
      createdBy: { id: analyst.id },
      rerunOf: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      ...{ startedAt: null, finishedAt: null },
    });
    expect(await read(created.id)).toEqual(created);
  });

  it('leaves out what is not given or null', async () => {
    const created = (await create({ tool: null })).expectData().createExecution.execution;
    expect(created).toMatchObject({ parameters: {}, tool: null, toolVersion: null, branch: null });
    expect(created.commitSha).toBeNull();
  });

  it('stores a commit in lower case, and finds it in any', async () => {
    const sha = 'ABCDEF0123456789ABCDEF0123456789ABCDEF01';
    const { id, commitSha } = (await create({ commitSha: sha })).expectData().createExecution.execution;
    expect(commitSha).toBe(sha.toLowerCase());
    for (const given of [sha, sha.toLowerCase()]) {
      const found = await server.gql(
        'query($commitSha: String) { executions(filter: { commitSha: $commitSha }) { nodes { id } } }',
        { commitSha: given },
        analyst.token,
      );
      expect(found.expectData().executions.nodes).toEqual([{ id }]);
    }
  });

  it('trims names and normalises them to NFC', async () => {
    const created = (await create({ name: '  Cafe\u0301 \u{1F50E} 検査 ' })).expectData();
    expect(created.createExecution.execution.name).toBe('Caf\u00e9 \u{1F50E} 検査');
  });

  it('takes names and targets up to their limits and refuses longer and empty ones', async () => {
    (await create({ name: 'n'.repeat(200), target: 't'.repeat(2000) })).expectData();
    for (const [input, path] of [
      [{ name: 'n'.repeat(201) }, 'input.name'],
      [{ name: '   ' }, 'input.name'],
      [{ target: 't'.repeat(2001) }, 'input.target'],
      [{ target: '' }, 'input.target'],
      [{ commitSha: 'main' }, 'input.commitSha'],
      [{ idempotencyKey: '' }, 'input.idempotencyKey'],
      [{ branch: 'a\nb' }, 'input.branch'],
      [{ kind: 'PENTEST' }, 'input.kind'],
      [{ nonsense: 1 }, 'input.nonsense'],
    ] as const) {
      const error = (await create(input)).expectError('VALIDATION_FAILED');
      expect(error.extensions.fields?.[0]).toEqual(expect.objectContaining({ path }));
    }
  });

  it('takes targets up to 2,000 bytes, which is what the index on them has room for', async () => {
    const letters = Array.from({ length: 667 }, (_, index) => 0x4e00 + ((index * 7919) % 20_000));
    const tooLong = String.fromCodePoint(...letters);
    const error = (await create({ target: tooLong })).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toEqual([
      { path: 'input.target', message: 'must have at most 2000 bytes' },
    ]);
    const target = tooLong.slice(1);
    const created = (await create({ target })).expectData().createExecution.execution;
    expect(created.target).toBe(target);
  });

  it('names every faulty field at once', async () => {
    const error = (await create({ name: '', target: '', commitSha: 'x' })).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields?.map(({ path }) => path)).toEqual([
      'input.name',
      'input.target',
      'input.commitSha',
    ]);
  });

  it('gives the same execution for the same idempotency key, and each creator an own one', async () => {
    const first = (await create({ idempotencyKey: 'ci-1' })).expectData().createExecution.execution;
    const again = (await create({ idempotencyKey: 'ci-1' })).expectData().createExecution.execution;
    expect(again).toEqual(first);
    const others = (await create({ idempotencyKey: 'ci-1' }, other.token)).expectData();
    expect(others.createExecution.execution.id).not.toBe(first.id);
  });

  it('gives one execution to ten parallel calls with one idempotency key, logged and audited once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => create({ idempotencyKey: 'parallel' })),
    );
    const ids = new Set(answers.map((answer) => answer.expectData().createExecution.execution.id as string));
    expect(ids.size).toBe(1);
    const uuid = uuidOf([...ids][0] as string);
    const events = await server.sql('SELECT type FROM execution_events WHERE execution_id = $1', [uuid]);
    const audits = await server.sql('SELECT action FROM audit_events WHERE target_id = $1', [uuid]);
    expect([events, audits]).toEqual([[{ type: 'CREATED' }], [{ action: 'execution.create' }]]);
  });
});

describe('running an execution', () => {
  it('starts, reports, completes and says when', async () => {
    const id = await createExecution(server, analyst.token);
    const started = (await act('startExecution', id)).expectData().result.execution;
    expect(started).toMatchObject({ status: 'RUNNING', progress: 0, startedAt: expect.any(String) });
    expect((await report(id, 40, 'crawling')).expectData().reportProgress.execution).toEqual({
      ...{ status: 'RUNNING', progress: 40, phase: 'crawling' },
    });
    const completed = (await act('completeExecution', id)).expectData().result.execution;
    expect(completed).toMatchObject({ status: 'COMPLETED', progress: 100, finishedAt: expect.any(String) });
    expect(await read(id)).toEqual(completed);
  });

  it('never lets the progress go back, and keeps the phase that is not given', async () => {
    const id = await startExecution(server, analyst.token);
    await report(id, 60, 'attacking');
    const later = [await report(id, 10), await report(id, 60, null), await report(id, 0, 'cleaning up')];
    expect(later.map((answer) => answer.expectData().reportProgress.execution)).toEqual([
      { status: 'RUNNING', progress: 60, phase: 'attacking' },
      { status: 'RUNNING', progress: 60, phase: 'attacking' },
      { status: 'RUNNING', progress: 60, phase: 'cleaning up' },
    ]);
  });

  it('takes no progress before the start, after the end or out of range', async () => {
    const id = await createExecution(server, analyst.token);
    (await report(id, 5)).expectError('CONFLICT');
    await act('startExecution', id);
    for (const progress of [-1, 101, 1.5, '50', 2 ** 31, null]) {
      const { fields: faults } = (await report(id, progress)).expectError('VALIDATION_FAILED').extensions;
      expect(faults).toEqual([expect.objectContaining({ path: 'input.progress' })]);
    }
    await act('completeExecution', id);
    (await report(id, 5)).expectError('EXECUTION_FINISHED');
  });

  it('fails with a message, from the queue too', async () => {
    for (const make of [createExecution, startExecution]) {
      const id = await make(server, analyst.token);
      const failed = (await act('failExecution', id)).expectData().result.execution;
      expect(failed).toMatchObject({
        status: 'FAILED',
        errorMessage: 'out of luck',
        finishedAt: expect.any(String),
      });
    }
  });

  it('takes a long message of many emoji, and refuses an empty or too long one', async () => {
    const fail = (id: string, errorMessage: string) =>
      server.gql(
        'mutation($id: ID!, $errorMessage: String!) { failExecution(id: $id, errorMessage: $errorMessage) { execution { errorMessage } } }',
        { id, errorMessage },
        analyst.token,
      );
    const id = await startExecution(server, analyst.token);
    for (const text of ['', 'x'.repeat(10_001), 'a\0b', '\ud83d']) {
      const { fields: faults } = (await fail(id, text)).expectError('VALIDATION_FAILED').extensions;
      expect(faults).toEqual([expect.objectContaining({ path: 'errorMessage' })]);
    }
    const message = `x${'\u{1F4A5}'.repeat(1000)}\n\tat line 1`;
    expect((await fail(id, message)).expectData().failExecution.execution.errorMessage).toBe(message);
  });

  it('cancels a waiting one at once and a running one in two calls', async () => {
    const waiting = await createExecution(server, analyst.token);
    const cancelled = (await act('cancelExecution', waiting)).expectData().result.execution;
    expect(cancelled).toMatchObject({ status: 'CANCELLED', startedAt: null, finishedAt: expect.any(String) });

    const running = await startExecution(server, analyst.token);
    const asked = (await act('cancelExecution', running)).expectData().result.execution;
    expect(asked).toMatchObject({ status: 'CANCEL_REQUESTED', finishedAt: null });
    const told = (await report(running, 70)).expectData().reportProgress.execution;
    expect(told).toMatchObject({ status: 'CANCEL_REQUESTED', progress: 70 });
    const ended = (await act('cancelExecution', running)).expectData().result.execution;
    expect(ended).toMatchObject({ status: 'CANCELLED', progress: 70, finishedAt: expect.any(String) });
    (await act('cancelExecution', running)).expectError('EXECUTION_FINISHED');
  });

  it('answers NOT_FOUND for an id that is not there and VALIDATION_FAILED for what is no execution’s id', async () => {
    for (const mutation of [
      ...['startExecution', 'completeExecution', 'failExecution'],
      ...['cancelExecution', 'rerunExecution', 'deleteExecution'],
    ]) {
      expect((await act(mutation, missing)).expectError('NOT_FOUND').path).toEqual(['result']);
      for (const id of ['', 'nonsense', analyst.id, missing.toUpperCase()]) {
        const { fields: faults } = (await act(mutation, id)).expectError('VALIDATION_FAILED').extensions;
        expect(faults).toEqual([expect.objectContaining({ path: 'id' })]);
      }
    }
  });
});

describe('repeating an execution', () => {
  it('makes a waiting one with the same settings, which points to the old one', async () => {
    const old = (await create({ ...full, idempotencyKey: 'once' })).expectData().createExecution.execution;
    await act('startExecution', old.id);
    await addResults(server, analyst.token, old.id, [{ title: 'Finding', severity: 'HIGH' }]);
    await act('completeExecution', old.id);
    const next = (await act('rerunExecution', old.id, other.token)).expectData().result.execution;
    expect(next).toMatchObject({ ...full, status: 'QUEUED', progress: 0, severityCounts: noResults });
    expect(next).toMatchObject({ createdBy: { id: other.id }, rerunOf: { id: old.id }, startedAt: null });
    const twice = (await act('rerunExecution', old.id, other.token)).expectData().result.execution;
    expect(twice.id).not.toBe(next.id);
  });

  it('stays when the old one is deleted', async () => {
    const old = await createExecution(server, analyst.token);
    const next = (await act('rerunExecution', old)).expectData().result.execution;
    (await act('deleteExecution', old)).expectData();
    expect(await read(next.id)).toEqual({ ...next, rerunOf: null });
  });
});

describe('several changes in one request', () => {
  it('show in each answer what is true after that change, over each path', async () => {
    const id = await startExecution(server, analyst.token);
    await addResults(server, analyst.token, id, [{ title: 'Finding', severity: 'LOW' }]);
    const seen = 'execution { status results { nodes { execution { status } } } }';
    const answer = await server.gql(
      `mutation($id: ID!) {
         first: cancelExecution(id: $id) { ${seen} }
         second: completeExecution(id: $id) { ${seen} }
       }`,
      { id },
      analyst.token,
    );
    const view = (status: string) => ({
      execution: { status, results: { nodes: [{ execution: { status } }] } },
    });
    expect(answer.expectData()).toEqual({ first: view('CANCEL_REQUESTED'), second: view('COMPLETED') });
  });
});
