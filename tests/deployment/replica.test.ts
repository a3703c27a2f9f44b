// A read replica: a real primary and a standby by streaming replication, two instances, a standby that lags, is gone, silent or promoted.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureAppRole } from '../../src/infra/migrations/app-role.js';
import { applyMigrations } from '../../src/infra/migrations/migrate.js';
import { type Cluster, postgresBin, startCluster } from '../kit/deployment/postgres.js';
import type { TestServer } from '../kit/harness.js';
import { startTwo, until } from '../kit/live.js';
import { readMetrics, sampleValue } from '../kit/metrics.js';
import { createTcpProxy, type TcpProxy } from '../kit/network/tcp-proxy.js';
import { createProject, setMember } from '../kit/projects.js';
import { addResults, createExecution, createPerson, type Person, startExecution } from '../kit/seed.js';

const secret = 'a-token-for-prometheus-0123456789abcdef';
const appRole = { name: 'sec_tester_app', password: 'x' };
let primary: Cluster;
let standby: Cluster;
let proxy: TcpProxy;
let servers: [TestServer, TestServer];
let admin: string;
let analyst: Person;

interface State {
  state: string;
  lagMs: number | null;
  reason: string | null;
}

async function stateOf(server: TestServer): Promise<State> {
  let replica: State | undefined;
  await until(async () => {
    const { body } = await server.rest('GET', '/api/v1/health/database', { token: admin });
    replica = body.details?.replica; // no details when it took long to look the caller up
    return replica !== undefined;
  }, 'a replica in health');
  return replica as unknown as State;
}
const all = (state: string) =>
  until(async () => {
    const states = await Promise.all(servers.map(stateOf));
    return states.every((found) => found.state === state);
  }, `a replica that is ${state}`);
async function reads(side: string): Promise<number> {
  const counts = servers.map(async (server) =>
    sampleValue(await readMetrics(server, secret), 'database_replica_reads', { side }),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function listed(server: TestServer, token: string, filter: object = {}): Promise<string[]> {
  const query =
    'query($filter: ExecutionFilter) { executions(first: 5, filter: $filter) { edges { node { id } } } }';
  const { executions } = (await server.gql(query, { filter }, token)).expectData();
  return executions.edges.map(({ node }: { node: { id: string } }) => node.id);
}

/** What is written on one instance is listed on the other at once, `turns` times one after the other. */
async function writeAndList(turns: number, from = 0): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    const [writer, reader] = [servers[(turn + from) % 2], servers[(turn + from + 1) % 2]] as typeof servers;
    const target = `https://target-${turn}-${Math.random()}.test`;
    const id = await createExecution(writer, analyst.token, { target });
    expect(await listed(reader, analyst.token, { target })).toEqual([id]);
  }
}

/** Four callers write and list without a pause until something is so. */
async function underLoad(isOver: () => Promise<boolean>, what: string): Promise<void> {
  let isEnding = false;
  const callers = [0, 1, 2, 3].map(async (from) => {
    while (!isEnding) await writeAndList(1, from);
    await writeAndList(3, from);
  });
  try {
    await until(isOver, what);
  } finally {
    isEnding = true;
    await Promise.all(callers);
  }
}

