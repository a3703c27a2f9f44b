// F3: Redis dies under load and comes back; two instances.
import { failuresOf, tally } from './kit/figures.mjs';
import { act, call, must, report, requests } from './kit/scene.mjs';
import { clock, sleep, until } from './kit/time.mjs';

export const title = 'kill -9 of Redis under load, then restart; two instances';

export async function run(scene, figures) {
  const { redis, a, b, token } = await scene.twins();
  const person = await scene.person(a, token);
  const guessed = await scene.person(a, token);
  const revoked = await Promise.all([a, b, a, b].map((server) => scene.signIn(server, person)));
  const executionId = await scene.execution(a, token);
  const counts = { sse: 4, websocket: 4 };
  const streams = scene.load('streams', { urls: [a.url, b.url], token, executionId, counts });
  const kinds = ['list', 'write', 'me'];
  const load = scene.load('closed', { urls: [a.url, b.url], token, kinds, connections: 8 });
  await Promise.all([streams.ready, load.ready]);
  let phase = 0;
  const step = () => {
    phase += 1;
    return must([a, b][phase % 2].url, report(token, executionId, phase % 100, `#${phase}`));
  };
  for (let n = 0; n < 10; n += 1) await step();

  await redis.kill();
  const killedAt = clock();
  for (let n = 0; n < 20; n += 1) {
    await step();
    await sleep(100);
  }
  // Signed out on one instance, used on the other a second later.
  await Promise.all(
    revoked.map(({ accessToken }, n) => must([a, b][n % 2].url, requests.logout(accessToken))),
  );
  await sleep(1000);
  const uses = await Promise.all(
    revoked.flatMap(({ accessToken }) =>
      [a, b].flatMap(({ url }) => Array.from({ length: 25 }, () => call(url, requests.me(accessToken)))),
    ),
  );
  const guess = (password) => call(a.url, requests.login(undefined, { email: guessed.email, password }));
  for (let n = 0; n < 5; n += 1) await guess(`no such password ${n}`);
  const afterLock = await guess(guessed.password);

  await sleep(1000);
  const backAt = await redis.start();
  const isWell = async () => {
    const answers = await Promise.all([a, b].map(({ url }) => call(url, requests.health())));
    return answers.every(({ body }) => body.status === 'healthy');
  };
  const wellAt = await until(isWell, 'healthy again', 20_000, 50);
  for (let n = 0; n < 10; n += 1) {
    await step();
    await sleep(50);
  }
  await must(a.url, act(token, 'completeExecution', executionId));
  await sleep(3000);
  const [samples, followed] = await Promise.all([load.stop(), streams.stop()]);

  const { sql } = await scene.postgres();
  const log = (
    await sql('SELECT id FROM execution_events WHERE execution_id = $1 ORDER BY number', [
      executionId.slice(4),
    ])
  ).map(({ id }) => `evt_${id}`);
  const isWhole = ({ events }) => events.map(({ id }) => id).join() === log.join();
  const during = samples.filter(({ at }) => at > killedAt && at < backAt);
  figures.note('Answers while it is away', tally(during));
  figures.is('… failed', failuresOf(during).length, 0);
  figures.is('Failures before and after', failuresOf(samples).length - failuresOf(during).length, 0);
  figures.is(
    `Revoked tokens accepted, of ${uses.length} uses 1 s later`,
    uses.filter(({ status }) => status !== 401).length,
    0,
  );
  figures.is('The right password after five wrong ones', afterLock.code, 'INVALID_CREDENTIALS');
  figures.is(
    `Streams with a gap or a double, of ${followed.length} (${log.length} events)`,
    followed.filter((stream) => !isWhole(stream)).length,
    0,
  );
  figures.atMost('Both healthy after it is back', wellAt - backAt, 3000, 'ms');
}
