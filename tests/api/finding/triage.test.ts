// Decisions about findings: by id and by filter, what they need, what they leave in history, audit and counters, and their end.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { countFaults, insertBranch, insertFinding, insertProject, insertRun } from '../../kit/findings.js';
import { until } from '../../kit/live.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

/** One of each severity, INFO first. */
let ids: string[];

const server = await useServer();
let admin = await server.signIn();
const analyst = await createPerson(server, admin, 'ANALYST');
const viewer = await createPerson(server, admin, 'VIEWER');
const branch = await insertBranch(server, { target: 'shop' });
const run = await insertRun(server, branch, new Date());
beforeEach(async () => {
  await server.sql('DELETE FROM findings');
  await server.sql('DELETE FROM test_results');
  ids = [];
  for (let severity = 0; severity < 5; severity += 1)
    ids.push(await insertFinding(server, { branch, executionId: run, severity, ruleId: `r${severity}` }));
});

const mutation = `mutation($input: TriageFindingsInput!) {
  triageFindings(input: $input) { matched changed counts { info low medium high critical total } }
}`;
const request = (input: object, token = analyst.token) => server.gql(mutation, { input }, token);
const triage = async (input: object, token?: string) =>
  (await request(input, token)).expectData().triageFindings;

async function read(id = '', fields = '') {
  const text = `query($id: ID!) { finding(id: $id) {
    triage triageReason triageComment acceptedUntil severity reportedSeverity severityOverride dueAt assignee { id }
    history { at actor { id } actorLabel from to severityFrom severityTo reason comment } ${fields}
  } }`;
  return (await server.gql(text, { id }, admin)).expectData().finding;
}

const inDays = (days: number) => new Date(server.clock.now() + days * 86_400_000).toISOString();

describe('a decision', () => {
  it('changes the findings with these ids, and stands in their history', async () => {
    const outcome = await triage({ ids: [ids[3], ids[4]], state: 'CONFIRMED', comment: 'Seen by hand.' });
    expect(outcome).toMatchObject({ matched: 2, changed: 2, counts: { high: 1, critical: 1, total: 2 } });
    const found = await read(ids[3]);
    expect(found).toMatchObject({ triage: 'CONFIRMED', triageReason: null, triageComment: 'Seen by hand.' });
    expect(found.history).toMatchObject([
      {
        actor: { id: analyst.id },
        actorLabel: analyst.email,
        from: 'OPEN',
        to: 'CONFIRMED',
        comment: 'Seen by hand.',
      },
    ]);
    expect((await read(ids[0])).triage).toBe('OPEN');
    expect(await countFaults(server)).toEqual([]);
  });

  it('changes the findings of a filter, and leaves the others alone', async () => {
    const outcome = await triage({
      filter: { severity: ['INFO', 'LOW'], target: 'shop' },
      ...{ state: 'FALSE_POSITIVE', reason: 'Test code' },
    });
    expect(outcome).toMatchObject({ matched: 2, changed: 2, counts: { info: 1, low: 1, total: 2 } });
    const list = await server.gql(
      '{ findings(filter: { triage: [FALSE_POSITIVE] }) { totalCount } }',
      {},
      viewer.token,
    );
    expect(list.expectData().findings.totalCount).toBe(2);
    expect(await countFaults(server)).toEqual([]);
  });

  it('changes nothing in a dry run, and says what it would change', async () => {
    await triage({ ids: [ids[0]], state: 'CONFIRMED' });
    const input = { filter: {}, state: 'CONFIRMED', dryRun: true };
    expect(await triage(input)).toMatchObject({ matched: 5, changed: 4, counts: { total: 5, high: 1 } });
    expect((await read(ids[1])).triage).toBe('OPEN');
    const events = await server.sql<{ count: number }>('SELECT count(*)::int AS count FROM triage_events');
    expect(events).toEqual([{ count: 1 }]);
  });

  it('counts severities as they are after it', async () => {
    const input = { ids: [ids[0]], severityOverride: 'CRITICAL' };
    for (const dryRun of [true, false])
      expect((await triage({ ...input, dryRun })).counts).toMatchObject({ info: 0, critical: 1, total: 1 });
    expect(await read(ids[0])).toMatchObject({
      ...{ severity: 'CRITICAL', reportedSeverity: 'INFO', severityOverride: 'CRITICAL', triage: 'OPEN' },
      history: [{ severityFrom: 'INFO', severityTo: 'CRITICAL', from: null, to: null }],
    });
    await triage({ ids: [ids[0]], severityOverride: null });
    expect(await read(ids[0])).toMatchObject({ severity: 'INFO', severityOverride: null });
    expect(await countFaults(server)).toEqual([]);
  });

  it('repeated changes nothing', async () => {
    await triage({ ids, state: 'RESOLVED' });
    expect(await triage({ ids, state: 'RESOLVED' })).toMatchObject({ matched: 5, changed: 0 });
    expect((await read(ids[0])).history).toHaveLength(1);
  });

  it('assigns findings and takes them back', async () => {
    await triage({ ids: [ids[2]], assigneeId: viewer.id });
    expect((await read(ids[2])).assignee).toEqual({ id: viewer.id });
    await triage({ ids: [ids[2]], assigneeId: null });
    expect((await read(ids[2])).assignee).toBeNull();
    const error = (
      await request({ ids: [ids[2]], assigneeId: 'usr_0199a5a0-0000-7000-8000-000000000000' })
    ).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toMatchObject([{ path: 'input.assigneeId' }]);
  });

  it('keeps due dates by the severity that counts', async () => {
    await server.sql('UPDATE projects SET days_critical = 7, days_low = 30');
    const since = async () => {
      const { dueAt, firstSeenAt } = await read(ids[1], 'firstSeenAt');
      return dueAt === null ? null : (Date.parse(dueAt) - Date.parse(firstSeenAt)) / 86_400_000;
    };
    await triage({ ids: [ids[1]], severityOverride: 'CRITICAL' });
    expect(await since()).toBe(7);
    await triage({ ids: [ids[1]], severityOverride: 'MEDIUM' });
    expect(await since()).toBeNull();
    await triage({ ids: [ids[1]], severityOverride: null });
    expect(await since()).toBe(30);
    await server.sql('UPDATE projects SET days_critical = NULL, days_low = NULL');
  });

  it('is audited with its filter and numbers', async () => {
    await triage({ filter: { ruleId: 'r4' }, state: 'CONFIRMED' });
    const text =
      '{ auditEvents(first: 1, filter: { action: "finding.triage" }) { nodes { actor { id } changes } } }';
    const [event] = (await server.gql(text, {}, admin)).expectData().auditEvents.nodes;
    expect(event).toMatchObject({
      actor: { id: analyst.id },
      changes: { filter: { ruleId: 'r4' }, state: 'CONFIRMED', matched: 1, changed: 1, CRITICAL: 1 },
    });
  });
});

