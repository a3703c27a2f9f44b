// The command-line client's commands on projects, against a real server.
import { expect, it } from '@jest/globals';
import { cliAt } from '../../kit/programs/shell.js';
import { importRules } from '../../kit/receiver.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');

const cli = (token: string, ...args: string[]) => cliAt(server, args, { env: { SEC_TESTER_TOKEN: token } });

const json = async (...args: string[]) => JSON.parse((await cli(adminToken, ...args, '--json')).out);

it('creates, lists, changes and archives projects', async () => {
  expect(await cli(adminToken, 'projects', 'create', 'web', '--name', 'Web shop')).toMatchObject({
    code: 0,
    out: 'web\n',
  });
  const listed = await cli(analyst.token, 'projects');
  expect([listed.code, listed.out]).toEqual([
    0,
    expect.stringMatching(/default +INTERNAL[\s\S]*web +INTERNAL.*Web shop/),
  ]);
  await cli(adminToken, 'projects', 'update', 'web', '--visibility', 'private', '--days-critical', '7');
  expect((await json('projects', 'list', '--search', 'web')).projects).toEqual([
    expect.objectContaining({ key: 'web', visibility: 'PRIVATE', name: 'Web shop' }),
  ]);
  expect((await cli(analyst.token, 'projects', 'list')).out).not.toContain('web');
  expect(await server.sql("SELECT days_critical FROM projects WHERE key = 'web'")).toEqual([
    { days_critical: 7 },
  ]);
  await cli(adminToken, 'projects', 'update', 'web', '--days-critical', 'none');
  expect(await server.sql("SELECT days_critical FROM projects WHERE key = 'web'")).toEqual([
    { days_critical: null },
  ]);
  expect((await json('projects', 'archive', 'web')).archivedAt).not.toBeNull();
  expect((await json('projects', 'list', '--archived')).projects).toHaveLength(1);
});

it('lists members, and changes them by e-mail address and by id', async () => {
  await cli(adminToken, 'projects', 'create', 'team', '--visibility', 'private');
  const set = await cli(
    adminToken,
    'projects',
    'members',
    'team',
    '--set',
    analyst.email,
    '--role',
    'viewer',
  );
  expect([set.code, set.out]).toEqual([0, expect.stringMatching(new RegExp(`${analyst.id} +VIEWER`))]);
  expect((await cli(analyst.token, 'projects', 'members', 'team')).out).toContain(analyst.id);
  const removed = await cli(adminToken, 'projects', 'members', 'team', '--remove', analyst.id);
  expect(removed).toMatchObject({ code: 0, out: '', err: expect.stringContaining('There are none.') });
  expect((await cli(analyst.token, 'projects', 'members', 'team')).code).toBe(3);
});

it('makes and lists executions of a project', async () => {
  await cli(adminToken, 'projects', 'create', 'runs');
  const run = [
    'run',
    '--target',
    'repo',
    '--kind',
    'sast',
    '--project',
    'runs',
    '--category',
    'api',
    '--no-wait',
  ];
  const id = (await cli(analyst.token, ...run)).out.trim();
  const { executions } = await json('executions', '--project', 'runs');
  expect(executions.map((execution: { id: string }) => execution.id)).toEqual([id]);
  expect(await server.sql('SELECT category FROM test_executions WHERE id = $1', [id.slice(4)])).toEqual([
    { category: 'api' },
  ]);
});

it('refuses what is no change, and a user who is nobody', async () => {
  expect((await cli(adminToken, 'projects', 'update', 'default')).code).toBe(2);
  expect(
    (await cli(adminToken, 'projects', 'members', 'default', '--set', 'a@b.test', '--remove', 'c@d.test'))
      .code,
  ).toBe(2);
  const nobody = await cli(adminToken, 'projects', 'members', 'default', '--set', 'nobody@people.test');
  expect(nobody).toMatchObject({ code: 3, err: expect.stringContaining('nobody@people.test') });
});

it('tries out retention, holds an execution, and deletes a project once its key is repeated', async () => {
  await cli(adminToken, 'projects', 'create', 'old');
  const first = await importRules(server, adminToken, 'old', ['r1'], 'old');
  await importRules(server, adminToken, 'old', ['r1'], 'old');
  const limits = ['--retain-executions', '1'];
  expect((await json('projects', 'retention', 'old', ...limits)).retention).toMatchObject([
    { project: { key: 'old' }, retainExecutions: 1, executions: 1, held: 0 },
  ]);
  await cli(adminToken, 'projects', 'update', 'old', ...limits);
  expect((await cli(adminToken, 'projects', 'retention')).out).toMatch(/old +none +1 +1 +1 +0 +0/);
  expect(await json('projects', 'hold', first, '--reason', 'Case 7')).toMatchObject({ holdReason: 'Case 7' });
  expect((await json('projects', 'delete', 'old', '--dry-run')).heldExecutions).toBe(1);
  const counted = await cli(adminToken, 'projects', 'delete', 'old', '--dry-run');
  expect(counted.out).toMatch(/^API keys +0\n(.+\n)*Executions under a legal hold +1$/m);
  expect((await cli(adminToken, 'projects', 'delete', 'old')).code).toBe(2);
  expect((await cli(adminToken, 'projects', 'delete', 'old', '--confirm', 'old')).code).not.toBe(0);
  expect(await json('projects', 'hold', first, '--release')).toMatchObject({ holdReason: null });
  const deleted = await json('projects', 'delete', 'old', '--confirm', 'old');
  expect(deleted).toMatchObject({ deletedId: expect.stringMatching(/^prj_/), executions: 2, findings: 1 });
  expect((await json('projects', 'list', '--search', 'old')).projects).toEqual([]);
});
