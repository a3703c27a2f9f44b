// Traces as a collector gets them: off unless asked for, within the sender's trace, and without a value or a secret.
import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { admin, startTestServer, type TestServer } from '../../kit/harness.js';
import { subscribe, until } from '../../kit/live.js';
import { build } from '../../kit/programs/build.js';

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  status?: { code?: number };
  attributes: { key: string; value: Record<string, unknown> }[];
}

const traceId = '0af7651916cd43dd8448eb211c80319c';
const senderSpan = 'b7ad6b7169203331';
const sampled = { traceparent: `00-${traceId}-${senderSpan}-01` };
const [serverKind, clientKind] = [2, 3];

let collector: Server;
let bodies: { url: string; key: unknown; text: string }[];
let endpoint: string;
let server: TestServer | undefined;

beforeEach(async () => {
  bodies = [];
  collector = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push({ url: request.url ?? '', key: request.headers['x-key'], text });
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await new Promise((resolve) => collector.close(resolve));
});

const start = async (env: Record<string, string> = {}): Promise<TestServer> => {
  server = await startTestServer({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...env });
  return server;
};

/** Stops the server, which sends what is left, and gives all spans. */
async function sentSpans(): Promise<SentSpan[]> {
  await server?.close();
  server = undefined;
  return bodies.flatMap(({ text }) =>
    JSON.parse(text).resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: SentSpan[] }[] }) =>
      scopeSpans.flatMap(({ spans }) => spans),
    ),
  );
}

const attributesOf = ({ attributes }: SentSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe('a request with a traceparent', () => {
  it('goes on with the sender’s trace: request, operation, statements; its correlation id is the trace’s', async () => {
    const { gql, signIn, logs } = await start({
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=abc%20d',
      OTEL_SERVICE_NAME: 'api-1',
    });
    const token = await signIn();
    const query = 'query Mine($search: String) { users(filter: { search: $search }) { nodes { id } } }';
    const answer = await gql(query, { search: 'needle-in-a-haystack' }, token, sampled);
    answer.expectData();
    expect(answer.headers.get('x-correlation-id')).toBe(traceId);
    const all = await sentSpans();
    expect(
      logs.find(({ event, correlationId }) => event === 'request' && correlationId === traceId),
    ).toBeDefined();
    const own = all.filter((span) => span.traceId === traceId);
    const request = own.find(({ kind }) => kind === serverKind) as SentSpan;
    expect(request).toMatchObject({ parentSpanId: senderSpan, name: 'POST /graphql' });
    expect(attributesOf(request)).toMatchObject({
      ...{ 'http.request.method': 'POST', 'http.route': '/graphql', 'http.response.status_code': 200 },
      ...{ 'url.path': '/graphql', 'user.id': expect.any(String) },
    });
    const operation = own.find(({ name }) => name === 'query users') as SentSpan;
    expect(operation.parentSpanId).toBe(request.spanId);
    expect(attributesOf(operation)).toMatchObject({
      'graphql.operation.type': 'query',
      'graphql.operation.name': 'Mine',
    });
    const statements = own.filter(
      ({ kind, parentSpanId }) => kind === clientKind && parentSpanId === operation.spanId,
    );
    expect(statements.map(({ name }) => name)).toContain('SELECT');
    expect(attributesOf(statements[0] as SentSpan)).toMatchObject({
      'db.system.name': 'postgresql',
      'db.query.text': expect.stringContaining('$1'),
    });
    expect(bodies[0]).toMatchObject({ url: '/v1/traces', key: 'abc d' });
    expect(bodies[0]?.text).toContain('"api-1"');
  });

  it('leaves no value, token, password or address behind', async () => {
    const { gql, rest, signIn, databaseUrl } = await start();
    const token = await signIn();
    await gql('mutation stk_secretlookingname12345 { logout { revokedSessions } }', {}, token);
    await gql(
      'query($s: String) { users(filter: { search: $s }) { nodes { id } } }',
      { s: 'needle' },
      await signIn(),
    );
    await rest('GET', `/api/v1/${token}?token=${token}`, {});
    await rest('POST', '/api/v1/auth/login', {
      body: { email: 'someone@people.test', password: 'wrong horse' },
    });
    const names = (await sentSpans()).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['mutation logout', 'query users', 'POST /api/v1/auth/login']),
    );
    const text = bodies.map((body) => body.text).join('\n');
    const words = [token, admin.email, admin.password, 'needle', 'someone@people.test', 'wrong horse'];
    for (const word of [...words, new URL(databaseUrl).password, 'stk_secret'])
      expect(text).not.toContain(word);
  });

  it('is followed in its decision not to be recorded', async () => {
    const { rest } = await start();
    const answer = await rest('GET', '/api/v1/health/live', {
      headers: { traceparent: `00-${traceId}-${senderSpan}-00` },
    });
    expect(answer.headers.get('x-correlation-id')).toBe(traceId);
    expect((await sentSpans()).filter((span) => span.traceId === traceId)).toEqual([]);
  });

  it('that fails, or does not find what it asked for, says so by a code', async () => {
    const { gql, signIn } = await start();
    const token = await signIn();
    (await gql('{ execution(id: "x") { id } }', {}, token, sampled)).expectError('VALIDATION_FAILED');
    const span = (await sentSpans()).find(({ name }) => name === 'query execution') as SentSpan;
    expect([span.status?.code, attributesOf(span)['error.type']]).toEqual([2, 'VALIDATION_FAILED']);
  });
});