describe('decisions about many findings', () => {
  const many = 10_000;
  /** Copies of one finding, without the results that nobody asks for here. */
  async function multiply() {
    const columns = (
      await server.sql<{ name: string }>(
        `SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'findings' AND column_name <> 'id'`,
      )
    ).map(({ name }) => `"${name}"`);
    await server.sql(
      `INSERT INTO findings (id, ${columns}) SELECT gen_random_uuid(), ${columns} FROM findings, generate_series(1, ${many}) WHERE id = $1`,
      [ids[3]?.slice(4)],
    );
  }
  const bySeverity = { info: 1, low: 1, medium: 1, high: many + 1, critical: 1, total: many + 5 };

  it('by filter and by ids change all of them, with a history of each and right counters', async () => {
    await multiply();
    const decision = { filter: { project: 'default' }, state: 'FALSE_POSITIVE', reason: 'Test code' };
    for (const dryRun of [true, false])
      expect(await triage({ ...decision, dryRun })).toEqual({
        matched: many + 5,
        changed: many + 5,
        counts: bySeverity,
      });
    const all = await server.sql<{ id: string }>(
      `SELECT 'fnd_' || finding_id AS id FROM triage_events WHERE "to" = 'FALSE_POSITIVE' AND reason = 'Test code'`,
    );
    expect(new Set(all.map(({ id }) => id)).size).toBe(many + 5);
    expect(await triage({ ids: all.map(({ id }) => id), state: 'CONFIRMED' })).toMatchObject({
      changed: many + 5,
    });
    expect(await countFaults(server)).toEqual([]);
    const counted = await server.gql(
      '{ findings(filter: { triage: [CONFIRMED] }) { totalCount } }',
      {},
      viewer.token,
    );
    expect(counted.expectData().findings.totalCount).toBe(many + 5);
  });

  it('at the same time overwrite nothing that they did not expect', async () => {
    await multiply();
    const states = ['CONFIRMED', 'RESOLVED'];
    const answers = await Promise.all(
      [...states, ...states].map((state) => request({ filter: {}, state, expectedState: ['OPEN'] })),
    );
    const codes = answers.map(({ body }) => body.errors?.[0]?.extensions.code ?? 'done').sort();
    expect(codes).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT', 'done']);
    const left = await server.sql('SELECT triage, count(*)::int FROM findings GROUP BY triage');
    expect(left).toMatchObject([{ count: many + 5 }]);
    const events = await server.sql<{ count: number }>('SELECT count(*)::int AS count FROM triage_events');
    expect(events).toEqual([{ count: many + 5 }]);
  });
});

