// Measures whether a failed sign-in or a request for a forgotten password tells accounts apart: 300 interleaved attempts per case,
// over REST and GraphQL, on a built server of its own in production mode, with a mail server. Exits with 1 when medians differ by
// more than 2 ms or answers differ.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SMTPServer } from 'smtp-server';

const rounds = Number(process.env.ROUNDS ?? 300);
const warmUp = 10;
const goalMs = 2;
const port = Number(process.env.PORT ?? 4870);
const url = `http://127.0.0.1:${port}`;
const admin = { email: 'admin@bench.test', password: 'walnut ferry 6204 lagoon tile' };
const right = 'plum violin 4482 meadow crane';
const wrong = 'not the password at all';
const maxFailures = 5;

const dataDir = mkdtempSync(join(tmpdir(), 'sec-tester-enumeration-'));
const log = openSync(join(dataDir, 'server.log'), 'w');
const main = join(dirname(fileURLToPath(import.meta.url)), '../dist/main.js');
const mailServer = new SMTPServer({
  disabledCommands: ['STARTTLS'],
  authOptional: true,
  onData: (stream, _session, done) => stream.resume().on('end', done),
});
await new Promise((resolve) => mailServer.listen(0, '127.0.0.1', resolve));
const server = spawn(process.execPath, [main], {
  stdio: ['ignore', log, log],
  env: {
    ...{ PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port) },
    ...{ DATA_DIR: join(dataDir, 'data'), ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password },
    ...{ LOGIN_MAX_FAILURES: String(maxFailures), LOGIN_LOCK_SECONDS: '86400', TRUST_PROXY: '1' },
    ...{ RATE_LIMIT_PER_MINUTE: '0', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0', LOG_LEVEL: 'info' },
    ...{ SMTP_URL: `smtp://127.0.0.1:${mailServer.server.address().port}`, SMTP_FROM: 'bench@example.test' },
    ...{ PASSWORD_LINK_URL: 'https://example.test/#{token}' },
    ...{
      JWT_SIGNING_KEYS: JSON.stringify([
        { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid: 'bench' },
      ]),
    },
    ...(process.env.BENCH_REDIS_URL && { REDIS_URL: process.env.BENCH_REDIS_URL }),
  },
});
const ended = new Promise((resolve) => server.once('exit', resolve));

let addresses = 0;
/** Each attempt comes from a range of its own, so that only what the account is can make a difference. */
async function post(path, body, token) {
  addresses += 1;
  const headers = {
    'content-type': 'application/json',
    'x-forwarded-for': `10.${(addresses >> 8) & 255}.${addresses & 255}.1`,
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const begun = performance.now();
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { tookMs: performance.now() - begun, status: response.status, headers: response.headers, text };
}

async function gql(query, variables, token) {
  const { text } = await post('/graphql', { query, variables }, token);
  const { data, errors } = JSON.parse(text);
  if (errors) throw new Error(text);
  return data;
}

const facades = {
  REST: (email, password) => post('/api/v1/auth/login', { email, password }),
  GraphQL: (email, password) =>
    post('/graphql', {
      query: 'mutation($input: LoginInput!) { login(input: $input) { accessToken } }',
      variables: { input: { email, password } },
    }),
};

const resets = {
  'REST, forgotten': (email) => post('/api/v1/auth/password-reset', { email }),
  'GraphQL, forgotten': (email) =>
    post('/graphql', {
      query: 'mutation($email: String!) { requestPasswordReset(email: $email) { isAccepted } }',
      variables: { email },
    }),
};

/** What is left when the time and the id of a request are taken out: it must be the same for every case. */
function looks({ status, headers, text }) {
  const id = headers.get('x-correlation-id') ?? '-';
  const kept = [...headers].filter(([name]) => !['date', 'x-correlation-id'].includes(name));
  return JSON.stringify([status, kept, text.replaceAll(id, '…')]);
}

async function people(token) {
  const make = async (email) =>
    (
      await gql(
        'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }',
        { input: { email, name: 'Someone', role: 'VIEWER', password: right } },
        token,
      )
    ).createUser.user.id;
  await make('known@people.test');
  await make('locked@people.test');
  for (const email of deactivated) {
    const id = await make(email);
    await gql('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id }, token);
  }
  await make('mailed@people.test');
  for (const email of forgetful) await make(email);
  for (let index = 0; index < maxFailures; index += 1) await facades.REST('locked@people.test', wrong);
}

let attempts = 0;
/** Enough of them that none is guessed at often enough to be locked. */
const deactivated = Array.from(
  { length: Math.ceil(((rounds + warmUp) * 2) / (maxFailures - 1)) },
  (_, index) => `deactivated-${index}@people.test`,
);
/** Name → what is sent. The known account is unlocked between rounds, an unknown one is new each time. */
const cases = {
  unknown: (turn) => [`nobody-${turn}@people.test`, wrong],
  wrong: () => ['known@people.test', wrong],
  locked: (turn) => ['locked@people.test', turn % 2 ? right : wrong],
  deactivated: (turn) => [deactivated[turn % deactivated.length], turn % 2 ? right : wrong],
};

/** Each gets three mails an hour at most; the server writes those of one who has got them no more. */
const forgetful = Array.from(
  { length: Math.ceil(((rounds + warmUp) * 2) / 3) },
  (_, index) => `forgetful-${index}@people.test`,
);
/** As `cases`, for forgotten passwords. */
const resetCases = {
  unknown: (turn) => [`nobody-${turn}@people.test`],
  'with a mail': (turn) => [forgetful[turn % forgetful.length]],
  'mailed enough': () => ['mailed@people.test'],
  deactivated: (turn) => [deactivated[turn % deactivated.length]],
};

const medianOf = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** Whether the cases look and last alike over a facade. */
async function measure(facade, attempt, tried = cases) {
  const names = Object.keys(tried);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  const seen = new Set();
  for (let round = -warmUp; round < rounds; round += 1) {
    attempts += 1;
    // Another order each time: what runs after what must not matter either.
    for (const name of names.toSorted(() => Math.random() - 0.5)) {
      const answer = await attempt(...tried[name](attempts));
      seen.add(looks(answer));
      if (round >= 0) times[name].push(answer.tookMs);
    }
    if (round % 2 === 0) await facades.REST('known@people.test', right);
  }
  const medians = names.map((name) => medianOf(times[name]));
  const spread = Math.max(...medians) - Math.min(...medians);
  const text = names.map((name, index) => `${name} ${medians[index].toFixed(2)} ms`).join(', ');
  console.log(`${facade}: medians ${text}; spread ${spread.toFixed(2)} ms; ${seen.size} kind(s) of answer`);
  if (seen.size > 1) for (const kind of seen) console.log(`  ${kind}`);
  return spread <= goalMs && seen.size === 1;
}

try {
  for (let tries = 0; !(await fetch(`${url}/api/v1/health/ready`).catch(() => undefined))?.ok; tries += 1) {
    if (tries > 300) throw new Error(`not ready:\n${readFileSync(join(dataDir, 'server.log'), 'utf8')}`);
    await sleep(100);
  }
  const { accessToken } = JSON.parse((await facades.REST(admin.email, admin.password)).text);
  await people(accessToken);
  for (const [facade, attempt] of Object.entries(facades))
    if (!(await measure(facade, attempt))) process.exitCode = 1;
  attempts = 0;
  for (const [facade, ask] of Object.entries(resets))
    if (!(await measure(facade, ask, resetCases))) process.exitCode = 1;
} finally {
  server.kill('SIGTERM');
  await ended;
  mailServer.close();
  rmSync(dataDir, { recursive: true, force: true });
}