it('a traceparent that is not valid begins no trace of the sender’s', async () => {
  server = await startTestServer();
  for (const traceparent of [
    ...['', 'x', `ff-${traceId}-${senderSpan}-01`, `00-${traceId.toUpperCase()}-${senderSpan}-01`],
    ...[`00-${'0'.repeat(32)}-${senderSpan}-01`, `00-${traceId}-${'0'.repeat(16)}-01`],
    ...[
      `00-${traceId}-${senderSpan}-01-more`,
      `00-${traceId}-${senderSpan}-01, 00-${traceId}-${senderSpan}-01`,
    ],
  ]) {
    const answer = await server.rest('GET', '/api/v1/health/live', { headers: { traceparent } });
    expect([traceparent, answer.headers.get('x-correlation-id')]).toEqual([
      traceparent,
      expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
    ]);
  }
  const later = { traceparent: `01-${traceId}-${senderSpan}-01-what-may-come` };
  const answer = await server.rest('GET', '/api/v1/health/live', { headers: later });
  expect(answer.headers.get('x-correlation-id')).toBe(traceId);
});

it('an operation over a WebSocket is a trace of its own', async () => {
  const { url, signIn, services } = await start();
  const token = await signIn();
  const query = 'subscription { live: executionsChanged { id } }';
  const following = subscribe('WebSocket', url, token, { query, variables: {} });
  await until(() => services.streams.size() === 1, 'the stream');
  following.stop();
  await until(() => services.streams.size() === 0, 'its end');
  const span = (await sentSpans()).find(({ name }) => name === 'subscription executionsChanged');
  expect(span).toBeDefined();
  expect(span?.parentSpanId ?? '').toBe('');
});

describe('without a wish for traces', () => {
  it('nothing is sent, but the correlation id is the trace’s', async () => {
    server = await startTestServer({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' });
    const answer = await server.rest('GET', '/api/v1/health/live', { headers: sampled });
    expect(answer.headers.get('x-correlation-id')).toBe(traceId);
    const given = await server.rest('GET', '/api/v1/health/live', {
      headers: { ...sampled, 'x-correlation-id': 'mine' },
    });
    expect(given.headers.get('x-correlation-id')).toBe('mine');
    expect(await sentSpans()).toEqual([]);
  });

  it('OpenTelemetry is not even loaded', async () => {
    await build();
    const program = `import Module from 'node:module';
      await import('./dist/server/bootstrap.js');
      console.log(Object.keys(Module._cache).filter((file) => /opentelemetry.(sdk|exporter|otlp|resources)/.test(file)).length);`;
    const out = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    expect(out.trim()).toBe('0');
  });
});

it('a collector that is away costs spans and one line of the log', async () => {
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '500'; // read by the library
  const { gql, signIn, logs } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  (await gql('{ me { id } }', {}, await signIn(), sampled)).expectData();
  await sentSpans();
  delete process.env.OTEL_EXPORTER_OTLP_TIMEOUT;
  expect(logs.filter(({ event }) => event === 'traces_not_sent')).toEqual([
    expect.objectContaining({ level: 'warn', reason: expect.stringMatching(/./) }),
  ]);
});
