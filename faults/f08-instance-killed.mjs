// F8: one of two instances dies; what it knew lives on in the other.
import { failuresOf, tally } from './kit/figures.mjs';
import { act, call, must, report, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

export const title = 'kill -9 of one of two instances';

export async function run(scene, figures) {
  const { a, b, token } = await scene.twins();
  const [person, guessed] = [await scene.person(a, token), await scene.person(a, token)];
  const sessions = await Promise.all(Array.from({ length: 10 }, () => scene.signIn(a, person)));
  const [revoked, kept] = [sessions.slice(0, 5), sessions.slice(5)];
  for (let n = 0; n < 5; n += 1) {
    await call(a.url, requests.login(undefined, { email: guessed.email, password: `no such password ${n}` }));
  }
  const executionId = await scene.execution(a, token);
  const counts = { sse: 10, websocket: 10 };
  const onA = scene.load('streams', { urls: [a.url], token, executionId, counts });
  await onA.ready;
  for (let n = 1; n <= 20; n += 1) await must(a.url, report(token, executionId, n, `#${n}`));
  await Promise.all(revoked.map(({ accessToken }) => must(a.url, requests.logout(accessToken))));
  a.signal('SIGKILL');
  await a.ended();

  const uses = await Promise.all(revoked.map(({ accessToken }) => call(b.url, requests.me(accessToken))));
  const stillIn = await Promise.all(kept.map(({ accessToken }) => call(b.url, requests.me(accessToken))));
  const refreshed = await Promise.all(
    kept.map(({ refreshToken }) => call(b.url, requests.refresh(undefined, refreshToken))),
  );
  const locked = await call(b.url, requests.login(undefined, guessed));
  for (let n = 21; n <= 40; n += 1) await must(b.url, report(token, executionId, n, `#${n}`));
  await sleep(300);
  const before = await onA.stop();
  // Each client comes again with the last event that it has.
  const again = before.map(({ kind, events }) =>
    scene.load('streams', {
      urls: [b.url],
      token,
      executionId,
      after: events.at(-1)?.id,
      counts: { [kind]: 1 },
    }),
  );
  await Promise.all(again.map(({ ready }) => ready));
  for (let n = 41; n <= 50; n += 1) await must(b.url, report(token, executionId, n, `#${n}`));
  await must(b.url, act(token, 'completeExecution', executionId));
  await sleep(1500);
  const after = await Promise.all(again.map(async (load) => (await load.stop())[0]));

  const { sql } = await scene.postgres();
  const rows = await sql('SELECT id FROM execution_events WHERE execution_id = $1 ORDER BY number', [
    executionId.slice(4),
  ]);
  const log = rows.map(({ id }) => `evt_${id}`).join();
  const whole = before.map(({ events }, n) => [...events, ...after[n].events].map(({ id }) => id).join());
  figures.is('Sessions lost, of 5', failuresOf(stillIn).length, 0);
  figures.note('… refreshed on the other', tally(refreshed));
  figures.is('… failed', failuresOf(refreshed).length, 0);
  figures.is('Revoked tokens accepted, of 5', uses.filter(({ status }) => status !== 401).length, 0);
  figures.is('The right password after five wrong ones on the dead one', locked.code, 'INVALID_CREDENTIALS');
  figures.is(
    `Clients that missed or doubled one of ${rows.length} events, of ${before.length}`,
    whole.filter((ids) => ids !== log).length,
    0,
  );
}
