// Stored policies of gates, the mode that only reports, and what is new beside a base branch, in GraphQL and from the command
// line.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { importSarif, type Problem } from '../../kit/imports.js';
import { cliAt } from '../../kit/programs/shell.js';
import { createProject } from '../../kit/projects.js';
import { createPerson, startExecution } from '../../kit/seed.js';
import { useFolder, useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();
const folder = useFolder();

const judged = `{ verdict mode enforcedVerdict isComplete reasons counts { total high medium } base { id }
  findings(first: 10) { totalCount nodes { ruleId severity } } }`;
const query = `query ($id: ID!, $policy: GatePolicy!) { gate(executionId: $id, policy: $policy) ${judged} }`;
const ask = (id: string, policy: object) => server.gql(query, { id, policy }, token);
const gate = async (id: string, policy: object) => (await ask(id, policy)).expectData().gate;
const set = (input: object, by = token) =>
  server.gql(
    `mutation ($input: SetGatePolicyInput!) { setGatePolicy(input: $input) {
      policy { name maxCritical maxHigh maxMedium maxLow onlyNew baseBranch failOnOverdue mode } } }`,
    { input },
    by,
  );

const problem = (rule: string, level: Problem['level'] = 'error'): Problem => ({ rule, level });
const imported = async (target: string, rules: string, branch?: string, extra?: object) => {
  const problems = rules.split('').map((rule) => problem(rule));
  return (await importSarif(server, token, { target, branch }, problems, extra)).executionId;
};

describe('A stored policy', () => {
  test('judges the executions of its project by its name, and fields beside the name replace its own', async () => {
    const id = await imported('stored-1', 'AB');
    const { policy } = (await set({ project: 'default', name: 'strict', maxHigh: 0 })).expectData()
      .setGatePolicy;
    expect(policy).toEqual({
      ...{ name: 'strict', maxCritical: null, maxHigh: 0, maxMedium: null, maxLow: null, onlyNew: false },
      ...{ baseBranch: null, failOnOverdue: false, mode: 'ENFORCE' },
    });
    expect(await gate(id, { stored: 'strict' })).toMatchObject({
      verdict: 'FAIL',
      reasons: ['2 HIGH findings; the policy allows 0.'],
      findings: { totalCount: 2, nodes: [{ severity: 'HIGH' }, { severity: 'HIGH' }] },
    });
    expect(await gate(id, { stored: 'strict', maxHigh: 2 })).toMatchObject({ verdict: 'PASS' });
    // Setting it again replaces all of it.
    await set({ project: 'default', name: 'strict', maxMedium: 0, mode: 'LOG' });
    expect(await gate(id, { stored: 'strict' })).toMatchObject({ verdict: 'PASS', mode: 'LOG', reasons: [] });
  });

  test('is listed by its project, and gone once it is deleted', async () => {
    const id = await imported('stored-2', 'A');
    await createProject(server, token, { key: 'shelf', name: 'Shelf' });
    await set({ project: 'shelf', name: 'b', maxLow: 1 });
    await set({ project: 'shelf', name: 'a', onlyNew: true, baseBranch: 'main' });
    const list = async () =>
      (
        await server.gql('{ project(key: "shelf") { gatePolicies { name baseBranch maxLow } } }', {}, token)
      ).expectData().project.gatePolicies;
    expect(await list()).toEqual([
      { name: 'a', baseBranch: 'main', maxLow: null },
      { name: 'b', baseBranch: null, maxLow: 1 },
    ]);
    // Those of one project are none of another.
    const { fields } = (await ask(id, { stored: 'b' })).expectError('VALIDATION_FAILED').extensions;
    expect(fields).toMatchObject([{ path: 'policy.stored' }]);
    const remove = () =>
      server.gql('mutation { deleteGatePolicy(project: "shelf", name: "b") { deletedId } }', {}, token);
    expect((await remove()).expectData().deleteGatePolicy.deletedId).toMatch(/^prj_/);
    (await remove()).expectError('NOT_FOUND');
    expect(await list()).toHaveLength(1);
    const events = await server.gql(
      '{ auditEvents(first: 10, filter: { action: "gate_policy.delete" }) { nodes { changes } } }',
      {},
      token,
    );
    expect(events.expectData().auditEvents.nodes).toEqual([{ changes: { name: 'b' } }]);
  });

  test('is set by admins only, within limits', async () => {
    const analyst = await createPerson(server, token, 'ANALYST');
    (await set({ project: 'default', name: 'own', maxHigh: 9 }, analyst.token)).expectError('FORBIDDEN');
    (await set({ project: 'nowhere', name: 'x' })).expectError('NOT_FOUND');
    for (const wrong of [
      { name: 'With Blanks' },
      { name: 'x', maxHigh: -1 },
      { name: 'x', baseBranch: 'main' },
      { name: 'x', mode: 'OFF' },
      { name: 'x', onlyNew: true, baseBranch: '' },
    ])
      (await set({ project: 'default', ...wrong })).expectError('VALIDATION_FAILED');
    await createProject(server, token, { key: 'full', name: 'Full' });
    await server.sql(
      `INSERT INTO gate_policies (id, project_id, name, created_at, updated_at)
       SELECT gen_random_uuid(), id, 'p' || n, now(), now() FROM projects, generate_series(1, 50) AS n WHERE key = 'full'`,
    );
    (await set({ project: 'full', name: 'one-more' })).expectError('CONFLICT');
    (await set({ project: 'full', name: 'p7', maxHigh: 1 })).expectData();
  });
});

describe('The mode LOG', () => {
  test('passes and says why ENFORCE would not', async () => {
    const id = await imported('log-1', 'A');
    expect(await gate(id, { maxHigh: 0, mode: 'LOG' })).toMatchObject({
      ...{ verdict: 'PASS', enforcedVerdict: 'FAIL', mode: 'LOG', isComplete: true },
      reasons: ['1 HIGH finding; the policy allows 0.'],
    });
    expect(await gate(id, { maxHigh: 1, mode: 'LOG' })).toMatchObject({
      enforcedVerdict: 'PASS',
      reasons: [],
    });
  });

  test('passes no run that is incomplete', async () => {
    const partial = { invocations: [{ executionSuccessful: false }] };
    const id = await imported('log-2', 'A', undefined, partial);
    const outcome = await gate(id, { mode: 'LOG' });
    expect(outcome).toMatchObject({ verdict: 'FAIL', enforcedVerdict: 'FAIL', isComplete: false });
    expect(outcome.reasons).toContainEqual(expect.stringMatching(/^The run is incomplete: /));
    const running = await startExecution(server, token);
    expect(await gate(running, { mode: 'LOG' })).toMatchObject({ verdict: 'FAIL', isComplete: false });
  });
});

describe('A base branch', () => {
  const policy = { onlyNew: true, baseBranch: 'main', maxHigh: 0 };

  test('makes findings new that its last run did not see, however often the own branch runs', async () => {
    const base = await imported('base-1', 'AB', 'main');
    for (let run = 0; run < 2; run += 1) {
      const head = await imported('base-1', 'BC', 'feature');
      expect(await gate(head, policy)).toMatchObject({
        ...{ verdict: 'FAIL', counts: { high: 1 }, base: { id: base } },
        findings: { totalCount: 1, nodes: [{ ruleId: 'C' }] },
      });
    }
    await imported('base-1', 'ABC', 'main');
    const head = await imported('base-1', 'BC', 'feature');
    expect(await gate(head, policy)).toMatchObject({ verdict: 'PASS', findings: { totalCount: 0 } });
  });

  test('without a run makes every finding new, and the own branch compares with its run before', async () => {
    const head = await imported('base-2', 'AB', 'feature');
    expect(await gate(head, policy)).toMatchObject({ counts: { high: 2 }, base: null });
    const first = await imported('base-3', 'A', 'main');
    expect(await gate(first, policy)).toMatchObject({ counts: { high: 1 }, base: null });
    const second = await imported('base-3', 'AB', 'main');
    expect(await gate(second, policy)).toMatchObject({ counts: { high: 1 }, base: { id: first } });
    expect(await gate(first, policy)).toMatchObject({ counts: { high: 1 }, base: null });
  });

  test('belongs to onlyNew', async () => {
    const id = await imported('base-4', 'A', 'main');
    (await ask(id, { baseBranch: 'main' })).expectError('VALIDATION_FAILED');
  });

  test('leaves out findings that people ruled out, and pages the others', async () => {
    await imported('base-5', 'A', 'main');
    const head = await imported('base-5', 'BCDE', 'feature');
    await server.gql(
      `mutation { triageFindings(input: { filter: { target: "base-5", ruleId: "B", branch: "feature" },
        state: FALSE_POSITIVE, reason: "test" }) { changed } }`,
      {},
      token,
    );
    const page = (after: string | null) =>
      server.gql(
        `query ($id: ID!, $policy: GatePolicy!, $after: String) { gate(executionId: $id, policy: $policy) {
          findings(first: 2, after: $after) { totalCount nodes { ruleId } pageInfo { hasNextPage endCursor } } } }`,
        { id: head, policy, after },
        token,
      );
    const first = (await page(null)).expectData().gate.findings;
    const second = (await page(first.pageInfo.endCursor)).expectData().gate.findings;
    expect([first.totalCount, first.pageInfo.hasNextPage, second.pageInfo.hasNextPage]).toEqual([
      3,
      true,
      false,
    ]);
    const rules = [...first.nodes, ...second.nodes].map(({ ruleId }: { ruleId: string }) => ruleId);
    expect(rules.sort()).toEqual(['C', 'D', 'E']);
    (await page('bm9uc2Vuc2U')).expectError('VALIDATION_FAILED');
  });
});

const cli = (args: string[], env: Record<string, string> = {}) =>
  cliAt(server, args, { env: { SEC_TESTER_TOKEN: token, ...env } });

describe('sec-tester gate', () => {
  test('takes a policy by name and from files, which options replace', async () => {
    const id = await imported('cli-1', 'AB');
    await set({ project: 'default', name: 'cli', maxHigh: 1 });
    expect(await cli(['gate', id, '--policy', 'cli'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('2 HIGH findings; the policy allows 1.'),
    });
    expect(await cli(['gate', id, '--policy', 'cli', '--max-high', '2'])).toMatchObject({ code: 0 });
    const json = join(folder, 'policy.json');
    await writeFile(json, JSON.stringify({ maxHigh: 0 }));
    const yaml = join(folder, 'policy.yaml');
    await writeFile(yaml, 'maxHigh: 0\nmode: LOG\n');
    expect(await cli(['gate', id, '--policy', json])).toMatchObject({ code: 1 });
    expect(await cli(['gate', id, '--policy', yaml])).toMatchObject({
      code: 0,
      err: expect.stringContaining('Would not pass: 2 HIGH findings; the policy allows 0.'),
    });
    await writeFile(json, '[1]');
    expect(await cli(['gate', id, '--policy', json])).toMatchObject({ code: 2 });
    await writeFile(json, JSON.stringify({ maxHihg: 0 }));
    expect(await cli(['gate', id, '--policy', json])).toMatchObject({
      code: expect.any(Number),
      err: expect.stringContaining('maxHihg'),
    });
    expect(await cli(['gate', id, '--policy', 'unknown'])).toMatchObject({
      err: expect.stringContaining('is the name of no policy of the project'),
    });
    expect(await cli(['gate', id, '--policy', './missing.json'])).toMatchObject({ code: 2 });
  });

  test('compares with a base branch, and says where there is none', async () => {
    await imported('cli-2', 'A', 'main');
    const head = await imported('cli-2', 'AB', 'feature');
    const run = (base: string) =>
      cli(['gate', head, '--only-new', '--base', base, '--fail-on', 'high', '--json']);
    expect(JSON.parse((await run('main')).out)).toMatchObject({ passed: false, counts: { high: 1 } });
    const alone = await run('nowhere');
    expect(alone).toMatchObject({ code: 1, err: expect.stringContaining('No run of the base branch') });
    expect(JSON.parse(alone.out)).toMatchObject({ base: null, counts: { high: 2 } });
  });

  test('writes SARIF that imports again, and appends a summary', async () => {
    await imported('cli-3', 'A', 'main');
    const head = await imported('cli-3', 'ABC', 'feature');
    const summary = join(folder, 'summary.md');
    await writeFile(summary, '# Job\n');
    const policy = ['--only-new', '--base', 'main', '--max-high', '0'];
    const ran = await cli(['gate', head, ...policy, '--format', 'sarif', '--summary'], {
      GITHUB_STEP_SUMMARY: summary,
    });
    expect(ran.code).toBe(1);
    const { runs } = JSON.parse(ran.out);
    expect(runs[0].results).toHaveLength(2);
    const [first] = runs[0].results.filter(({ ruleId }: { ruleId: string }) => ruleId === 'B');
    expect(first).toMatchObject({
      ...{ level: 'error', baselineState: 'new' },
      partialFingerprints: { 'secTesterFinding/v1': expect.stringMatching(/^fnd_/) },
      locations: [{ physicalLocation: { artifactLocation: { uri: 'src/B.c' }, region: { startLine: 7 } } }],
    });
    const again = await fetch(`${server.url}/api/v1/imports?target=cli-3-again&format=SARIF&wait=30`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: ran.out,
    });
    expect(await again.json()).toMatchObject({ state: 'COMPLETED', read: 2, incomplete: [] });
    expect(await readFile(summary, 'utf8')).toMatch(/^# Job\n## ❌ Security gate not passed/);
    expect(await cli(['gate', head, ...policy, '--summary'])).toMatchObject({ code: 2 });
    expect(await cli(['gate', head, '--fail-on', 'high', '--format', 'sarif'])).toMatchObject({ code: 2 });
  });

  test('shows in every format that the mode log let something pass', async () => {
    const id = await imported('cli-4', 'A');
    const run = (format: string) => cli(['gate', id, '--max-high', '0', '--mode', 'log', '--format', format]);
    expect(JSON.parse((await run('json')).out)).toMatchObject({
      passed: true,
      wouldPass: false,
      mode: 'LOG',
    });
    const junit = await run('junit');
    expect(junit).toMatchObject({ code: 0, out: expect.stringContaining('Would fail: 1 HIGH finding') });
    expect(junit.out).toContain('failures="0"');
    expect((await run('markdown')).out).toMatch(/^## ⚠️ Security gate passed, as its policy only reports/);
  });
});
