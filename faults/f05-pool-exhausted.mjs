// F5: all 20 database connections are taken by statements that do not end.
import { failuresOf, longest, tally } from './kit/figures.mjs';
import { call, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

export const title = 'pool of 20 exhausted by slow queries';

export async function run(scene, figures) {
  const postgres = await scene.postgres();
  const { server, token } = await scene.signedIn();
  const blocker = await postgres.connect();
  scene.later(() => blocker.end());
  const connections = async () =>
    (
      await postgres.sql(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'sec-tester-api'",
      )
    )[0].n;

  // Shared connections are opened at the first read.
  for (let n = 0; n < 20; n += 1) await call(server.url, requests.list(token));
  await blocker.query('BEGIN; LOCK TABLE test_executions IN ACCESS EXCLUSIVE MODE');
  // Reads share two of the connections, writes take the other 18.
  const held = Array.from({ length: 20 }, (_, n) =>
    call(server.url, n < 2 ? requests.list(token) : requests.write(token)),
  );
  await sleep(300);
  const excess = Array.from({ length: 180 }, (_, n) =>
    call(server.url, n % 2 === 0 ? requests.list(token) : requests.write(token)),
  );
  let most = 0;
  const watching = setInterval(async () => {
    most = Math.max(most, await connections());
  }, 100);
  const refused = await Promise.all(excess);
  clearInterval(watching);
  most = Math.max(most, await connections());
  await blocker.query('COMMIT');
  const holders = await Promise.all(held);
  const after = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      call(server.url, n % 2 ? requests.list(token) : requests.write(token)),
    ),
  );

  figures.atMost('Connections in pg_stat_activity', most, 20);
  figures.note('The 20 that hold one', tally(holders));
  figures.note('The 180 in excess', tally(refused));
  figures.is(
    '… that are no 503 with Retry-After',
    refused.filter(({ status, headers }) => status !== 503 || !(Number(headers['retry-after']) >= 1)).length,
    0,
  );
  figures.atMost('… the slowest', longest(refused), 2000, 'ms');
  figures.is('Failures among 100 requests once it is over', failuresOf(after).length, 0);
  figures.is(
    'Statements that wait for a lock then',
    (await postgres.sql('SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted'))[0].n,
    0,
  );
}
