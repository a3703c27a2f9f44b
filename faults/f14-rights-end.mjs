// F14: rights end while streams are open: by sign-out, deactivation and demotion.
import { call, graphql, must, report, requests } from './kit/scene.mjs';
import { clock, sleep } from './kit/time.mjs';

const update = 'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }';
const ways = {
  'sign-out': (person) => requests.logout(person.accessToken),
  deactivation: (person, token) =>
    graphql(token, 'mutation($id: ID!) { deactivateUser(id: $id) { __typename } }', { id: person.id }),
  demotion: (person, token) => graphql(token, update, { input: { id: person.id, role: 'VIEWER' } }),
};

export const title = 'sign-out, deactivation and demotion while streams are open; two instances';

export async function run(scene, figures) {
  const { a, b, token } = await scene.twins();
  for (const [name, end] of Object.entries(ways)) {
    const person = await scene.person(a, token);
    const { accessToken } = await scene.signIn(a, person);
    const executionId = await scene.execution(a, token);
    const counts = { sse: 20, websocket: 20 };
    const urls = [a.url, b.url];
    const streams = scene.load('streams', { urls, token: accessToken, executionId, counts });
    await streams.ready;
    const polls = scene.load('open', {
      urls,
      token: accessToken,
      kinds: [name === 'demotion' ? 'write' : 'me'],
      perSecond: 100,
    });
    await polls.ready;
    await sleep(500);
    const endedAt = clock();
    await must(a.url, end({ ...person, accessToken }, token));
    await sleep(1500);
    await must(a.url, report(token, executionId, 50, '#late'));
    await sleep(1000);
    const [all, samples] = await Promise.all([streams.stop(), polls.stop()]);
    const open = all.filter((stream) => stream.endedAt === undefined);
    const taken = samples.filter(
      ({ at, status, code }) => at > endedAt && status === 200 && code === undefined,
    );
    figures.is(`After ${name}: streams still open, of ${all.length}`, open.length, 0);
    for (const kind of Object.keys(counts)) {
      const ends = all
        .filter((stream) => stream.kind === kind && stream.endedAt !== undefined)
        .map((stream) => stream.endedAt);
      figures.atMost(
        `… last ${kind === 'sse' ? 'event stream' : 'WebSocket'} cut after`,
        Math.max(...ends) - endedAt,
        1000,
        'ms',
      );
    }
    figures.is(
      '… had a later event',
      all.filter(({ events }) => events.some(({ phase }) => phase === '#late')).length,
      0,
    );
    figures.atMost(
      '… last request let through sent after',
      taken.length === 0 ? 0 : Math.max(...taken.map(({ at }) => at)) - endedAt,
      1000,
      'ms',
    );
    figures.is(
      '… requests refused',
      samples.some(({ status, code }) => status === 401 || code === 'FORBIDDEN'),
      true,
    );
    if (name === 'demotion') await call(a.url, requests.logout(accessToken));
  }
}
