// F17: the signing key is replaced under load, one instance after the other, and the old one is retired.
import { failuresOf, tally } from './kit/figures.mjs';
import { signingKey } from './kit/instance.mjs';
import { call, requests } from './kit/scene.mjs';
import { clock, sleep } from './kit/time.mjs';

export const title = 'signing key rotated under load; two instances';

export async function run(scene, figures) {
  const redis = await scene.redis();
  const [a, b] = [
    await scene.instance({ redisUrl: redis.url }),
    await scene.instance({ redisUrl: redis.url }),
  ];
  const both = [a.url, b.url];
  const [oldKey] = scene.keys;
  const newKey = signingKey();
  const old = await scene.signIn(a);
  const kinds = ['me', 'list', 'write'];
  const loads = [scene.load('closed', { urls: both, token: old.accessToken, kinds, connections: 6 })];
  const change = (next) => {
    for (const load of loads) load.change(next);
  };
  await loads[0].ready;

  /** Restarts one after the other with these keys; the load goes to the other meanwhile. */
  const roll = async (keys) => {
    for (const [server, other] of [
      [a, b],
      [b, a],
    ]) {
      change({ urls: [other.url] });
      await sleep(500);
      server.signal('SIGTERM');
      await server.ended();
      await server.start({ env: { JWT_SIGNING_KEYS: JSON.stringify(keys) } });
      change({ urls: both });
      await sleep(500);
    }
  };
  await roll([oldKey, newKey]);
  await roll([newKey, oldKey]);
  const fresh = await scene.signIn(b);
  const refreshed = await call(a.url, requests.refresh(undefined, old.refreshToken));
  loads.push(scene.load('closed', { urls: both, token: fresh.accessToken, kinds, connections: 6 }));
  await loads[1].ready;
  await sleep(2000);
  const [ofOld] = await Promise.all([loads[0].stop()]);
  loads.shift();
  const retiredAt = clock();
  await roll([newKey]);
  const ofNew = await loads[0].stop();
  const uses = await Promise.all(
    both.flatMap((url) => Array.from({ length: 20 }, () => call(url, requests.me(old.accessToken)))),
  );
  const refreshes = await Promise.all(
    both.map((url) => call(url, requests.refresh(undefined, old.refreshToken))),
  );
  const jwks = await call(a.url, { path: '/.well-known/jwks.json' });

  figures.note('Requests with a token of the old key, both keys valid', tally(ofOld));
  figures.is('… failed', failuresOf(ofOld).length, 0);
  figures.is(
    'Its refresh token gives one of the new key',
    refreshed.status === 200 && kidOf(refreshed.body.accessToken),
    newKey.kid,
  );
  figures.note('Requests with a token of the new key', tally(ofNew));
  figures.is('… failed', failuresOf(ofNew).length, 0);
  figures.note('… of them since the old one was retired', ofNew.filter(({ at }) => at > retiredAt).length);
  figures.is(
    'Uses of the retired key, of 40, without a 401',
    uses.filter(({ status }) => status !== 401).length,
    0,
  );
  figures.is('… refreshes, of 2, without a 401', refreshes.filter(({ status }) => status !== 401).length, 0);
  figures.is('Published keys', jwks.body.keys.map(({ kid }) => kid).join(), newKey.kid);
}

const kidOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
