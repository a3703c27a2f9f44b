// F2: PostgreSQL stands still for 30 seconds: connections stay open and nothing answers.
import { failuresOf, longest, tally } from './kit/figures.mjs';
import { clock, sleep } from './kit/time.mjs';

const frozenMs = 30_000;

export const title = 'PostgreSQL frozen (SIGSTOP) for 30 s';

export async function run(scene, figures) {
  const postgres = await scene.postgres();
  const { server, token } = await scene.signedIn();
  const kinds = ['write', 'list', 'me', 'list'];
  const load = scene.load('open', { urls: [server.url], token, kinds, perSecond: 60 });
  const probes = scene.load('open', { urls: [server.url], kinds: ['live', 'ready'], perSecond: 20 });
  await Promise.all([load.ready, probes.ready]);
  await sleep(4000);
  const frozenAt = clock();
  postgres.freeze();
  await sleep(frozenMs);
  postgres.thaw();
  const thawedAt = clock();
  await sleep(7000);
  const [samples, health] = await Promise.all([load.stop(), probes.stop()]);

  // What was asked before counts from the freeze on.
  const during = samples
    .filter(({ at, ms }) => at + ms > frozenAt && at < thawedAt)
    .map((sample) => ({ ...sample, ms: sample.at + sample.ms - Math.max(sample.at, frozenAt) }));
  const settled = samples.filter(({ at }) => at > thawedAt + 3000);
  const ready = health.filter(({ kind }) => kind === 'ready');
  const refusals = ready.filter(({ at, status }) => at > frozenAt && status === 503);
  const notReadyAt = Math.min(...refusals.map(({ at, ms }) => at + ms));
  const readyAgain = ready.filter(({ at, status }) => at > thawedAt && status === 200);
  const wrong = ready.filter(({ at, ms, status }) => at > notReadyAt && at + ms < thawedAt && status !== 503);

  figures.note('Answers during the 30 s', tally(during));
  figures.atMost('… the slowest', longest(during), 5000, 'ms');
  figures.is('… none at all', during.filter(({ status }) => status === 0).length, 0);
  const live = health.filter(({ kind }) => kind === 'live');
  figures.is('Liveness other than 200', failuresOf(live).length, 0);
  figures.atMost('… the slowest', longest(live), 1000, 'ms');
  figures.atMost('Readiness is 503 after', notReadyAt - frozenAt, 3000, 'ms');
  figures.is('… and then something else while it lasts', wrong.length, 0);
  figures.atMost(
    'Ready again after',
    Math.min(...readyAgain.map(({ at, ms }) => at + ms)) - thawedAt,
    3000,
    'ms',
  );
  figures.is('Failures from 3 s after', failuresOf(settled).length, 0);
}