describe('a decision is refused', () => {
  it.each([
    ['without findings', { state: 'OPEN' }, 'ids'],
    ['with ids and filter', { ids: ['x'], filter: {}, state: 'OPEN' }, 'ids'],
    ['that decides nothing', { filter: {} }, 'state'],
    ['without a reason for a false positive', { filter: {}, state: 'FALSE_POSITIVE' }, 'reason'],
    [
      'without a reason for an accepted risk',
      { filter: {}, state: 'RISK_ACCEPTED', acceptedUntil: '2099-01-01T00:00:00Z' },
      'reason',
    ],
    [
      'without an end for an accepted risk',
      { filter: {}, state: 'RISK_ACCEPTED', reason: 'r' },
      'acceptedUntil',
    ],
    [
      'with an end in the past',
      { filter: {}, state: 'RISK_ACCEPTED', reason: 'r', acceptedUntil: '2020-01-01T00:00:00Z' },
      'acceptedUntil',
    ],
    [
      'with an end too far away',
      { filter: {}, state: 'RISK_ACCEPTED', reason: 'r', acceptedUntil: '2099-01-01T00:00:00Z' },
      'acceptedUntil',
    ],
    [
      'with an end for another state',
      { filter: {}, state: 'RESOLVED', acceptedUntil: '2099-01-01T00:00:00Z' },
      'acceptedUntil',
    ],
    ['with a reason but no state', { filter: {}, comment: 'c', reason: 'r' }, 'reason'],
  ])('%s', async (_name, input, field) => {
    const given = 'ids' in input ? { ...input, ids } : input;
    const { extensions } = (await request(given)).expectError('VALIDATION_FAILED');
    expect(extensions.fields?.map(({ path }) => path)).toContain(`input.${field}`);
  });

  it('for more than 100,000 ids', async () => {
    const many = Array.from(
      { length: 100_001 },
      (_, at) => `fnd_0199a5a0-0000-7000-8000-${String(at).padStart(12, '0')}`,
    );
    const refused = (await request({ ids: many, state: 'OPEN' })).expectError('VALIDATION_FAILED');
    expect(refused.message).toContain('at most 100000 ids');
    // One less is an input like any other.
    (await request({ ids: many.slice(1), state: 'OPEN' })).expectError('NOT_FOUND');
  });

  it.each([
    ['RESOLVED', { state: 'RISK_ACCEPTED', reason: 'r', acceptedUntil: '2027-06-01T00:00:00Z' }],
    ['FALSE_POSITIVE', { state: 'RESOLVED' }],
  ])('that would follow %s with a state that may not', async (state, next) => {
    await triage({ ids: [ids[0]], state, reason: state === 'RESOLVED' ? null : 'r' });
    const later = 'acceptedUntil' in next ? { ...next, acceptedUntil: inDays(30) } : next;
    for (const dryRun of [true, false]) {
      const { message } = (await request({ ids, ...later, dryRun })).expectError('CONFLICT');
      expect(message).toContain('1 of 5 findings');
    }
    expect((await read(ids[1])).triage).toBe('OPEN');
    await triage({ ids: [ids[0]], state: 'OPEN' });
    expect(await triage({ ids, ...later })).toMatchObject({ changed: 5 });
  });

  it.each([
    ['an id of another type', { ids: ['prj_00000000-0000-7000-8000-000000000001'] }],
    ['an id that is none', { ids: ["x' OR true --"] }],
    ['no ids', { ids: [] }],
    ['a rule that is no text', { filter: { ruleId: ['a'] } }],
    ['a field that no filter has', { filter: { owner: 'me' } }],
    ['a day that is none', { filter: { firstSeenAfter: '2026-02-30T00:00:00Z' } }],
    ['too many states', { filter: { triage: Array(6).fill('OPEN') } }],
    ['a null byte', { filter: { target: 'shop\u0000' } }],
  ])('for %s', async (_name, input) => {
    (await request({ ...input, state: 'CONFIRMED' })).expectError('VALIDATION_FAILED');
    expect((await read(ids[0])).triage).toBe('OPEN');
  });

  it('for an id that does not exist, and the others stay as they are', async () => {
    const unknown = 'fnd_0199a5a0-0000-7000-8000-000000000000';
    (await request({ ids: [ids[0], unknown], state: 'CONFIRMED' })).expectError('NOT_FOUND');
    expect((await read(ids[0])).triage).toBe('OPEN');
  });

  it('when somebody else has decided meanwhile', async () => {
    await triage({ ids: [ids[0]], state: 'CONFIRMED' });
    (await request({ ids: [ids[0], ids[1]], state: 'RESOLVED', expectedState: ['OPEN'] })).expectError(
      'CONFLICT',
    );
    expect((await read(ids[1])).triage).toBe('OPEN');
    expect(await triage({ ids, state: 'RESOLVED', expectedState: ['OPEN', 'CONFIRMED'] })).toMatchObject({
      changed: 5,
    });
  });

  it('for viewers and anonymous callers', async () => {
    (await request({ ids, state: 'CONFIRMED' }, viewer.token)).expectError('FORBIDDEN');
    (await server.gql(mutation, { input: { ids, state: 'CONFIRMED' } })).expectError('UNAUTHENTICATED');
  });

  it('in a project where the caller only reads, and for one that does not exist for the caller', async () => {
    const projectId = await insertProject(server, `p${Date.now()}`, { visibility: 'PRIVATE' });
    const [project] = await server.sql<{ key: string }>('SELECT key FROM projects WHERE id = $1', [
      projectId,
    ]);
    const own = await insertBranch(server, { projectId, target: 'vault' });
    const id = await insertFinding(server, {
      branch: own,
      executionId: await insertRun(server, own, new Date()),
    });
    const outsider = await createPerson(server, admin, 'ANALYST');
    (await request({ ids: [id], state: 'CONFIRMED' }, outsider.token)).expectError('NOT_FOUND');
    expect(await triage({ filter: { target: 'vault' }, state: 'CONFIRMED' }, outsider.token)).toMatchObject({
      matched: 0,
    });
    const reader = await createPerson(server, admin, 'ANALYST');
    await server.sql(`INSERT INTO project_members VALUES ($1, $2, 'VIEWER', now())`, [
      projectId,
      reader.id.slice(4),
    ]);
    const token = await server.signIn(reader.email, 'plum violin 4482 meadow crane');
    (await request({ ids: [id], state: 'CONFIRMED' }, token)).expectError('FORBIDDEN');
    (await request({ filter: { project: project?.key }, state: 'CONFIRMED' }, token)).expectError(
      'FORBIDDEN',
    );
    expect(await triage({ filter: { target: 'vault' }, state: 'CONFIRMED' }, token)).toMatchObject({
      matched: 0,
    });
  });
});

