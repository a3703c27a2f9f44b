// F1: PostgreSQL dies under write load and comes back.
import { failuresOf, longest, tally } from './kit/figures.mjs';
import { clock, sleep } from './kit/time.mjs';

/** For how long an instance believes what it knows of a session: its own profile is answered from that. */
const believedMs = 1000;

export const title = 'kill -9 of PostgreSQL under write load, then restart';

export async function run(scene, figures) {
  const postgres = await scene.postgres();
  const { server, token } = await scene.signedIn();
  const kinds = ['write', 'write', 'list', 'me'];
  const load = scene.load('closed', { urls: [server.url], token, kinds, connections: 16 });
  await load.ready;
  await sleep(4000);
  const pid = server.pid();
  await postgres.kill();
  const killedAt = clock();
  await sleep(6000);
  const stillDownAt = clock();
  const acceptedAt = await postgres.start();
  await sleep(5000);
  const samples = await load.stop();

  const acknowledged = samples.flatMap(({ id }) => id ?? []);
  const rows = await postgres.sql('SELECT id FROM test_executions');
  const kept = new Set(rows.map(({ id }) => `exe_${id}`));
  const isBelieved = ({ kind, at, status }) => kind === 'me' && status === 200 && at < killedAt + believedMs;
  const down = samples.filter((sample) => {
    return sample.at > killedAt && sample.at < stillDownAt && !isBelieved(sample);
  });
  const after = samples.filter(({ at, ms }) => at + ms > acceptedAt);
  const firstSuccess = Math.min(...after.filter(({ status }) => status === 200).map(({ at, ms }) => at + ms));
  const settled = samples.filter(({ at }) => at > acceptedAt + 3000);
  const isRefused = ({ status, code, kind, type }) =>
    status === 503 &&
    code === 'UNAVAILABLE' &&
    (kind !== 'me' || type.startsWith('application/problem+json'));

  figures.note('Writes acknowledged', acknowledged.length);
  figures.is('… of them lost', acknowledged.filter((id) => !kept.has(id)).length, 0);
  figures.note('Answers while it is down', tally(down));
  figures.is('… that are no 503 UNAVAILABLE', down.filter((sample) => !isRefused(sample)).length, 0);
  figures.atMost('… the slowest', longest(down), 2000, 'ms');
  figures.atMost('First success after it takes connections', firstSuccess - acceptedAt, 3000, 'ms');
  figures.is('Failures from 3 s after that', failuresOf(settled).length, 0);
  figures.is('The server is the same process', server.isRunning() && server.pid() === pid, true);
}
