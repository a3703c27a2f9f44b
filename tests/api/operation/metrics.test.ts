// /metrics: who may read it, that it tells what the dashboard and the alerts ask, and that no client can fill it.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.js';
import { admin, hasRedis, startTestServer } from '../../kit/harness.js';
import { subscribe, until } from '../../kit/live.js';
import { readMetrics, sampleValue } from '../../kit/metrics.js';
import { createWebhook, importRules } from '../../kit/receiver.js';
import { createExecution, createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const secret = 'a-token-for-prometheus-0123456789abcdef';
const server = await useServer({
  ...{ METRICS: 'true', METRICS_TOKEN: secret, WEBHOOK_PRIVATE_ADDRESSES: 'true', LOGIN_MAX_FAILURES: '2' },
  ...(hasRedis && { REDIS_URL: process.env.TEST_REDIS_URL as string }),
});
const token = await server.signIn();

const read = () => readMetrics(server, secret);
const documentText = '{ me { id } }';

describe('who may read /metrics', () => {
  it('is the holder of the token, and nobody else, an admin neither', async () => {
    expect((await server.rest('GET', '/metrics', { token: secret })).headers.get('content-type')).toMatch(
      /^text\/plain; version=0\.0\.4/,
    );
    for (const other of [undefined, token, `${secret}x`, secret.slice(1), '']) {
      const answer = await server.rest('GET', '/metrics', other === undefined ? {} : { token: other });
      expect([other, answer.status, answer.body.code]).toEqual([other, 401, 'UNAUTHENTICATED']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(JSON.stringify(answer.body)).not.toContain('sec_tester_');
    }
    const post = await server.rest('POST', '/metrics', { token: secret });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('is nobody in production without a token: the start is refused; by default there is no such page', () => {
    const production = { NODE_ENV: 'production' };
    expect(loadConfig(production).isMetricsEnabled).toBe(false);
    expect(() => loadConfig({ ...production, METRICS: 'true' })).toThrow(/^METRICS_TOKEN: not set/);
    expect(() => loadConfig({ METRICS_TOKEN: 'short' })).toThrow(/^METRICS_TOKEN: .*not shown/);
    expect(loadConfig({ ...production, METRICS: 'true', METRICS_TOKEN: secret }).metricsToken).toBe(secret);
  });

  it('is nobody where metrics are off', async () => {
    const without = await startTestServer();
    try {
      expect((await without.rest('GET', '/metrics')).status).toBe(404);
    } finally {
      await without.close();
    }
  });
});

describe('what is measured', () => {
  it('are requests by route and operations by root field, with their outcome', async () => {
    const before = await read();
    await server.rest('GET', '/api/v1/auth/me', { token });
    await server.rest('GET', '/api/v1/auth/me');
    await server.gql('query Mine { a: me { id } ...More } fragment More on Query { me { id } }', {}, token);
    await server.gql('{ execution(id: "nothing") { id } }', {}, token);
    await server.gql('{ me { id } executions { totalCount } }', {}, token);
    await server.gql('{ __typename }', {}, token);
    const after = await read();
    const more = (name: string, labels: Record<string, string>) =>
      sampleValue(after, name, labels) - sampleValue(before, name, labels);
    const me = { route: '/api/v1/auth/me', method: 'GET' };
    expect(more('http_request_duration_seconds_count', { ...me, status: '2xx' })).toBe(1);
    expect(more('http_request_duration_seconds_count', { ...me, status: '4xx' })).toBe(1);
    const operation = (name: string, outcome: string) =>
      more('graphql_operation_duration_seconds_count', { type: 'query', operation: name, outcome });
    expect([operation('me', 'ok'), operation('several', 'ok'), operation('introspection', 'ok')]).toEqual([
      1, 1, 1,
    ]);
    expect(operation('execution', 'error')).toBe(1);
    expect(more('errors_total', { code: 'UNAUTHENTICATED' })).toBe(1);
    expect(more('database_statement_duration_seconds_count', { outcome: 'ok' })).toBeGreaterThan(0);
  });

  it('are transactions, caches, hashing, limits and open streams', async () => {
    const viewer = await createPerson(server, token, 'ANALYST');
    await createExecution(server, token);
    const before = await read();
    for (let turn = 0; turn < 3; turn += 1) await server.gql(documentText, {}, viewer.token);
    for (let turn = 0; turn < 4; turn += 1)
      await server.rest('POST', '/api/v1/auth/login', {
        body: { email: 'nobody@people.test', password: 'x' },
      });
    const query = 'subscription { live: executionsChanged { id } }';
    const following = subscribe('WebSocket', server.url, token, { query, variables: {} });
    let after = before;
    await until(async () => {
      after = await read();
      return sampleValue(after, 'subscriptions_open') > 0;
    }, 'the stream');
    expect([sampleValue(after, 'subscriptions_open'), sampleValue(after, 'websockets_open')]).toEqual([1, 1]);
    following.stop();
    const hits = { cache: 'session', result: 'hit' };
    expect(sampleValue(after, 'cache_requests_total', hits)).toBeGreaterThan(
      sampleValue(before, 'cache_requests_total', hits),
    );
    expect(sampleValue(after, 'limiter_refusals_total', { limiter: 'login-account' })).toBe(2);
    expect(
      sampleValue(after, 'database_transaction_duration_seconds_count', { outcome: 'ok' }),
    ).toBeGreaterThan(0);
    expect(sampleValue(after, 'database_pool_max')).toBe(20);
    if (hasRedis) expect(sampleValue(after, 'redis_command_duration_seconds_count')).toBeGreaterThan(0);
  });
});

describe('figures of findings, imports and webhooks', () => {
  it('follow what is open, overdue, under way and refused', async () => {
    await importRules(server, token, 'measured', ['r1', 'r2', 'r3']);
    await server.sql(`UPDATE findings SET due_at = now() - interval '1 day' WHERE rule_id = 'r1'`);
    await createWebhook(server, token, { url: 'http://127.0.0.1:1/', events: ['import.completed'] });
    await importRules(server, token, 'measured', ['r1', 'r2']);
    await server.sql(`INSERT INTO imports (id, execution_id, content_sha256, bytes, created_at)
      SELECT gen_random_uuid(), id, '', 1, now() - interval '1 hour' FROM test_executions LIMIT 1`);
    let after = await read();
    const value = (name: string, labels = {}) => sampleValue(after, name, labels);
    await until(async () => {
      await server.services.statistics.figures.look();
      after = await read();
      return (
        value('webhook_attempts', { outcome: 'failed' }) > 0 && value('webhooks', { state: 'failing' }) > 0
      );
    }, 'the figures');
    expect(value('findings_open', { severity: 'high' })).toBe(2);
    expect(value('findings_overdue')).toBe(1);
    expect(value('import_oldest_seconds')).toBeGreaterThanOrEqual(3600);
    expect(value('webhook_deliveries_waiting')).toBeGreaterThan(0);
    await server.sql('DELETE FROM imports WHERE bytes = 1');
  });
});

describe('the dashboard and the alerts', () => {
  const dashboard = readFileSync('deploy/grafana/dashboards/sec-tester.json', 'utf8');
  const { groups } = parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8'));
  const alerts = groups.flatMap(({ rules }: { rules: { expr: string }[] }) => rules.map(({ expr }) => expr));
  const namesIn = (text: string) =>
    new Set([...text.matchAll(/\b(?:sec_tester|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name));

  it('ask only for what /metrics has', async () => {
    const samples = await read();
    const there = new Set(samples.map(({ name }) => name));
    const asked = [...namesIn(dashboard), ...namesIn(alerts.join('\n'))];
    // Redis need not be there, and tests/deployment/replica.test.ts compares what a replica shows.
    const isExpected = (name: string) =>
      (hasRedis || !name.includes('redis')) && !name.includes('database_replica_');
    expect(asked.length).toBeGreaterThan(20);
    expect(asked.filter((name) => !there.has(name) && isExpected(name))).toEqual([]);
  });

  it('show every metric of the server’s own', async () => {
    const own = new Set(
      (await read()).map(({ name }) => name).filter((name) => name.startsWith('sec_tester')),
    );
    const shown = namesIn(dashboard);
    const base = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
    const shownBases = new Set([...shown].map(base));
    expect([...own].map(base).filter((name) => !shownBases.has(name))).toEqual([]);
  });

  it('name the panels’ queries only by labels that are there', async () => {
    const labels = new Set((await read()).flatMap(({ labels }) => Object.keys(labels)));
    const used = [...dashboard.matchAll(/by \(([a-z, ]+)\)/g)].flatMap(([, list]) =>
      (list as string).split(', '),
    );
    const elsewhere = ['instance', 'side']; // of Prometheus, and of a replica
    expect([...new Set(used)].filter((label) => !elsewhere.includes(label) && !labels.has(label))).toEqual(
      [],
    );
  });
});

describe('a client', () => {
  it('cannot add a single series by names, paths, methods or errors of its own making', async () => {
    const ask = async (turn: number) => {
      const word = `w${turn}${Math.random().toString(36).slice(2)}`;
      await server.gql(`query ${word} { ${word}: me { id } }`, {}, token);
      await server.gql(`{ ${word} }`, {}, token);
      await server.gql(`query ${word}($${word}: Int) { me { id } }`, { [word]: word }, token);
      await server.rest('GET', `/${word}`);
      await server.rest('GET', `/api/v1/health/${word}`);
      await server.rest(turn % 2 ? 'PROPFIND' : 'PUT', `/docs/${word}`);
      await server.rest('POST', `/metrics/${word}`, { body: { [word]: word } });
      await server.rest('POST', '/api/v1/auth/login', { body: { email: `${word}@x.test`, password: word } });
    };
    await ask(0);
    await ask(1);
    const seriesOf = async () => (await read()).filter(({ name }) => name.startsWith('sec_tester_')).length;
    const before = await seriesOf();
    for (let turn = 2; turn < 12; turn += 1) await ask(turn);
    expect(await seriesOf()).toBe(before);
    expect(before).toBeLessThan(1500);
  });

  it('leaves nothing secret there', async () => {
    const { body } = await server.rest('GET', '/metrics', { token: secret });
    const databaseUrl = new URL(server.databaseUrl);
    for (const word of [
      secret,
      token,
      admin.email,
      admin.password,
      databaseUrl.password,
      databaseUrl.pathname,
      '127.0.0.1',
    ])
      expect(body).not.toContain(word);
    expect(body).not.toMatch(/people\.test|eyJ|stk_/);
  });
});
