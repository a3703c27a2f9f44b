// F13: 500 people sign in at once; the others must not notice.
import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { failuresOf, longest, p99, tally } from './kit/figures.mjs';
import { call, password, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const count = 500;
const parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** As many as the server's gate lets through at a time: one core is left to everything else. */
const atOnce = Math.max(1, availableParallelism() - 1);

export const title = '500 sign-ins at once, each of another account from another address';

export async function run(scene, figures) {
  const phc = await hash(password, parameters);
  const perSecond = await measureHashing(phc);
  const { sql } = await scene.postgres();
  const server = await scene.instance({ env: { TRUST_PROXY: '1' } });
  await sql(
    `INSERT INTO users (id, email, email_key, name, role, status, password_hash, created_at, updated_at)
    SELECT gen_random_uuid(), 'crowd-' || n || '@faults.test', 'crowd-' || n || '@faults.test', 'Crowd ' || n, 'VIEWER', 'ACTIVE', $1, now(), now()
    FROM generate_series(1, $2::int) AS n`,
    [phc, count],
  );
  const { accessToken: token } = await scene.signIn(server);
  const others = scene.load('open', {
    urls: [server.url],
    token,
    kinds: ['list', 'me', 'write'],
    perSecond: 60,
  });
  await others.ready;
  await sleep(3000);
  const started = performance.now();
  const ends = [];
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const headers = { 'X-Forwarded-For': `10.${n % 250}.${Math.floor(n / 250)}.1` };
      const credentials = { email: `crowd-${n + 1}@faults.test`, password };
      const answer = await call(server.url, { ...requests.login(undefined, credentials), headers });
      if (answer.status === 200) ends.push(performance.now());
      return answer;
    }),
  );
  const seconds = (Math.max(...ends) - started) / 1000;
  const samples = await others.stop();
  const taken = answers.filter(({ status }) => status === 200);
  const refused = failuresOf(answers);
  const rate = taken.length / seconds;
  figures.note(`Password checks a second, ${atOnce} at a time, without a server`, perSecond);
  figures.note('Sign-ins', tally(answers));
  figures.note('… a second', rate);
  figures.atLeast('… of what can be hashed', (rate / perSecond) * 100, 80, '%');
  figures.is(
    'Refused otherwise than with 503 or 429',
    refused.filter(({ status }) => status !== 503 && status !== 429).length,
    0,
  );
  figures.is(
    '… without Retry-After',
    refused.filter(({ headers }) => headers['retry-after'] === undefined).length,
    0,
  );
  figures.note('Slowest sign-in', longest(taken), 'ms');
  figures.is('Other requests that failed', failuresOf(samples).length, 0);
  figures.atMost('… 99 %', p99(samples), 200, 'ms');
}

async function measureHashing(phc) {
  let done = 0;
  const endsAt = performance.now() + 3000;
  const work = async () => {
    while (performance.now() < endsAt) {
      await verify(phc, password);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return done / 3;
}
