// The sums that statistics come from, after random histories of imports, runs, decisions, expiries, moved branches and deletions:
// equal to a count of the findings, and to a model that watched them.
import { expect, test } from '@jest/globals';
import { compactRollups, recountRollups } from '../../../src/features/finding/finding.rollups.js';
import type { Sql } from '../../../src/infra/postgres/sql.js';
import { countFaults } from '../../kit/findings.js';
import { importSarif } from '../../kit/imports.js';
import { createProject, updateProject } from '../../kit/projects.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';
import { startTurns, type Turn } from './turns.js';

const hourMs = 3_600_000;
const levels = ['error', 'warning', 'note'] as const;
let token: string;
const server = await useServer();

/** Numbers that a seed determines: mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

async function settled(): Promise<void> {
  for (;;) {
    const waiting = await server.sql(
      'SELECT FROM test_executions WHERE finished_at IS NOT NULL AND run_number IS NULL',
    );
    if (waiting.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The steps that a history is made of; each picks what it does by chance. */
function stepsOf(pick: (below: number) => number, projects: readonly string[]) {
  const project = () => projects[pick(projects.length)] as string;
  const target = () => `target-${pick(2)}`;
  const mutate = (text: string, variables: object) => server.gql(text, { ...variables }, token);
  const import_ = async () => {
    const problems = Array.from({ length: 8 }, (_, rule) => ({
      ...{ rule: `R${rule}`, level: levels[pick(3)] ?? 'note' },
      ...(rule % 3 > 0 && { cwe: 70 + (rule % 3) }),
    })).filter(() => pick(3) > 0);
    await importSarif(
      server,
      token,
      { project: project(), target: target(), branch: ['main', 'main', 'other'][pick(3)] },
      problems,
    );
  };
  const run = async () => {
    const id = await startExecution(server, token, {
      project: project(),
      target: target(),
      tool: 'probe',
      branch: 'main',
    });
    const seen = [0, 1, 2].filter(() => pick(2) > 0);
    const result = (n: number) => ({
      title: `Module ${n}`,
      severity: 'CRITICAL',
      ruleId: `M${n}`,
      location: { url: `https://a.test/${n}` },
    });
    if (seen.length > 0) await addResults(server, token, id, seen.map(result));
    (
      await mutate('mutation ($id: ID!) { completeExecution(id: $id) { execution { id } } }', { id })
    ).expectData();
    await settled();
  };
  const decide = async () => {
    const acceptedUntil = new Date(server.clock.now() + 20 * hourMs).toISOString();
    const decision = [
      ...[
        { state: 'CONFIRMED' },
        { state: 'RESOLVED' },
        { state: 'OPEN' },
        { state: 'FALSE_POSITIVE', reason: 'none' },
      ],
      ...[
        { state: 'RISK_ACCEPTED', reason: 'late', acceptedUntil },
        { severityOverride: 'INFO' },
        { severityOverride: null },
      ],
    ][pick(7)];
    const filter = { project: project(), ruleId: `${'RM'[pick(2)]}${pick(8)}` };
    const input = { filter, ...decision };
    const answer = await mutate(
      'mutation ($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }',
      { input },
    );
    const codes = answer.body.errors?.map(({ extensions }) => extensions.code) ?? [];
    expect(codes.filter((code) => code !== 'CONFLICT')).toEqual([]); // some states may not follow each other
  };
  const remove = async () => {
    const ids = await server.sql<{ id: string }>('SELECT id FROM test_executions ORDER BY id');
    const id = ids[pick(Math.max(ids.length, 1))]?.id;
    if (id === undefined) return;
    (
      await mutate('mutation ($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id: `exe_${id}` })
    ).expectData();
  };
  const move = () =>
    updateProject(server, token, {
      key: project(),
      ...[
        { defaultBranch: 'other' },
        { defaultBranch: 'main' },
        { daysToFix: { high: pick(40), low: 1 + pick(3) } },
      ][pick(3)],
    });
  return [
    import_,
    import_,
    import_,
    import_,
    import_,
    run,
    run,
    decide,
    decide,
    decide,
    decide,
    remove,
    remove,
    move,
  ];
}

async function statistics(filter: object) {
  const counts = '{ info low medium high critical }';
  const query = `query ($filter: StatisticsFilter) { statistics(filter: $filter) { open ${counts}
    byBucket { from opened closed open ${counts} } topRules { ruleId count } topCwes { cweId count }
    topTargets { target counts ${counts} } meanSecondsToResolve overdue } }`;
  return (await server.gql(query, { filter }, token)).expectData().statistics;
}

const ranks = (counts: Record<string, number>) =>
  ['info', 'low', 'medium', 'high', 'critical'].map((name) => counts[name] as number);
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

/** Open findings as the table has them, grouped by a column or an expression. */
async function openBy(project: string | undefined, what: string, at = new Date(server.clock.now())) {
  const rows = await server.sql<{ value: string; count: number }>(
    `SELECT ${what} AS value, count(*)::int AS count FROM findings AS finding JOIN scan_series AS series ON series.id = series_id
     JOIN projects AS project ON project.id = finding.project_id
     WHERE is_present AND triage IN ('OPEN', 'CONFIRMED') AND ($1::text IS NULL OR project.key = $1) AND $2::timestamptz IS NOT NULL
     GROUP BY 1 ORDER BY 2 DESC, 1`,
    [project ?? null, at],
  );
  return rows.filter(({ value }) => value !== null);
}

async function checkTrend(
  turns: readonly Turn[],
  filter: { project?: string; target?: string },
  timeZone: string,
  bucket: string,
) {
  const own = turns.filter(
    ({ project, target }) => (filter.project ?? project) === project && (filter.target ?? target) === target,
  );
  const range = {
    from: new Date(server.clock.now() - 40 * 24 * hourMs),
    to: new Date(server.clock.now() + 1),
  };
  const found = await statistics({ ...filter, ...range, timeZone, bucket });
  const starts = found.byBucket.map(({ from }: { from: string }) => Date.parse(from));
  starts.push(Number.POSITIVE_INFINITY);
  const expected = found.byBucket.map((_bucket: object, index: number) => {
    const within = own.filter(({ at }) => at >= starts[index] && at < starts[index + 1]);
    return {
      opened: sum(within.map(({ opened }) => opened)),
      closed: sum(within.map(({ closed }) => closed)),
      open: [0, 1, 2, 3, 4].map((rank) =>
        sum(
          own
            .filter(({ at, severity }) => at < starts[index + 1] && severity === rank)
            .map(({ change }) => change),
        ),
      ),
    };
  });
  const seen = found.byBucket.map(
    ({ opened, closed, open }: { opened: number; closed: number; open: Record<string, number> }) => ({
      ...{ opened, closed, open: ranks(open) },
    }),
  );
  expect([filter, timeZone, bucket, seen]).toEqual([filter, timeZone, bucket, expected]);
  const resolved = sum(own.map((turn) => turn.resolved));
  if (resolved === 0) expect(found.meanSecondsToResolve).toBeNull();
  else expect(found.meanSecondsToResolve).toBeCloseTo(sum(own.map(({ seconds }) => seconds)) / resolved, 2);
}

test.each([1, 2])('statistics are exact after history %i', async (seed) => {
  await server.sql(
    'TRUNCATE findings, test_executions, scan_series, finding_counts, open_counts, due_counts, trend_counts CASCADE',
  );
  token = await server.signIn();
  const pick = randomOf(seed);
  const projects = [await createProject(server, token), await createProject(server, token)];
  await updateProject(server, token, { key: projects[1], daysToFix: { critical: 2, medium: 1 } });
  const steps = stepsOf(pick, projects);
  const { turns, observe } = startTurns(server);
  const query = async <Row>({ text, values }: Sql) => (await server.sql(text, values)) as Row[];
  for (let step = 0; step < 30; step += 1) {
    server.clock.advance(pick(9) * hourMs + pick(60) * 60_000);
    token = await server.signIn();
    await expired();
    await observe();
    await steps[pick(steps.length)]?.();
    await observe();
    if (pick(8) === 0) await compactRollups({ query }, 1);
  }
  expect(turns.filter(({ closed }) => closed > 0).length).toBeGreaterThan(5);
  expect(await countFaults(server)).toEqual([]);
  expect(await recountRollups({ query }, false)).toEqual([]);
  for (const project of [undefined, ...projects]) {
    const found = await statistics({ project });
    const bySeverity = await openBy(project, 'severity::text');
    expect(ranks(found.open)).toEqual(
      [0, 1, 2, 3, 4].map((rank) => bySeverity.find(({ value }) => value === `${rank}`)?.count ?? 0),
    );
    const rules = await openBy(project, 'rule_id');
    expect(found.topRules).toEqual(rules.slice(0, 10).map(({ value, count }) => ({ ruleId: value, count })));
    const cwes = await openBy(project, 'cwe_ids[1]::text');
    expect(found.topCwes).toEqual(cwes.map(({ value, count }) => ({ cweId: Number(value), count })));
    const targets = await openBy(project, 'series.target');
    const shown = found.topTargets.map(
      ({ target, counts }: { target: string; counts: Record<string, number> }) => ({
        ...{ value: target, count: sum(ranks(counts)) },
      }),
    );
    expect(shown.toSorted(byValue)).toEqual(targets.toSorted(byValue));
    const overdue = await openBy(project, '(due_at < $2)::text');
    expect(found.overdue).toBe(overdue.find(({ value }) => value === 'true')?.count ?? 0);
    await checkTrend(turns, { project }, 'UTC', 'DAY');
    await checkTrend(turns, { project }, 'Asia/Kathmandu', 'DAY');
    await checkTrend(turns, { project, target: 'target-0' }, 'America/New_York', 'WEEK');
    await checkTrend(turns, { project }, 'Europe/Berlin', 'MONTH');
  }
});

const byValue = (one: { value: string }, other: { value: string }) => (one.value < other.value ? -1 : 1);

/** Waits until acceptances that are over have ended. */
async function expired(): Promise<void> {
  for (;;) {
    const due = await server.sql(
      `SELECT FROM findings WHERE triage = 'RISK_ACCEPTED' AND accepted_until <= $1`,
      [new Date(server.clock.now())],
    );
    if (due.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
