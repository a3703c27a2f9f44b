// `sec-tester import` and the step of a CI job, against a real server.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { build } from '../../kit/programs/build.js';
import { cliAt } from '../../kit/programs/shell.js';
import { startExecution } from '../../kit/seed.js';
import { useFolder, useServer } from '../../kit/use.js';

await build();
const server = await useServer();
const token = await server.signIn();
const folder = useFolder();

const flaws = 'tests/fixtures/reports/flawfinder.sarif';
const envOf = () => ({ SEC_TESTER_URL: server.url, SEC_TESTER_TOKEN: token, XDG_CONFIG_HOME: folder });

const cli = (args: string[], input?: string | Buffer | Readable) =>
  cliAt(server, args, { env: envOf(), input });

describe('sec-tester import', () => {
  it('sends a report and shows what the server made of it', async () => {
    const run = await cli(['import', flaws, '--target', 'flaws', '--branch', 'main']);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toMatch(
      /Report +Format +Read +Added +New +Unchanged +Reopened +Absent +Duplicates +Skipped/,
    );
    expect(run.out).toMatch(/flawfinder\.sarif +SARIF +19 +19 +19 +0 +0 +0 +0 +0/);
    const again = await cli(['import', flaws, '--target', 'flaws', '--branch', 'main']);
    expect(again.out).toMatch(/flawfinder\.sarif +SARIF +19 +19 +0 +19 +0 +0 +0 +0/);
  });

  it('reads standard input, also compressed, and prints JSON', async () => {
    const run = await cli(['import', '-', '--target', 'piped', '--json'], gzipSync(readFileSync(flaws)));
    expect(JSON.parse(run.out)).toMatchObject({
      imports: [{ file: 'standard input', state: 'COMPLETED', added: 19, counts: { total: 19 } }],
    });
  });

  it('expands patterns and decides by --fail-on', async () => {
    for (const name of ['one', 'two']) writeFileSync(join(folder, `${name}.report`), readFileSync(flaws));
    const run = await cli(['import', `${folder}/*.report`, '--target', 'many', '--fail-on', 'high']);
    expect(run.code).toBe(1);
    expect(run.out).toMatch(/one\.report.*19[\s\S]*two\.report.*19/);
    expect(run.err).toContain('Not passed: 30 results of HIGH or above.');
    expect((await cli(['import', flaws, '--target', 'many', '--fail-on', 'critical'])).code).toBe(0);
  });

  it('goes on after a report that the server refuses, and shows it among the others', async () => {
    writeFileSync(join(folder, 'unknown.json'), '{"hello":1}');
    const files = [flaws, join(folder, 'unknown.json'), 'tests/fixtures/reports/formats/gitleaks.json'];
    const run = await cli(['import', ...files, '--target', 'mixed']);
    expect(run.code).toBe(1);
    expect(run.out).toMatch(
      /flawfinder\.sarif +SARIF +19[\s\S]*unknown\.json +refused +-[\s\S]*gitleaks\.json +GITLEAKS/,
    );
    expect(run.err).toMatch(/unknown\.json: refused: .* \(VALIDATION_FAILED\)/);
    expect(run.err).toContain('Not passed: 1 of 3 reports were refused.');
    const json = await cli(['import', ...files, '--target', 'mixed', '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out).imports).toMatchObject([
      { file: flaws, state: 'COMPLETED', unchangedFindings: 19 },
      { state: 'REFUSED', error: { code: 'VALIDATION_FAILED' } },
      { state: 'COMPLETED', format: 'GITLEAKS' },
    ]);
  });

  it('sends nothing when one of the files is missing', async () => {
    const run = await cli(['import', flaws, 'nowhere.json', '--target', 'untouched']);
    expect(run).toMatchObject({ code: 2, out: '' });
    const list = await cli(['executions', '--target', 'untouched', '--json']);
    expect(list.out).not.toContain('untouched');
  });

  it('shows the reports that ended before a fault that stops the list', async () => {
    const broken = new Readable({
      read() {
        this.destroy(new Error('the pipe is gone'));
      },
    });
    const run = await cli(['import', flaws, '-', flaws, '--target', 'stopped'], broken);
    expect(run.code).toBe(3);
    expect(run.out).toMatch(/flawfinder\.sarif +SARIF +19/);
    expect(run.err).toContain('Stopped at standard input; 1 more not sent.');
    expect(run.err).toContain('the pipe is gone');
  });

  it('says why entries of a report were skipped', async () => {
    const run = await cli([
      'import',
      'tests/fixtures/reports/formats/testssl.json',
      '--target',
      'tls.example',
    ]);
    expect(run.out).toMatch(/Skipped: \d+ \w+/);
  });

  it('adds to a running execution', async () => {
    const id = await startExecution(server, token);
    const run = await cli(['import', flaws, '--execution', id, '--json']);
    expect(JSON.parse(run.out)).toMatchObject({
      imports: [{ added: 19, execution: { id, status: 'RUNNING' } }],
    });
  });

  it('sends the same report once under one key', async () => {
    const first = await cli(['import', flaws, '--target', 'keyed', '--key', 'n-1', '--json']);
    const second = await cli(['import', flaws, '--target', 'keyed', '--key', 'n-1', '--json']);
    expect(JSON.parse(second.out).imports[0].id).toBe(JSON.parse(first.out).imports[0].id);
  });

  it.each<[string, string[], string | undefined, number, RegExp]>([
    [
      'a report that breaks off',
      ['--target', 'bad', '-'],
      readFileSync(flaws, 'utf8').slice(0, 9000),
      1,
      /Failed: The report .*cut off|Failed: The report/,
    ],
    [
      'a run that was not whole',
      ['--target', 'bad', '-'],
      '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"T"}}}]}',
      1,
      /Incomplete run: Run 1 has no results/,
    ],
    ['an unknown format', ['--target', 'bad', '-'], '{"hello":1}', 1, /refused: .*VALIDATION_FAILED/],
    ['a format that there is not', ['--target', 'bad', '--format', 'nothing', flaws], undefined, 3, /format/],
    [
      'a file that is not there',
      ['--target', 'bad', 'nowhere.json'],
      undefined,
      2,
      /nowhere\.json cannot be read/,
    ],
    ['a pattern without a match', ['--target', 'bad', 'no*thing.json'], undefined, 2, /No file matches/],
    ['no target', [flaws], undefined, 2, /--target/],
    [
      'a project that is not there',
      ['--target', 'bad', '--project', 'nowhere', flaws],
      undefined,
      3,
      /NOT_FOUND/,
    ],
  ])('tells %s in words', async (_name, args, input, code, words) => {
    const run = await cli(['import', ...args], input);
    expect(run.code).toBe(code);
    expect(run.err).toMatch(words);
  });
});

describe('examples/ci-import.sh', () => {
  it('ends a job by its exit code', async () => {
    const run = (severity: string) =>
      new Promise<number | null>((resolve) => {
        const child = spawn('examples/ci-import.sh', [flaws, severity], {
          env: { PATH: process.env.PATH, ...envOf() },
          stdio: 'ignore',
        });
        child.on('close', resolve);
      });
    expect(await run('high')).toBe(1);
    expect(await run('critical')).toBe(0);
  });
});