(postgresBin ? describe : describe.skip)('A read replica', () => {
  beforeAll(async () => {
    primary = await startCluster();
    await primary.sql('CREATE DATABASE sec_tester');
    await applyMigrations(primary.url('sec_tester'));
    await ensureAppRole(primary.url('sec_tester'), appRole);
    standby = await startCluster({ primary });
    proxy = await createTcpProxy(standby.url('sec_tester', appRole.name));
    const env = {
      DATABASE_URL: primary.url('sec_tester', appRole.name),
      DATABASE_READ_URL: `${proxy.url}?target_session_attrs=standby`,
      ...{ DATABASE_READ_WAIT_MS: '200', METRICS: 'true', METRICS_TOKEN: secret },
    };
    servers = await startTwo(undefined, {}, env);
    admin = await servers[0].signIn();
    analyst = await createPerson(servers[0], admin, 'ANALYST');
    await all('ready');
  });
  afterAll(async () => {
    for (const server of servers ?? []) await server.close();
    await proxy?.cut();
    await standby?.remove();
    await primary?.remove();
  });

  it('serves lists, statistics and exports, with what a caller has just written on another instance', async () => {
    await all('ready');
    const before = await reads('replica');
    await writeAndList(10);
    const id = await startExecution(servers[0], analyst.token);
    await addResults(servers[0], analyst.token, id, [{ title: 'Open port', severity: 'HIGH' }]);
    const query = `query($id: ID!) { results(filter: { executionId: $id }) { totalCount edges { node { title } } }
      findings { totalCount } statistics { open { high } } }`;
    const data = (await servers[1].gql(query, { id }, analyst.token)).expectData();
    expect(data.results).toEqual({ totalCount: 1, edges: [{ node: { title: 'Open port' } }] });
    const { status, body } = await servers[1].rest('GET', `/api/v1/executions/${id}/export?format=csv`, {
      token: analyst.token,
    });
    expect([status, String(body)]).toEqual([200, expect.stringContaining('Open port')]);
    for (let rounds = 0; rounds < 100 && (await reads('replica')) <= before + 5; rounds += 1)
      await writeAndList(1);
    expect(await reads('replica')).toBeGreaterThan(before + 5);
    const metrics = (await readMetrics(servers[0], secret)).map(({ name }) => name);
    const dashboard = readFileSync('deploy/grafana/dashboards/sec-tester.json', 'utf8');
    const shown = [...dashboard.matchAll(/sec_tester_database_replica_\w+/g)].map(([name]) => name);
    expect(new Set(shown)).toEqual(
      new Set(metrics.filter((name) => name.startsWith('sec_tester_database_replica'))),
    );
    await until(
      async () => sampleValue(await readMetrics(servers[0], secret), 'database_replica_up') === 1,
      'a replica that is up in /metrics',
    );
  });

  it('that lags is left out, so that writes are read and a membership that ends ends', async () => {
    const key = await createProject(servers[0], admin, { visibility: 'PRIVATE' });
    await setMember(servers[0], admin, key, analyst.id, 'ANALYST');
    const id = await createExecution(servers[0], analyst.token, { project: key, target: 'private.test' });
    expect(await listed(servers[1], analyst.token, { target: 'private.test' })).toEqual([id]);

    await standby.sql('SELECT pg_wal_replay_pause()');
    try {
      await setMember(servers[0], admin, key, analyst.id, null);
      // Without Redis an instance believes for a second that there is no private project.
      const isHidden = async () =>
        (await listed(servers[1], analyst.token, { target: 'private.test' })).length === 0;
      await until(isHidden, 'an execution that is hidden');
      const before = await reads('primary');
      await writeAndList(4);
      expect(await reads('primary')).toBeGreaterThanOrEqual(before + 4);
      await all('behind');
      expect((await servers[1].rest('GET', '/api/v1/health/ready')).status).toBe(200);
      await until(async () => ((await stateOf(servers[1])).lagMs ?? 0) > 0, 'a lag that is told');
    } finally {
      await standby.sql('SELECT pg_wal_replay_resume()');
    }
    await all('ready');
    await until(async () => (await stateOf(servers[1])).lagMs === 0, 'no lag');
  });

  it('that falls silent or is killed under load costs no caller anything', async () => {
    const before = await reads('replica');
    proxy.freeze();
    await underLoad(
      async () => (await Promise.all(servers.map(stateOf))).every(({ state }) => state === 'away'),
      'a silent replica that is away',
    );
    proxy.thaw();
    await all('ready');

    await underLoad(async () => (await reads('replica')) > before + 50, 'reads on the replica');
    const killed = standby.kill();
    await underLoad(
      async () => (await Promise.all(servers.map(stateOf))).every(({ state }) => state === 'away'),
      'a killed replica that is away',
    );
    await killed;
    expect((await servers[0].rest('GET', '/api/v1/health')).body.status).toBe('degraded');
    expect((await servers[0].rest('GET', '/api/v1/health/ready')).status).toBe(200);
    await standby.start();
    await all('ready');
    const events = servers[0].logs.map(({ event }) => event);
    expect(events.filter((event) => event === 'database_replica_left').length).toBeGreaterThanOrEqual(2);
    expect(events.filter((event) => event === 'database_replica_used').length).toBeGreaterThanOrEqual(3);
  });

  it('that is promoted under load is used no more, and nothing that is written there is read', async () => {
    await all('ready');
    const promoted = standby.sql('SELECT pg_promote()');
    await underLoad(
      async () => (await Promise.all(servers.map(stateOf))).every(({ state }) => state === 'away'),
      'a promoted replica that is away',
    );
    await promoted;
    expect((await stateOf(servers[0])).reason).toMatch(/^it is not in recovery/);
    await standby.sql("UPDATE test_executions SET name = 'elsewhere'", 'sec_tester');
    const query = '{ executions(first: 1) { edges { node { name } } } }';
    for (const server of servers)
      expect((await server.gql(query, {}, analyst.token)).expectData().executions.edges[0].node.name).toBe(
        'Scan',
      );
  });
});
