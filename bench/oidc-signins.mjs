// Measures sign-ins at an identity provider beside what the provider itself serves, and what other requests keep meanwhile. All
// in alternation, in one run; the processor time of each process is that of the kernel.
import { fork } from 'node:child_process';
import { signIn, startProduct } from './contestants.mjs';
import { connectTo, median } from './measure.mjs';
import { machine, saveFigures } from './report.mjs';
import { cpuMs, freePort } from './server.mjs';
import { addGenerator, withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';
import { workloads } from './workloads.mjs';

const users = 256;
/** Sign-ins a second that are wanted beside W2: one that leaves W2 most of its rate, and the goal. */
const paces = [20, 300];

/** @param {{ size: object, options: object, file?: string }} settings */
export async function oidcSignins({ size, options, file }) {
  const { seconds, rounds, warmUpSeconds, connections } = options;
  const figures = { at: new Date().toISOString(), machine: machine(), options, rounds: [] };
  console.log(figures.machine);
  await withDatabases(async (databases, closers) => {
    const { url } = await databases.filled(size, console.log);
    const stand = await startAll(url, closers);
    const lanes = connections;
    const other = {
      ...{ port: stand.server.port, path: '/graphql', connections, seconds, firstNumber: 0 },
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${await signIn(stand.server.url)}`,
      },
      bodies: [JSON.stringify({ query: workloads.W2.query, variables: {} })],
    };
    const generator = addGenerator(closers);
    const measured = async (work) => {
      const before = stand.cpu();
      const outcome = await work();
      const after = stand.cpu();
      return {
        ...outcome,
        serverMs: after.server - before.server,
        providerMs: after.provider - before.provider,
      };
    };
    const signIns = (kind, more = {}) => stand.browsers({ kind, lanes, seconds, ...more });
    await signIns('complete', { seconds: warmUpSeconds });
    await generator.run({ ...other, seconds: warmUpSeconds });
    for (let round = 0; round < rounds; round += 1) {
      const outcomes = {
        provider: await measured(() => signIns('provider')),
        complete: await measured(() => signIns('complete')),
        others: await generator.run(other),
      };
      for (const perSecond of paces)
        [outcomes[`signIns${perSecond}`], outcomes[`others${perSecond}`]] = await Promise.all([
          signIns('complete', { perSecond }),
          generator.run(other),
        ]);
      for (const [name, { failed, firstFailure }] of Object.entries(outcomes))
        if (failed > 0) console.error(`${name}: ${failed} failed: ${firstFailure}`);
      figures.rounds.push(outcomes);
    }
  });
  print(figures.rounds);
  await saveFigures(figures, file);
}

/** Provider, server and browsers. */
async function startAll(databaseUrl, closers) {
  await removeUsers(databaseUrl); // of a run that was interrupted
  const [providerPort, serverPort] = [await freePort(), await freePort()];
  const [issuer, server] = [`http://127.0.0.1:${providerPort}`, `http://127.0.0.1:${serverPort}`];
  const client = {
    client_id: 'sec-tester',
    client_secret: 'a-client-secret-of-the-bench-that-is-long',
    redirect_uris: [`${server}/api/v1/auth/oidc/bench/callback`],
    application_type: 'native',
  };
  const provider = fork(new URL('oidc/provider.mjs', import.meta.url), {
    env: {
      ...process.env,
      BENCH_OIDC: JSON.stringify({ port: providerPort, client }),
      NODE_NO_WARNINGS: '1',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  closers.push(() => provider.connected && provider.disconnect());
  await new Promise((resolve, reject) => {
    provider.once('message', resolve);
    provider.once('exit', (code) => reject(new Error(`The provider ended with ${code}`)));
  });
  const { client_id: clientId, client_secret: clientSecret } = client;
  const entry = { id: 'bench', name: 'Bench', issuer, clientId, clientSecret, allowInsecure: true };
  const product = await startProduct(databaseUrl, {
    ...{ PORT: String(serverPort), PUBLIC_URL: server, OIDC_PROVIDERS: JSON.stringify([entry]) },
    ...{ TRUST_PROXY: '1', LOGIN_MAX_FAILURES: '1000', SESSIONS_MAX_PER_USER: '100000' },
  });
  closers.push(async () => {
    await product.stop();
    await removeUsers(databaseUrl);
  });
  const load = JSON.stringify({ provider: issuer, server, client, users });
  const generator = addGenerator(closers, new URL('oidc/browsers.mjs', import.meta.url), {
    BENCH_OIDC_LOAD: load,
  });
  return {
    server: product,
    browsers: generator.run,
    cpu: () => ({ server: cpuMs(product.pid), provider: cpuMs(provider.pid) }),
  };
}

async function removeUsers(databaseUrl) {
  const client = await connectTo(databaseUrl);
  await client.query('DELETE FROM users WHERE id IN (SELECT user_id FROM user_identities)');
  await client.end();
}

function print(rounds) {
  const of = (name, key) => median(rounds.map((outcomes) => outcomes[name][key]));
  const rate = (name) => [count(of(name, 'perSecond')), ms(of(name, 'p50')), ms(of(name, 'p99'))];
  const ratio = (one, other) =>
    median(rounds.map((outcomes) => outcomes[one].perSecond / outcomes[other].perSecond)).toFixed(2);
  const each = (name, key) => median(rounds.map((all) => all[name][key] / all[name].count)).toFixed(2);
  const line = (...cells) => console.log(`| ${cells.join(' | ')} |`);
  console.log();
  line('', 'a second', 'p50', 'p99', 'ratio', 'processor time of each');
  line('--', '--:', '--:', '--:', '--', '--');
  line(
    'The provider alone: code and tokens',
    ...rate('provider'),
    '',
    `provider ${each('provider', 'providerMs')} ms`,
  );
  line(
    'Sign-ins, from start to tokens',
    ...rate('complete'),
    `${ratio('complete', 'provider')} of the provider's`,
    `server ${each('complete', 'serverMs')} ms, provider ${each('complete', 'providerMs')} ms`,
  );
  line('W2 alone', ...rate('others'), '', '');
  for (const pace of paces) {
    const [signIns, others] = [`signIns${pace}`, `others${pace}`];
    line(
      `Sign-ins beside W2, ${pace} a second wanted`,
      ...rate(signIns),
      `${ratio(signIns, 'provider')} of the provider's`,
      '',
    );
    line('W2 beside them', ...rate(others), `${ratio(others, 'others')} of W2 alone`, '');
  }
}
