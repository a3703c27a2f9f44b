// Gates over real imports and real test modules, in GraphQL and from the command line.
import { describe, expect, test } from '@jest/globals';
import { importSarif, type Problem } from '../../kit/imports.js';
import { act, until } from '../../kit/live.js';
import { cliAt } from '../../kit/programs/shell.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

const counts = '{ total critical high medium low info }';

async function gate(executionId: string, policy: Record<string, unknown>) {
  const answer = await server.gql(
    `query ($executionId: ID!, $policy: GatePolicy!) {
      gate(executionId: $executionId, policy: $policy) { verdict reasons counts ${counts} } }`,
    { executionId, policy },
    token,
  );
  return answer.expectData().gate;
}

async function triage(filter: object, decision: object): Promise<void> {
  const answer = await server.change('triageFindings', { filter, ...decision }, 'changed', token);
  expect(answer.expectData().triageFindings.changed).toBeGreaterThan(0);
}

const problem = (rule: string, level: Problem['level'] = 'error'): Problem => ({ rule, level });
const imported = async (target: string, problems: Problem[], branch?: string, extra?: object) =>
  (await importSarif(server, token, { target, branch }, problems, extra)).executionId;

describe('A gate', () => {
  test('counts findings by severity and says in words what exceeds the policy', async () => {
    const id = await imported('gate-1', [
      problem('A'),
      problem('B'),
      problem('C', 'warning'),
      problem('D', 'note'),
    ]);
    expect(await gate(id, {})).toEqual({
      verdict: 'PASS',
      reasons: [],
      counts: { total: 4, critical: 0, high: 2, medium: 1, low: 1, info: 0 },
    });
    expect(await gate(id, { maxHigh: 2, maxMedium: 1, maxLow: 1, maxCritical: 0 })).toMatchObject({
      verdict: 'PASS',
    });
    expect(await gate(id, { maxHigh: 1, maxMedium: 0 })).toMatchObject({
      verdict: 'FAIL',
      reasons: ['2 HIGH findings; the policy allows 1.', '1 MEDIUM finding; the policy allows 0.'],
    });
  });

  test('does not count what people ruled out or accepted for now, and follows their severity', async () => {
    const target = 'gate-2';
    const id = await imported(
      target,
      ['A', 'B', 'C', 'D'].map((rule) => problem(rule)),
    );
    await triage({ target, ruleId: 'A' }, { state: 'FALSE_POSITIVE', reason: 'test code' });
    const acceptedUntil = new Date(server.clock.now() + 86_400_000).toISOString();
    await triage(
      { target, ruleId: 'B' },
      { state: 'RISK_ACCEPTED', reason: 'shut down soon', acceptedUntil },
    );
    await triage({ target, ruleId: 'C' }, { severityOverride: 'LOW' });
    expect((await gate(id, {})).counts).toMatchObject({ total: 2, high: 1, low: 1 });
    await server.sql(
      "UPDATE findings SET accepted_until = now() - interval '1 day' WHERE accepted_until IS NOT NULL",
    );
    expect((await gate(id, {})).counts).toMatchObject({ total: 3, high: 2, low: 1 });
  });

  test('with onlyNew counts findings that the run is the first to see or sees again', async () => {
    const target = 'gate-3';
    const policy = { onlyNew: true, maxHigh: 0 };
    const first = await imported(target, [problem('A'), problem('B')]);
    expect(await gate(first, policy)).toMatchObject({
      verdict: 'FAIL',
      reasons: ['2 new HIGH findings; the policy allows 0.'],
    });
    const second = await imported(target, [problem('A')]);
    expect(await gate(second, policy)).toMatchObject({ verdict: 'PASS', counts: { total: 0 } });
    const third = await imported(target, [problem('A'), problem('B'), problem('C')]);
    expect((await gate(third, policy)).counts).toMatchObject({ high: 2 });
    // What was judged stays as it was.
    expect((await gate(second, policy)).counts).toMatchObject({ total: 0 });
    expect((await gate(second, {})).counts).toMatchObject({ total: 1 });
    expect((await gate(first, policy)).counts).toMatchObject({ high: 2 });
  });

  test('of a feature branch takes what the default branch shows for known', async () => {
    const target = 'gate-4';
    await imported(target, [problem('A')], 'main');
    const id = await imported(target, [problem('A'), problem('B')], 'feature');
    expect((await gate(id, { onlyNew: true })).counts).toMatchObject({ high: 1 });
  });

  test('never passes a run that is not whole', async () => {
    const partial = { invocations: [{ executionSuccessful: false }] };
    const id = await imported('gate-5', [problem('A')], undefined, partial);
    const judged = await gate(id, {});
    expect(judged).toMatchObject({ verdict: 'FAIL', counts: { high: 1 } });
    expect(judged.reasons).toContainEqual(expect.stringMatching(/^The run is incomplete: /));
    const running = await startExecution(server, token);
    expect(await gate(running, {})).toMatchObject({
      verdict: 'FAIL',
      reasons: ['The execution is RUNNING, not COMPLETED.'],
    });
  });

  test('waits for the results of a test module to meet the findings', async () => {
    const id = await startExecution(server, token, { target: 'gate-6' });
    await addResults(server, token, id, [{ title: 'T', severity: 'CRITICAL', location: { path: 'a' } }]);
    await act(server, token, 'completeExecution', id);
    expect(await gate(id, { maxCritical: 0, failOnOverdue: true })).toMatchObject({
      verdict: 'FAIL',
      reasons: ['1 CRITICAL finding; the policy allows 0.'],
    });
    const [row] = await server.sql<{ run: number }>(
      'SELECT run_number AS run FROM test_executions WHERE id = $1',
      [id.slice(4)],
    );
    expect(row?.run).toBe(1);
    await triage({ target: 'gate-6' }, { state: 'FALSE_POSITIVE', reason: 'none' });
    expect(await gate(id, { maxCritical: 0 })).toMatchObject({ verdict: 'PASS' });
  });

  test('fails for overdue findings where the policy says so, also for known ones', async () => {
    const target = 'gate-7';
    await imported(target, [problem('A'), problem('B')]);
    const id = await imported(target, [problem('A'), problem('B')]);
    const policy = { onlyNew: true, failOnOverdue: true };
    expect(await gate(id, policy)).toMatchObject({ verdict: 'PASS' });
    await server.sql(
      `UPDATE findings SET due_at = first_seen_at - interval '1 day' FROM scan_series AS series
       WHERE series.id = series_id AND series.target = $1 AND rule_id = 'A'`,
      [target],
    );
    expect(await gate(id, policy)).toMatchObject({ verdict: 'FAIL', reasons: ['1 finding is overdue.'] });
  });

  test('refuses limits below zero and executions that do not exist', async () => {
    const id = await imported('gate-8', []);
    const query =
      'query ($id: ID!, $policy: GatePolicy!) { gate(executionId: $id, policy: $policy) { verdict } }';
    const codeOf = async (variables: Record<string, unknown>) =>
      (await server.gql(query, variables, token)).body.errors?.[0]?.extensions.code;
    expect(await codeOf({ id, policy: { maxHigh: -1 } })).toBe('VALIDATION_FAILED');
    expect(await codeOf({ id: 'exe_019a0000-0000-7000-8000-000000000000', policy: {} })).toBe('NOT_FOUND');
  });
});

