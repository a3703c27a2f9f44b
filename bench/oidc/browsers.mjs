// The load generator of sign-ins, a process of its own: browsers that are signed in at the provider, one after the other in each
// of several lanes. They sign in at the provider alone, as a client of it, or as far as the tokens of the server.
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';

const { provider, server, client, users } = JSON.parse(process.env.BENCH_OIDC_LOAD);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');
const [redirectUri] = client.redirect_uris;
const basic = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
const returnTo = `${server}/graphql`;

const browsers = Array.from({ length: users }, (_, number) => ({
  cookies: new Map([[new URL(provider).host, new Map([['who', `user-${number}`]])]]),
  address: `10.${(number >> 8) & 255}.${number & 255}.1`,
}));
let turn = 0;

process.on('message', ({ kind, lanes, seconds, perSecond }) => {
  run(signIns[kind], lanes, seconds, perSecond).then(
    (outcome) => process.send(outcome),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));

/** Runs sign-ins of a kind until the time is over, at most so many a second. */
async function run(signIn, lanes, seconds, perSecond = Number.POSITIVE_INFINITY) {
  const times = [];
  const failures = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  let begun = 0;
  const lane = async () => {
    while (performance.now() < endsAt) {
      const dueAt = startedAt + (begun++ / perSecond) * 1000;
      const early = dueAt - performance.now();
      if (dueAt >= endsAt) return;
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      const browser = browsers[turn++ % browsers.length];
      const sentAt = performance.now();
      try {
        await signIn(browser);
        times.push(performance.now() - sentAt);
      } catch (error) {
        failures.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const took = (performance.now() - startedAt) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const outcome = { count: times.length, perSecond: times.length / took, p50: at(0.5), p99: at(0.99) };
  return { ...outcome, failed: failures.length, firstFailure: failures[0] };
}

const signIns = {
  /** Authorization code and tokens, by a client that does nothing with them. */
  async provider(browser) {
    const query = new URLSearchParams({
      ...{ client_id: client.client_id, redirect_uri: redirectUri, response_type: 'code' },
      ...{ scope: 'openid profile email', state: 'state', nonce: 'nonce' },
      ...{ code_challenge: challenge, code_challenge_method: 'S256' },
    });
    const back = await follow(browser, `${provider}/auth?${query}`, redirectUri);
    const form = new URLSearchParams({
      ...{ grant_type: 'authorization_code', code: back.searchParams.get('code') },
      ...{ redirect_uri: redirectUri, code_verifier: verifier },
    });
    const type = 'application/x-www-form-urlencoded';
    const headers = { authorization: basic, 'content-type': type };
    const { status, text } = await send(browser, `${provider}/token`, {
      headers,
      method: 'POST',
      body: form.toString(),
    });
    if (status !== 200 || !text.includes('"id_token"')) throw new Error(`/token: ${status} ${text}`);
  },

  /** From the server's start to its tokens. */
  async complete(browser) {
    const start = `${server}/api/v1/auth/oidc/bench?returnTo=${encodeURIComponent(returnTo)}`;
    const page = await follow(browser, start, returnTo);
    const body = JSON.stringify({ code: page.searchParams.get('code') });
    const headers = { 'content-type': 'application/json' };
    const path = `${server}/api/v1/auth/oidc/token`;
    const { status, text } = await send(browser, path, { method: 'POST', headers, body });
    if (status !== 200 || !text.includes('"accessToken"'))
      throw new Error(`${page.search}: ${status} ${text}`);
  },
};

/** Follows redirects until one leads to `stop`. */
async function follow(browser, from, stop) {
  let next = from;
  for (let hop = 0; hop < 12; hop += 1) {
    const { status, location, text } = await send(browser, next);
    if (location === undefined) throw new Error(`${next}: ${status} ${text}`);
    next = new URL(location, next).href;
    if (next.startsWith(stop)) return new URL(next);
  }
  throw new Error(`too many redirects, at ${next}`);
}

/** One request of a browser, with its cookies. */
function send(browser, url, { method = 'GET', headers = {}, body } = {}) {
  const { host } = new URL(url);
  const jar = browser.cookies.get(host) ?? new Map();
  browser.cookies.set(host, jar);
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const own = { 'x-forwarded-for': browser.address, ...(cookie && { cookie }) };
    const outgoing = request(url, { agent, method, headers: { ...headers, ...own, ...length } }, (answer) => {
      for (const line of answer.headers['set-cookie'] ?? []) {
        const pair = line.split(';')[0];
        const name = pair.slice(0, pair.indexOf('='));
        if (pair.length === name.length + 1) jar.delete(name);
        else jar.set(name, pair.slice(name.length + 1));
      }
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, location: answer.headers.location, text }));
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
