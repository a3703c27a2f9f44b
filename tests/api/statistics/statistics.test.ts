// Statistics over real imports and decisions, compared with what the lists show, and their live stream.
import { describe, expect, test } from '@jest/globals';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { importSarif, type Problem } from '../../kit/imports.js';
import { subscribe, until } from '../../kit/live.js';
import { createProject } from '../../kit/projects.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

const counts = '{ total critical high medium low info }';
const all = `open ${counts} byBucket { from opened closed open ${counts} } topRules { ruleId title count }
  topCwes { cweId count } topTargets { target counts ${counts} } meanSecondsToResolve overdue`;

async function statistics(filter: Record<string, unknown> = {}, as = token) {
  const query = `query ($filter: StatisticsFilter) { statistics(filter: $filter) { ${all} } }`;
  return (await server.gql(query, { filter }, as)).expectData().statistics;
}

async function triage(filter: Record<string, unknown>, decision: Record<string, unknown>): Promise<void> {
  const answer = await server.change('triageFindings', { filter, ...decision }, 'changed', token);
  expect(answer.expectData().triageFindings.changed).toBeGreaterThan(0);
}

const run = (project: string, target: string, problems: Problem[], branch?: string) =>
  importSarif(server, token, { project, target, branch }, problems);

describe('Statistics', () => {
  test('count what is open by severity, rule, CWE and target, and what is overdue', async () => {
    const project = await createProject(server, token);
    await run(project, 'a', [
      { rule: 'X', cwe: 79 },
      { rule: 'Y', cwe: 79, level: 'warning' },
      { rule: 'Z', cwe: 89, level: 'note' },
    ]);
    await run(project, 'b', [{ rule: 'X', cwe: 79 }, { rule: 'W' }]);
    await triage({ project, ruleId: 'Z' }, { state: 'FALSE_POSITIVE', reason: 'none' });
    await server.sql(
      `UPDATE findings SET due_at = now() - interval '1 day' WHERE rule_id = 'X'
       AND project_id = (SELECT id FROM projects WHERE key = $1)`,
      [project],
    );
    const found = await statistics({ project });
    expect(found).toMatchObject({
      open: { total: 4, high: 3, medium: 1, low: 0 },
      topRules: [
        { ruleId: 'X', count: 2 },
        { ruleId: 'W', count: 1 },
        { ruleId: 'Y', count: 1 },
      ],
      topCwes: [{ cweId: 79, count: 3 }],
      topTargets: [
        { target: 'b', counts: { total: 2, high: 2 } },
        { target: 'a', counts: { total: 2, high: 1, medium: 1 } },
      ],
      overdue: 2,
      meanSecondsToResolve: null,
    });
    expect(found.byBucket).toHaveLength(30);
    expect(found.byBucket.at(-1)).toMatchObject({
      opened: 5,
      closed: 1,
      open: { total: 4, high: 3, medium: 1 },
    });
    expect(await statistics({ project, target: 'b' })).toMatchObject({ open: { total: 2 }, overdue: 1 });
    expect((await statistics({ project, kind: ['SAST'] })).open.total).toBe(4);
    expect((await statistics({ project, kind: ['DAST'] })).open.total).toBe(0);
  });

  test('show when findings opened and closed, by the days of a time zone over a change of its clocks', async () => {
    const project = await createProject(server, token);
    const projectId = (
      await server.sql<{ id: string }>('SELECT id FROM projects WHERE key = $1', [project])
    )[0]?.id;
    const branch = await insertBranch(server, { projectId: projectId as string });
    const executionId = await insertRun(server, branch, new Date());
    // Berlin: the 25th has 25 hours, until 23:00 UTC.
    const seen = {
      A: '2026-10-24T22:00:00Z',
      B: '2026-10-24T21:59:59Z',
      C: '2026-10-24T21:59:59Z',
      D: '2026-10-24T21:59:59Z',
    };
    for (const [ruleId, at] of Object.entries(seen))
      await insertFinding(server, { branch, executionId, ruleId, firstSeenAt: new Date(at) });
    const turn = (rule: string, set: string, at: string) =>
      server.sql(`UPDATE findings SET ${set}, turned_at = $3 WHERE project_id = $1 AND rule_id = $2`, [
        projectId,
        rule,
        at,
      ]);
    await turn('C', 'is_present = false, last_seen_at = first_seen_at', '2026-10-25T22:59:59Z');
    await turn('B', `triage = 'RESOLVED'`, '2026-10-25T23:00:00Z');
    await turn('D', `triage = 'FALSE_POSITIVE'`, '2026-10-25T10:00:00Z');
    await turn('D', `triage = 'CONFIRMED'`, '2026-10-26T10:00:00Z');
    const found = await statistics({
      ...{ project, timeZone: 'Europe/Berlin', bucket: 'DAY' },
      ...{ from: '2026-10-24T12:00:00Z', to: '2026-10-27T12:00:00Z' },
    });
    const days = found.byBucket.map(
      ({
        from,
        opened,
        closed,
        open,
      }: {
        from: string;
        opened: number;
        closed: number;
        open: { total: number };
      }) => [from, opened, closed, open.total],
    );
    expect(days).toEqual([
      ['2026-10-23T22:00:00.000Z', 3, 0, 3],
      ['2026-10-24T22:00:00.000Z', 1, 2, 2],
      ['2026-10-25T23:00:00.000Z', 1, 1, 2],
      ['2026-10-26T23:00:00.000Z', 0, 0, 2],
    ]);
    expect(found.open.total).toBe(2);
    // C was open for 25 hours, B for 25 hours and a second.
    expect(found.meanSecondsToResolve).toBeCloseTo(25 * 3600 + 0.5, 3);
    const months = await statistics({
      project,
      bucket: 'MONTH',
      from: '2026-09-15T00:00:00Z',
      to: '2026-11-02T00:00:00Z',
    });
    expect(
      months.byBucket.map(({ from, opened }: { from: string; opened: number }) => [from, opened]),
    ).toEqual([
      ['2026-09-01T00:00:00.000Z', 0],
      ['2026-10-01T00:00:00.000Z', 5],
      ['2026-11-01T00:00:00.000Z', 0],
    ]);
    const weeks = await statistics({
      project,
      bucket: 'WEEK',
      from: '2026-10-25T00:00:00Z',
      to: '2026-10-26T00:00:01Z',
    });
    expect(weeks.byBucket.map(({ from }: { from: string }) => from)).toEqual([
      '2026-10-19T00:00:00.000Z',
      '2026-10-26T00:00:00.000Z',
    ]);
  });

  test('leave out projects that the caller does not see', async () => {
    const viewer = await createPerson(server, token, 'VIEWER');
    const before = await statistics({}, viewer.token);
    const project = await createProject(server, token, { visibility: 'PRIVATE' });
    await run(project, 'hidden', [{ rule: 'H', cwe: 22 }]);
    expect(await statistics({}, viewer.token)).toEqual(before);
    expect((await statistics({ project }, viewer.token)).open.total).toBe(0);
    expect((await statistics({ project })).open.total).toBe(1);
  });

  test('refuse unknown time zones, ranges without a length and more than 400 buckets', async () => {
    const codeOf = async (filter: Record<string, unknown>) =>
      (
        await server.gql(
          'query ($filter: StatisticsFilter) { statistics(filter: $filter) { byBucket { from } } }',
          { filter },
          token,
        )
      ).body.errors?.[0]?.extensions.code;
    const [from, to] = ['2026-01-01T00:00:00Z', '2027-02-05T00:00:00Z'];
    expect(await codeOf({ from, to })).toBeUndefined();
    for (const filter of [
      ...[{ timeZone: 'Mars/Olympus' }, { timeZone: '+01:00' }, { timeZone: "UTC'; --" }, { timeZone: '' }],
      ...[
        { from: to, to: from },
        { from, to: from },
        { from, to: '2027-02-05T00:00:01Z' },
      ],
      ...[{ from: '0001-01-01T00:00:00Z', to: '9999-01-01T00:00:00Z', bucket: 'MONTH' }],
    ])
      expect([filter, await codeOf(filter)]).toEqual([filter, 'VALIDATION_FAILED']);
  });
});