describe('an accepted risk', () => {
  it('opens by itself when its end has come, with an entry in the history', async () => {
    const acceptedUntil = inDays(30);
    await triage({ ids: [ids[4]], state: 'RISK_ACCEPTED', reason: 'Behind a firewall', acceptedUntil });
    expect(await read(ids[4])).toMatchObject({
      triage: 'RISK_ACCEPTED',
      triageReason: 'Behind a firewall',
      acceptedUntil,
    });
    server.clock.advance(29 * 86_400_000);
    admin = await server.signIn();
    await server.services.findings.expireAcceptances();
    expect((await read(ids[4])).triage).toBe('RISK_ACCEPTED');
    server.clock.advance(2 * 86_400_000);
    admin = await server.signIn();
    await until(async () => (await read(ids[4])).triage === 'OPEN', 'the end of the acceptance');
    const { history, acceptedUntil: end, triageReason } = await read(ids[4]);
    expect({ end, triageReason }).toEqual({ end: null, triageReason: null });
    expect(history[0]).toMatchObject({
      actor: null,
      actorLabel: 'system',
      from: 'RISK_ACCEPTED',
      to: 'OPEN',
    });
    expect(await countFaults(server)).toEqual([]);
  });

  it('may be prolonged, which the history shows', async () => {
    const token = await server.signIn(analyst.email, 'plum violin 4482 meadow crane');
    const accept = (days: number) =>
      triage({ ids: [ids[4]], state: 'RISK_ACCEPTED', reason: 'r', acceptedUntil: inDays(days) }, token);
    await accept(10);
    await accept(20);
    expect((await read(ids[4])).history).toMatchObject([
      { from: 'RISK_ACCEPTED', to: 'RISK_ACCEPTED' },
      { from: 'OPEN', to: 'RISK_ACCEPTED' },
    ]);
  });
});
