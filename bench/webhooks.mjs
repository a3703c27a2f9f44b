// Measures how fast a server delivers 10,000 events to one local receiver, which verifies each, and whether any is lost when the
// receiver refuses half of the requests and the server is killed in between.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { dataDir, openDatabases, root } from './database.mjs';
import { machine, saveFigures } from './report.mjs';
import { admin, startServer } from './server.mjs';
import { count } from './table.mjs';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    targets: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const events = Number(values.events);
const closers = [];

/** A receiver that verifies; `refuses` decides about each request. */
async function startReceiver() {
  const received = new Map();
  const state = { received, requests: 0, wrong: 0, refuses: () => false, secret: '', firstAt: 0, lastAt: 0 };
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      state.requests += 1;
      if (state.refuses()) return response.writeHead(500).end();
      try {
        new Webhook(state.secret).verify(Buffer.concat(chunks).toString(), request.headers);
      } catch {
        state.wrong += 1;
        return response.writeHead(401).end();
      }
      const id = request.headers['webhook-id'];
      state.firstAt ||= performance.now();
      state.lastAt = performance.now();
      received.set(id, (received.get(id) ?? 0) + 1);
      return response.writeHead(204).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return { state, url: `http://127.0.0.1:${server.address().port}/` };
}

const emit = `
  INSERT INTO webhook_deliveries (id, webhook_id, event, order_key, payload, created_at, next_attempt_at)
  SELECT gen_random_uuid(), webhook.id, 'triage.changed', project.id || '/' || md5((n % $1::int)::text),
    jsonb_build_object('type', 'triage.changed', 'timestamp', now(), 'data', jsonb_build_object('project', project.key, 'total', 1,
      'actor', 'admin@bench.test', 'findings', jsonb_build_array(jsonb_build_object('id', 'fnd_' || gen_random_uuid(), 'title',
      'SQL injection in a query', 'severity', 'HIGH', 'ruleId', 'rule-' || n, 'cweIds', ARRAY[89], 'cveIds', ARRAY[]::text[], 'path',
      'src/file-' || n || '.ts', 'triage', 'CONFIRMED', 'from', 'OPEN', 'to', 'CONFIRMED')))), now(), now()
  FROM webhooks AS webhook, projects AS project, generate_series(1, $2::int) AS n WHERE project.key = 'default' RETURNING id`;

async function run() {
  console.log(machine());
  const databases = await openDatabases();
  closers.push(() => databases.stop());
  const databaseUrl = await databases.empty('bench_webhooks');
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  closers.push(() => client.end());
  await client.query('DELETE FROM webhooks');
  const start = () =>
    startServer({
      ...{ root, dataDir: join(dataDir, 'webhooks'), databaseUrl },
      env: { WEBHOOK_PRIVATE_ADDRESSES: 'true', LOG_LEVEL: 'error' },
    });
  let server = await start();
  closers.push(() => server.stop());
  const { state, url } = await startReceiver();
  state.secret = await subscribe(server.url, url);
  const rates = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    Object.assign(state, { firstAt: 0, requests: 0 });
    state.received.clear();
    await client.query(emit, [Number(values.targets), events]);
    while (state.received.size < events) await sleep(20);
    rates.push(events / ((state.lastAt - state.firstAt) / 1000));
    console.log(
      `${count(events)} events: ${count(rates.at(-1))} a second, ${state.requests} requests, ${machine()}`,
    );
  }
  const lost = await crash();
  await saveFigures(
    { at: new Date().toISOString(), machine: machine(), events, rates, lost },
    values.json ?? join(dataDir, 'webhooks.json'),
  );

  /** Half of the requests are refused; the server is killed twice. Pauses are cut short, as they take a day. */
  async function crash() {
    state.received.clear();
    Object.assign(state, { requests: 0, refuses: () => Math.random() < 0.5 });
    const { rows } = await client.query(emit, [Number(values.targets), events]);
    const startedAt = performance.now();
    let kills = 0;
    for (;;) {
      const waiting = await client.query(
        `SELECT count(*)::int AS count FROM webhook_deliveries WHERE state = 'PENDING'`,
      );
      if (waiting.rows[0].count === 0) break;
      if (kills < 2 && state.received.size > (events * (kills + 1)) / 3) {
        kills += 1;
        process.kill(server.pid, 'SIGKILL');
        server = await start();
        await client.query('UPDATE webhooks SET leased_until = NULL'); // instead of the minute until the lease is over
      }
      await client.query(
        `UPDATE webhook_deliveries SET next_attempt_at = now(), attempts = least(attempts, 5) WHERE state = 'PENDING' AND next_attempt_at > now()`,
      );
      await sleep(200);
    }
    const ids = rows.map(({ id }) => `whd_${id}`);
    const missing = ids.filter((id) => !state.received.has(id)).length;
    const repeated = [...state.received.values()].filter((times) => times > 1).length;
    const { rows: states } = await client.query(
      'SELECT state, count(*)::int AS count FROM webhook_deliveries WHERE id = ANY($1) GROUP BY 1',
      [rows.map(({ id }) => id)],
    );
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `refusing half, ${kills} × kill -9: ${missing} of ${count(events)} lost, ${repeated} repeated, ${state.wrong} wrong, ${state.requests} requests in ${seconds} s, ${JSON.stringify(states)}`,
    );
    return missing;
  }
}

async function subscribe(serverUrl, url) {
  const post = async (path, body, token) => {
    const headers = {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
    };
    return (
      await fetch(`${serverUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    ).json();
  };
  const { accessToken } = await post('/api/v1/auth/login', admin);
  const query = 'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }';
  const { data } = await post(
    '/graphql',
    { query, variables: { input: { url, events: ['triage.changed'] } } },
    accessToken,
  );
  return data.createWebhook.secret;
}

try {
  await run();
} finally {
  for (const close of closers.reverse()) await close();
}
