// The client's command export against a real server: to standard output, to a file, and its errors.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { cliAt } from '../../kit/programs/shell.js';
import { importRules } from '../../kit/receiver.js';
import { useFolder, useServer } from '../../kit/use.js';

const folder = useFolder();
const server = await useServer();
const token = await server.signIn();
const execution = await importRules(server, token, 'shop', ['r1', 'r2']);

const cli = (...args: string[]) => cliAt(server, ['export', ...args], { env: { SEC_TESTER_TOKEN: token } });

it('writes an execution to standard output, as SARIF by default', async () => {
  const { code, out } = await cli(execution);
  expect(code).toBe(0);
  expect(JSON.parse(out).runs[0].results).toHaveLength(2);
});

it('writes findings to a file', async () => {
  const file = join(folder, 'findings.csv');
  expect(await cli('--target', 'shop', '--format', 'csv', '--out', file)).toEqual({
    code: 0,
    out: '',
    err: '',
  });
  expect(readFileSync(file, 'utf8').trim().split('\r\n')).toHaveLength(3);
});

it('filters findings, and compares with a base', async () => {
  const lines = async (...args: string[]) => {
    const { code, out, err } = await cli('--format', 'ndjson', ...args);
    expect([code, err]).toEqual([0, '']);
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  };
  expect(await lines('--target', 'shop', '--rule', 'r1', '--triage', 'open,confirmed')).toHaveLength(1);
  expect(
    await lines('--target', 'shop', '--severity', 'critical', '--since', '2020-01-01T00:00:00Z'),
  ).toEqual([]);
  expect((await lines(execution, '--base', execution)).map(({ baselineState }) => baselineState)).toEqual([
    'unchanged',
    'unchanged',
  ]);
  expect((await cli(execution, '--base', 'nowhere')).err).toContain('base');
});

it('says what is wrong', async () => {
  expect((await cli('exe_00000000-0000-7000-8000-000000000000')).code).toBe(3);
  expect((await cli(execution, '--target', 'shop')).code).toBe(2);
  expect((await cli('--format', 'pdf')).code).toBe(2);
});
