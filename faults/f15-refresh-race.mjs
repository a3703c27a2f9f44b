// F15: fifty refreshes of one token at the same time, two hundred times, on two instances.
import { failuresOf, tally } from './kit/figures.mjs';
import { call, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const rounds = 200;
const parallel = 50;

export const title = '50 parallel refreshes of one token, 200 times; two instances';

export async function run(scene, figures) {
  const { a, b, token } = await scene.twins();
  const urls = [a.url, b.url];
  const person = await scene.person(a, token);
  let { refreshToken } = await scene.signIn(a, person);
  const failures = [];
  let split = 0;
  for (let round = 0; round < rounds; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: parallel }, (_, n) =>
        call(urls[n % 2], requests.refresh(undefined, refreshToken)),
      ),
    );
    failures.push(...failuresOf(answers));
    const next = new Set(answers.flatMap(({ body }) => body?.refreshToken ?? []));
    if (next.size !== 1) split += 1;
    refreshToken = [...next][0] ?? refreshToken;
  }
  const sessions = (await scene.postgres()).sql(
    'SELECT counter FROM sessions s JOIN users u ON u.id = s.user_id WHERE email = $1 AND revoked_at IS NULL',
    [person.email],
  );
  const alive = await sessions;

  const spent = refreshToken;
  const lost = await call(a.url, requests.refresh(undefined, spent)); // its answer is taken as lost
  await sleep(9000);
  const again = await call(b.url, requests.refresh(undefined, spent));
  await sleep(2000);
  const late = await call(b.url, requests.refresh(undefined, spent));
  const after = await call(a.url, requests.refresh(undefined, again.body.refreshToken));
  figures.is(`Rounds of ${rounds} with other than one lineage`, split, 0);
  figures.is(`Refreshes of ${rounds * parallel} that failed`, failures.length === 0 ? 0 : tally(failures), 0);
  figures.is('Live sessions', alive.length, 1);
  figures.is('… refreshed so many times', alive[0]?.counter, rounds);
  figures.is(
    'Lost answer, again after 9 s: the same token',
    again.status === 200 && again.body.refreshToken === lost.body.refreshToken,
    true,
  );
  figures.is('… after 11 s', late.code, 'TOKEN_REVOKED');
  figures.is('… and the session with it', after.code, 'TOKEN_REVOKED');
}
