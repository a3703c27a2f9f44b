// The counters of findings: the command that proves and corrects them, and the sums that keep them short.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { recount } from '../../../src/admin/recount.js';
import { countFaults, insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
beforeEach(async () => {
  await server.sql('TRUNCATE findings, finding_counts, open_counts, due_counts, trend_counts CASCADE');
  const branch = await insertBranch(server, { target: `t${Math.random()}` });
  const executionId = await insertRun(server, branch, new Date());
  for (const severity of [1, 1, 3, 4]) await insertFinding(server, { branch, executionId, severity });
});

async function run(...args: string[]) {
  const lines: string[] = [];
  const code = await recount(args, { DATABASE_URL: server.databaseUrl }, (text) => lines.push(text));
  return { code, text: lines.join('\n') };
}
const countRows = async () => (await server.sql('SELECT FROM finding_counts')).length;
const total = async () => {
  const answer = await server.gql('{ findings { totalCount } }', {}, await server.signIn());
  return answer.expectData().findings.totalCount;
};

describe('recount', () => {
  it('proves counters that are right, and adds up their changes', async () => {
    expect(await countRows()).toBe(4);
    expect(await run()).toEqual({ code: 0, text: 'The counters of findings are right.' });
    expect(await countRows()).toBe(3);
    expect(await total()).toBe(4);
  });

  it('names the counters that differ, and corrects them with --fix', async () => {
    await server.sql('UPDATE finding_counts SET change = 7 WHERE severity = 4');
    const found = await run();
    expect(found.code).toBe(1);
    expect(found.text).toMatch(/^WRONG +CRITICAL OPEN PRESENT of project \S+: 7 counted, 1 there/);
    expect(await total()).toBe(10);
    expect((await run('--fix')).code).toBe(0);
    expect(await countFaults(server)).toEqual([]);
    expect(await total()).toBe(4);
    expect(await run()).toMatchObject({ code: 0 });
  });

  it('corrects counters that are missing and counters of nothing', async () => {
    await server.sql(`DELETE FROM finding_counts WHERE severity = 1`);
    await server.sql(
      `INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
       SELECT project_id, 'RESOLVED', 0, false, 2 FROM findings LIMIT 1`,
    );
    expect((await run('--fix')).text.match(/^corrected/gm)).toHaveLength(2);
    expect(await countFaults(server)).toEqual([]);
  });

  it('names and corrects sums of statistics', async () => {
    await server.sql(`UPDATE open_counts SET change = 5 WHERE facet = 'SEVERITY' AND value = '4'`);
    await server.sql(`UPDATE trend_counts SET high = high + 2 WHERE minutes = 60 AND series_id = 0`);
    await server.sql(
      `INSERT INTO due_counts (project_id, series_id, minutes, starts_at, change)
       SELECT project_id, 0, 1440, '2026-01-01T00:00:00Z', 1 FROM findings LIMIT 1`,
    );
    const found = await run();
    expect(found.code).toBe(1);
    expect(found.text).toMatch(/^WRONG +series \d+, severity 4 of project \S+: 5 counted, 1 there/m);
    expect(found.text).toMatch(/^WRONG +due within 1440 min from 2026-01-01 .*: 1 counted, 0 there/m);
    expect(found.text).toMatch(/^WRONG +trend by 60 min, severity 3 of project \S+: \d+ counted, 1 there/m);
    expect((await run('--fix')).code).toBe(0);
    expect(await run()).toEqual({ code: 0, text: 'The counters of findings are right.' });
  });

  it('says what it needs when it is called wrongly', async () => {
    const { code, text } = await run('--nothing');
    expect(code).toBe(2);
    expect(text).toContain('Usage: recount');
  });
});

it('adds up many changes in the background', async () => {
  await server.sql(
    `INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
     SELECT project_id, 'OPEN', 2, true, number FROM (SELECT project_id FROM findings LIMIT 1) AS one,
       unnest(array_cat(array_fill(1, ARRAY[600]), array_fill(-1, ARRAY[600]))) AS number`,
  );
  await until(async () => (await countRows()) <= 4, 'the sums');
  expect(await countFaults(server)).toEqual([]);
});
