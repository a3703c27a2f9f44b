// The client's command findings against a real server: its table, its JSON, its filters and orders.
import { describe, expect, it } from '@jest/globals';
import { insertBranch, insertFinding, insertProject, insertRun } from '../../kit/findings.js';
import { cliAt } from '../../kit/programs/shell.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const viewer = await createPerson(server, await server.signIn(), 'VIEWER');
const shop = await insertBranch(server, { target: 'shop', name: 'main', category: 'nightly' });
const run = await insertRun(server, shop, new Date());
for (let index = 0; index < 130; index += 1)
  await insertFinding(server, {
    ...{ branch: shop, executionId: run, severity: index < 3 ? 4 : 1, title: `Finding ${index}` },
    ...{ ruleId: `rule-${index % 2}`, cweIds: [79 + (index % 2)], path: `src/${index}.ts` },
    ...{ triage: index === 1 ? 'CONFIRMED' : 'OPEN', cveIds: index === 7 ? ['CVE-2021-44228'] : [] },
    dueAt: index === 1 ? new Date('2026-01-31T00:00:00Z') : null,
    firstSeenAt: new Date(Date.UTC(2026, 0, 1, 0, index)),
  });
const other = await insertBranch(server, { projectId: await insertProject(server, 'other'), tool: 'zap' });
await insertFinding(server, {
  branch: other,
  executionId: await insertRun(server, other, new Date()),
  title: 'Elsewhere',
});

const cli = (...args: string[]) =>
  cliAt(server, ['findings', ...args], { env: { SEC_TESTER_TOKEN: viewer.token } });

const titles = async (...args: string[]) =>
  JSON.parse((await cli('--json', '--limit', '1000', ...args)).out).findings.map(
    ({ title }: { title: string }) => title,
  );

describe('sec-tester findings', () => {
  it('lists the worst first as a table', async () => {
    const { code, out, err } = await cli('--limit', '4', '--project', 'default');
    expect(code).toBe(0);
    const rows = out.split('\n').map((row) => row.split(/ {2,}/));
    expect(rows[0]).toEqual(['Severity', 'Title', 'Triage', 'Rule', 'Where', 'Target', 'First seen', 'Due']);
    expect(rows[2]).toEqual([
      'CRITICAL',
      'Finding 1',
      'CONFIRMED',
      'rule-1',
      'src/1.ts:7',
      'shop',
      '2026-01-01',
      '2026-01-31',
    ]);
    expect(out.match(/^(CRITICAL|LOW)/gm)).toEqual(['CRITICAL', 'CRITICAL', 'CRITICAL', 'LOW']);
    expect(err).toContain('more than these 4');
  });

  it('reads as many pages as the limit asks for', async () => {
    expect(await titles()).toHaveLength(131);
    const some = JSON.parse((await cli('--json', '--limit', '120')).out);
    expect(some).toMatchObject({ hasMore: true, findings: { length: 120 } });
  });

  it.each([
    [
      ['--severity', 'critical', '--triage', 'open'],
      ['Finding 2', 'Finding 0'],
    ],
    [['--triage', 'confirmed,resolved'], ['Finding 1']],
    [['--overdue'], ['Finding 1']],
    [['--project', 'other'], ['Elsewhere']],
    [['--tool', 'ZAP'], ['Elsewhere']],
    [['--cve', 'cve-2021-44228'], ['Finding 7']],
    [['--search', 'src/12.ts'], ['Finding 12']],
    [['--rule', 'rule-1', '--cwe', 'CWE-80', '--severity', 'critical'], ['Finding 1']],
    [
      [
        '--target',
        'shop',
        '--branch',
        'main',
        '--category',
        'nightly',
        '--severity',
        'critical',
        '--order',
        'first-seen',
        '--ascending',
      ],
      ['Finding 0', 'Finding 1', 'Finding 2'],
    ],
    [
      ['--since', '2026-01-01T02:08:00Z', '--project', 'default', '--order', 'first-seen'],
      ['Finding 129', 'Finding 128'],
    ],
    [['--before', '2026-01-01T00:01:00Z'], ['Finding 0']],
    [['--presence', 'absent'], []],
  ])('filters by %j', async (args, wanted) => {
    expect(await titles(...args)).toEqual(wanted);
  });

  it('ends with 2 for words that no filter has', async () => {
    for (const args of [
      ['--triage', 'maybe'],
      ['--order', 'title'],
      ['--presence', 'gone'],
      ['--cwe', 'x'],
    ])
      expect((await cli(...args)).code).toBe(2);
    expect((await cli('--since', 'yesterday')).code).not.toBe(0);
  });
});
