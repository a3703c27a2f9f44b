// The demonstration month, put into a database of the test's and read back through the API.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { scoreCvss } from '../../../src/features/result/cvss.js';
import { computeFingerprint } from '../../../src/features/result/fingerprint.js';
import { ownerUrlOf } from '../../kit/harness.js';
import { follow } from '../../kit/live.js';
import { build } from '../../kit/programs/build.js';
import { useServer } from '../../kit/use.js';

const seedPassword = 'harbor quilt 6120 violet lamp';
await build();
const server = await useServer();
const token = await server.signIn();

function seed(databaseUrl: string, args: string[] = [], env: Record<string, string> = {}) {
  return new Promise<{ code: number; out: string }>((resolve) => {
    const options = {
      env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl, SEED_PASSWORD: seedPassword, ...env },
    };
    const words = ['scripts/seed-demo.mjs', '--until', '2026-06-30', ...args];
    execFile(process.execPath, words, options, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out: out + err }),
    );
  });
}

it('is a month that the API reads: exact counts, whole logs, people who can sign in', async () => {
  const url = ownerUrlOf(server.databaseUrl);
  expect(await seed(url)).toMatchObject({ code: 0, out: expect.stringContaining('50 users') });
  const wrong = await server.sql(`
    SELECT e.id FROM test_executions e
    WHERE (SELECT count(*) FROM test_results r WHERE r.execution_id = e.id)
        <> info_count + low_count + medium_count + high_count + critical_count
      OR (SELECT max(number) FROM execution_events v WHERE v.execution_id = e.id) <> last_event_number
      OR (SELECT count(*) FROM execution_events v WHERE v.execution_id = e.id) <> last_event_number`);
  expect(wrong).toEqual([]);
  const data = (
    await server.gql(
      `{ users { totalCount } executions(filter: { status: COMPLETED }, first: 1) { totalCount nodes { id severityCounts { total } results { totalCount nodes { severity cvssScore fingerprint } } } }
         results { totalCount } }`,
      {},
      token,
    )
  ).expectData();
  expect(data.users.totalCount).toBe(51);
  expect(data.executions.totalCount).toBeGreaterThan(500);
  expect(data.results.totalCount).toBeGreaterThan(20_000);
  const [last] = data.executions.nodes;
  expect(last.results.totalCount).toBe(last.severityCounts.total);
  const following = follow('event stream', server, token, last.id);
  expect(await following.ended).toBe('complete');
  expect(following.events.at(0)?.type).toBe('CREATED');
  expect(following.events.at(-1)).toMatchObject({ type: 'COMPLETED', execution: { progress: 100 } });
  await server.signIn('carla.okafor@demo.test', seedPassword);

  expect(await seed(url)).toMatchObject({ code: 0, out: expect.stringContaining('nothing was changed') });
  expect(await seed(url, ['--remove'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('Removed 50'),
  });
  expect(await server.sql('SELECT email FROM users')).toHaveLength(1);
  expect(await server.sql('SELECT FROM test_results LIMIT 1')).toEqual([]);
});

it('is the same for the same seed and day, another one for another seed', async () => {
  // JavaScript without types, as all scripts are.
  const { makeMonth } = await import('../../../scripts/demo/month.mjs' as string);
  const print = (name: string, day: string) => {
    const scoreOf = (vector: string) => (scoreCvss(vector) as { score: number }).score;
    const until = Date.parse(`${day}T18:00:00Z`);
    const month = makeMonth({
      seed: name,
      until,
      passwordHash: '',
      fingerprintOf: computeFingerprint,
      scoreOf,
    });
    return createHash('sha256').update(JSON.stringify(month)).digest('hex');
  };
  const first = print('one', '2026-06-30');
  expect(print('one', '2026-06-30')).toBe(first);
  expect(print('two', '2026-06-30')).not.toBe(first);
  expect(print('one', '2026-07-01')).not.toBe(first);
});

it('is refused in production, and on another machine unless asked for', async () => {
  const url = ownerUrlOf(server.databaseUrl);
  expect(await seed(url, [], { NODE_ENV: 'production' })).toMatchObject({ code: 2 });
  const away = await seed('postgresql://nobody@db.example.invalid/sec_tester');
  expect(away).toMatchObject({ code: 2, out: expect.stringContaining('--yes') });
});
