// Measures sign-ins beside the native rate of Argon2id on these cores, and what other requests keep meanwhile.
import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { machine, saveFigures } from './report.mjs';
import { admin } from './server.mjs';
import { addGenerator, startOn, withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';

const accounts = 64;
const parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const nameOf = (number) => `user${number}@bench.test`;

/** @param {{ size: object, options: object, file?: string }} settings */
export async function signins({ size, options, file }) {
  const { seconds, warmUpSeconds, connections } = options;
  const figures = { at: new Date().toISOString(), machine: machine(), options };
  console.log(figures.machine);
  const cores = availableParallelism();
  const gate = Math.max(1, cores - 1);
  const phc = await hash(admin.password, parameters);
  figures.nativeGate = await nativeRate(phc, gate, seconds);
  figures.nativeAll = await nativeRate(phc, cores, seconds);

  await withDatabases(async (databases, closers) => {
    const { url } = await databases.filled(size, console.log);
    const names = ['W2'];
    const { client, started, factsOf } = await startOn(url, { size, who: ['product'], names }, closers);
    await giveAccounts(client, phc);
    closers.push(() => takeAccounts(client));
    const [{ port, headers, bodiesOf }] = started;
    const emails = Array.from({ length: accounts }, (_, index) => nameOf(index + 1));
    const login = {
      ...{ port, path: '/api/v1/auth/login', connections, seconds, firstNumber: 0 },
      headers: { 'Content-Type': 'application/json' },
      bodies: emails.map((email) => JSON.stringify({ email, password: admin.password })),
    };
    const other = { ...login, path: '/graphql', headers, bodies: bodiesOf('W2', factsOf(started[0])) };
    const [one, two] = [addGenerator(closers), addGenerator(closers)];
    await Promise.all([
      one.run({ ...login, seconds: warmUpSeconds }),
      two.run({ ...other, seconds: warmUpSeconds }),
    ]);
    figures.signIns = await one.run(login);
    figures.others = await two.run(other);
    [figures.signInsBeside, figures.othersBeside] = await Promise.all([one.run(login), two.run(other)]);
  });
  print(figures, gate, cores);
  await saveFigures(figures, file);
}

/** Hashes a second with so many at a time and nothing else. */
async function nativeRate(phc, atOnce, seconds) {
  const startedAt = performance.now();
  let done = 0;
  const work = async () => {
    while (performance.now() - startedAt < seconds * 1000) {
      await verify(phc, admin.password);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return done / ((performance.now() - startedAt) / 1000);
}

function print(figures, gate, cores) {
  const { nativeGate, nativeAll, signIns, others, signInsBeside, othersBeside } = figures;
  const line = (...cells) => console.log(`| ${cells.join(' | ')} |`);
  const rate = ({ perSecond, p50, p99 }) => [count(perSecond), ms(p50), ms(p99)];
  const share = (one, whole) => (one / whole).toFixed(2);
  console.log();
  line('', 'a second', 'p50', 'p99', 'ratio');
  line('--', '--:', '--:', '--:', '--');
  line(`Argon2id alone, ${gate} at a time`, count(nativeGate), '', '', '');
  line(`Argon2id alone, ${cores} at a time`, count(nativeAll), '', '', '');
  line(
    'Sign-ins alone',
    ...rate(signIns),
    `${share(signIns.perSecond, nativeGate)} of ${gate} at a time, ${share(signIns.perSecond, nativeAll)} of ${cores}`,
  );
  line('Sign-ins beside W2', ...rate(signInsBeside), share(signInsBeside.perSecond, signIns.perSecond));
  line('W2 alone', ...rate(others), '');
  line(
    'W2 beside sign-ins',
    ...rate(othersBeside),
    `${share(othersBeside.perSecond, others.perSecond)}, p99 × ${share(othersBeside.p99, others.p99)}`,
  );
}

function giveAccounts(client, phc) {
  const emails = Array.from({ length: accounts }, (_, index) => nameOf(index + 1));
  return client.query('UPDATE users SET password_hash = $1 WHERE email = ANY($2)', [phc, emails]);
}

async function takeAccounts(client) {
  await client.query(`DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE password_hash <> 'none'
    AND email LIKE 'user%@bench.test')`);
  await client.query(`UPDATE users SET password_hash = 'none' WHERE email LIKE 'user%@bench.test'`);
}