const cli = (...args: string[]) => cliAt(server, args, { env: { SEC_TESTER_TOKEN: token } });

describe('sec-tester gate', () => {
  test('judges by a policy, where --fail-on allows no finding of the severity or above', async () => {
    const target = 'gate-cli-1';
    await imported(target, [problem('A')]);
    const id = await imported(target, [problem('A'), problem('B', 'warning')]);
    expect(await cli('gate', id, '--only-new', '--fail-on', 'high')).toMatchObject({ code: 0 });
    const failed = await cli('gate', id, '--only-new', '--fail-on', 'medium');
    expect(failed).toMatchObject({
      code: 1,
      err: expect.stringContaining('1 new MEDIUM finding; the policy allows 0.'),
    });
    expect(await cli('gate', id, '--max-high', '1')).toMatchObject({ code: 0 });
    expect(await cli('gate', id, '--max-high', '0')).toMatchObject({ code: 1 });
    expect(
      await cli('gate', id, '--fail-on', 'high', '--max-high', '1', '--max-critical', '2'),
    ).toMatchObject({ code: 0 });
    expect(await cli('gate', id, '--max-high', '-1')).toMatchObject({ code: 2 });
    expect(await cli('gate', id)).toMatchObject({ code: 2, err: expect.stringContaining('--fail-on') });
  });

  test('prints JSON, JUnit and Markdown in which texts of scanners are no markup', async () => {
    const target = 'gate-cli-2 <b>"&|[x](y)</b> @all';
    const id = await imported(target, [problem('A')]);
    const run = (format: string) => cli('gate', id, '--max-high', '0', '--format', format);
    const json = JSON.parse((await run('json')).out);
    expect(json).toMatchObject({
      passed: false,
      reasons: ['1 HIGH finding; the policy allows 0.'],
      policy: { maxHigh: 0 },
    });
    const junit = await run('junit');
    expect(junit.code).toBe(1);
    expect(junit.out).toMatch(/^<\?xml .*<testsuite name="sec-tester gate" tests="1" failures="1"/s);
    expect(junit.out).toContain('gate-cli-2 &lt;b&gt;&quot;&amp;|[x](y)&lt;/b&gt; @all');
    expect(junit.out).toContain('message="1 HIGH finding; the policy allows 0."');
    const markdown = (await run('markdown')).out;
    expect(markdown).toMatch(/^## ❌ Security gate not passed/);
    expect(markdown).toContain('- 1 HIGH finding; the policy allows 0.');
    expect(markdown).toContain('| 1 | 0 | 1 | 0 | 0 | 0 |');
    expect(markdown).toContain('\\<b\\>"&\\|\\[x\\]\\(y\\)\\</b\\> &#64;all');
    expect((await cli('gate', id, '--fail-on', 'critical', '--format', 'markdown')).out).toMatch(/^## ✅ /);
  });

  test('waits for the end of a run', async () => {
    const id = await startExecution(server, token, { target: 'gate-cli-3' });
    const waiting = cli('gate', id, '--only-new', '--max-critical', '0', '--wait');
    await until(
      async () => (await server.sql('SELECT FROM test_executions WHERE id = $1', [id.slice(4)])).length === 1,
      'the execution',
    );
    await act(server, token, 'completeExecution', id);
    expect(await waiting).toMatchObject({ code: 0 });
  });
});
