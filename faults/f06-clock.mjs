// F6: the clock of an instance is moved by ten minutes, forwards and back.
import { call, graphql, must, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const minutes = 60_000;
/** How far a token may seem to come from the future; docs/security/authentication.md. */
const leewaySeconds = 5;
const lifetimeSeconds = 900;

export const title = 'clock moved by 10 minutes';

export async function run(scene, figures) {
  const redis = await scene.redis();
  // Each guess comes from an address of its own: this is about the lock of an account.
  const env = { TRUST_PROXY: '1' };
  const a = await scene.instance({ redisUrl: redis.url, env });
  const b = await scene.instance({ redisUrl: redis.url, env });
  const first = await scene.signIn(a);
  const token = first.accessToken;
  const shift = (server, ms) => server.ask('shiftClock', ms);
  /** What instance B says to a new token of A when its clock is off by so much. */
  const seenFrom = async (ms) => {
    await shift(b, ms);
    const { accessToken } = await scene.signIn(a);
    const { status, code } = await call(b.url, requests.me(accessToken));
    await shift(b, 0);
    return code ?? status;
  };

  figures.is('Token of the moment, clock 10 minutes ahead', await seenFrom(10 * minutes), 200);
  figures.is('Token 2 s before its end', await seenFrom((lifetimeSeconds - 2) * 1000), 200);
  figures.is('Token 1 s after its end', await seenFrom((lifetimeSeconds + 1) * 1000), 'TOKEN_EXPIRED');
  figures.is(
    `Token from ${leewaySeconds - 1} s in the future`,
    await seenFrom(-(leewaySeconds - 1) * 1000),
    200,
  );
  figures.is(
    `Token from ${leewaySeconds + 2} s in the future`,
    await seenFrom(-(leewaySeconds + 2) * 1000),
    'UNAUTHENTICATED',
  );
  figures.is(
    'Token of the moment, clock 10 minutes behind',
    await seenFrom(-10 * minutes),
    'UNAUTHENTICATED',
  );

  let guesses = 0;
  for (const [name, ms] of [
    ['back', -10 * minutes],
    ['forwards', 10 * minutes],
  ]) {
    const person = await scene.person(a, token);
    const guess = (password) => {
      guesses += 1;
      const headers = { 'X-Forwarded-For': `10.${guesses % 250}.0.1` };
      return call(b.url, { ...requests.login(undefined, { email: person.email, password }), headers });
    };
    for (let n = 0; n < 5; n += 1) await guess(`no such password ${n}`);
    await shift(b, ms);
    const right = await guess(person.password);
    let wrong = 0;
    for (let n = 0; n < 20; n += 1) wrong += (await guess(`another wrong one ${n}`)).status === 200 ? 1 : 0;
    await shift(b, 0);
    // Ten minutes on, a lock of one minute is over; ten minutes back, it still holds.
    figures.is(
      `Right password of a locked account, clock moved ${name}`,
      right.code ?? right.status,
      ms < 0 ? 'INVALID_CREDENTIALS' : 200,
    );
    figures.is('… wrong passwords let in', wrong, 0);
  }

  const names = [];
  for (const [n, ms] of [0, 10 * minutes, 0, -10 * minutes, 0].entries()) {
    await shift(a, ms);
    for (let m = 0; m < 4; m += 1) {
      const { accessToken } = await scene.signIn(a);
      names.push(`step ${n}.${m}`);
      await must(a.url, requests.write(accessToken, names.at(-1)));
    }
    await sleep(20);
  }
  const { sql } = await scene.postgres();
  const rows = await sql(`SELECT e.name FROM audit_events a JOIN test_executions e ON e.id = a.target_id
    WHERE a.action = 'execution.create' AND e.name LIKE 'step %' ORDER BY a.number`);
  figures.is(
    'Audit events in the order of what happened',
    rows.map(({ name }) => name).join() === names.join(),
    true,
  );
  const { accessToken } = await scene.signIn(a);
  const listed = await must(
    a.url,
    graphql(
      accessToken,
      '{ auditEvents(first: 100, filter: { action: "execution.create" }) { nodes { targetId } } }',
    ),
  );
  const ids = (
    await sql("SELECT 'exe_' || id AS id FROM test_executions WHERE name LIKE 'step %' ORDER BY created_at")
  ).map(({ id }) => id);
  figures.is(
    '… none missing from the list',
    ids.every((id) => listed.auditEvents.nodes.some(({ targetId }) => targetId === id)),
    true,
  );
}
