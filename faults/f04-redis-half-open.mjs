// F4: the way to Redis is lost without a word: connections stay open and nothing passes, for a minute.
import { failuresOf, longest, p99, tally } from './kit/figures.mjs';
import { call, must, report, requests } from './kit/scene.mjs';
import { clock, sleep, until } from './kit/time.mjs';

const lostMs = 60_000;

export const title = 'Redis cut off, half-open, for 60 s; two instances';

export async function run(scene, figures) {
  const redis = await scene.redis();
  const proxy = await scene.proxy(redis.url);
  const a = await scene.instance({ redisUrl: proxy.url });
  const b = await scene.instance({ redisUrl: proxy.url });
  const { accessToken: token } = await scene.signIn(a);
  const person = await scene.person(a, token);
  const guessed = await scene.person(a, token);
  const revoked = await scene.signIn(a, await scene.person(a, token));
  const urls = [a.url, b.url];
  const load = scene.load('open', { urls, token, kinds: ['list', 'write', 'me'], perSecond: 90 });
  const signIns = scene.load('open', { urls, kinds: ['login'], perSecond: 4, args: person });
  await Promise.all([load.ready, signIns.ready]);
  await sleep(6000);
  const heapOf = async (server) => (await server.ask('memory')).heapUsed / 2 ** 20;
  const before = await Promise.all([a, b].map(heapOf));

  proxy.cut();
  const cutAt = clock();
  await sleep(2000);
  await must(a.url, requests.logout(revoked.accessToken));
  await sleep(1000);
  const uses = await Promise.all(urls.map((url) => call(url, requests.me(revoked.accessToken))));
  const guess = (password) => call(b.url, requests.login(undefined, { email: guessed.email, password }));
  const guesses = [];
  for (let n = 0; n < 5; n += 1) guesses.push(await guess(`no such password ${n}`));
  const afterLock = await guess(guessed.password);
  await sleep(cutAt + lostMs - clock());
  const after = await Promise.all([a, b].map(heapOf));
  proxy.mend();
  const mendedAt = clock();
  const isWell = async () => {
    const answers = await Promise.all(urls.map((url) => call(url, requests.health())));
    return answers.every(({ body }) => body.status === 'healthy');
  };
  const wellAt = await until(isWell, 'healthy again', 20_000, 50);
  await sleep(Math.max(0, mendedAt + 3000 - clock()));
  const wakeUpMs = await measureWakeUp(scene, a, b, token);
  const [samples, logins] = await Promise.all([load.stop(), signIns.stop()]);

  const during = [...samples, ...logins].filter(({ at, ms }) => at + ms > cutAt && at < mendedAt);
  const ofLoad = during.filter(({ kind }) => kind !== 'login');
  figures.note('Answers meanwhile', tally(during));
  figures.is('… failed', failuresOf(during).length, 0);
  figures.atMost('Slowest read or write', longest(ofLoad), 1000, 'ms');
  figures.note('… 99 %', p99(ofLoad), 'ms');
  figures.atMost('Slowest sign-in', longest(during.filter(({ kind }) => kind === 'login')), 5000, 'ms');
  figures.atMost(
    'Heap grown, the worse of both',
    Math.max(...after.map((mb, n) => mb - before[n])),
    50,
    'MB',
  );
  figures.is('Revoked tokens accepted 1 s later', uses.filter(({ status }) => status !== 401).length, 0);
  figures.is('Wrong passwords let in', guesses.filter(({ status }) => status !== 401).length, 0);
  figures.is('The right password after five wrong ones', afterLock.code, 'INVALID_CREDENTIALS');
  figures.atMost('Both healthy after it is mended', wellAt - mendedAt, 3000, 'ms');
  figures.atMost('Wake-up across instances, 3 s after', wakeUpMs, 500, 'ms');
}

/** From a write on one instance to its event on the other. */
async function measureWakeUp(scene, a, b, token) {
  const executionId = await scene.execution(a, token);
  const streams = scene.load('streams', { urls: [b.url], token, executionId, counts: { sse: 1 } });
  await streams.ready;
  await sleep(300);
  const sentAt = clock();
  await must(a.url, report(token, executionId, 50, '#1'));
  await sleep(3000);
  const [{ events }] = await streams.stop();
  return (events.find(({ phase }) => phase === '#1')?.at ?? Number.POSITIVE_INFINITY) - sentAt;
}