describe('statisticsChanged', () => {
  test('sends the figures at once and after changes of what the caller sees, not of other projects', async () => {
    const viewer = await createPerson(server, token, 'VIEWER');
    const project = await createProject(server, token);
    const hidden = await createProject(server, token, { visibility: 'PRIVATE' });
    const query =
      'subscription ($filter: StatisticsFilter) { live: statisticsChanged(filter: $filter) { open { total } } }';
    const stream = subscribe('WebSocket', server.url, viewer.token, { query, variables: {} });
    const totals = () =>
      (stream.events as unknown as { open: { total: number } }[]).map(({ open }) => open.total);
    await until(() => totals().length === 1, 'the figures');
    const [before = 0] = totals();
    await run(hidden, 'a', [{ rule: 'A' }]);
    const own = subscribe('event stream', server.url, viewer.token, {
      query,
      variables: { filter: { project } },
    });
    await until(() => own.events.length === 1, 'the figures of the project');
    await run(project, 'a', [{ rule: 'A' }, { rule: 'B' }]);
    await until(() => totals().at(-1) === before + 2 && own.events.length > 1, 'the change');
    expect(totals()).not.toContain(before + 1);
    expect(totals()).not.toContain(before + 3);
    await triage({ project, ruleId: 'A' }, { state: 'RESOLVED' });
    await until(() => totals().at(-1) === before + 1, 'the decision');
    stream.stop();
    own.stop();
  });
});
