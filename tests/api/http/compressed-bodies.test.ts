// Request bodies compressed with gzip: taken by REST and GraphQL alike, within limits on both of their sizes.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

interface Answer {
  status: number;
  headers: Headers;
  code: string | undefined;
  message: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  body: any;
}

async function send(path: string, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers },
    body: Buffer.from(bytes),
  });
  const body = await response.json();
  const error = body.errors?.[0];
  return {
    ...{ status: response.status, headers: response.headers, body },
    code: body.code ?? error?.extensions.code,
    message: body.detail ?? error?.message,
  };
}
const signedIn = () => ({ authorization: `Bearer ${token}` });
const query = JSON.stringify({ query: '{ __typename }' });
const credentials = JSON.stringify(admin);
const targets = [
  ['GraphQL', '/graphql', query],
  ['GraphQL under /api/v1', '/api/v1/graphql', query],
  ['REST', '/api/v1/auth/login', credentials],
] as const;

describe.each(targets)('%s', (_name, path, text) => {
  it.each([
    ['gzip', 'gzip', gzipSync(text)],
    ['gzip in capitals', 'GZIP', gzipSync(text)],
    ['x-gzip', 'x-gzip', gzipSync(text)],
    ['gzip and identity', 'gzip, identity', gzipSync(text)],
    ['gzip in two members', 'gzip', Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(text.slice(9))])],
    ['identity', 'identity', Buffer.from(text)],
    ['no coding', '', Buffer.from(text)],
  ])('takes a body with %s', async (_coding, coding, bytes) => {
    const answer = await send(path, bytes, { 'content-encoding': coding });
    expect([answer.status, answer.code]).toEqual([200, undefined]);
  });

  it.each([
    ['br', brotliCompressSync(text)],
    ['deflate', deflateSync(text)],
    ['zstd', Buffer.from(text)],
    ['compress', Buffer.from(text)],
    ['nonsense', Buffer.from(text)],
    ['gzip, gzip', gzipSync(gzipSync(text))],
    ['deflate, gzip', gzipSync(deflateSync(text))],
  ])('refuses %s and says what it takes', async (coding, bytes) => {
    const answer = await send(path, bytes, { 'content-encoding': coding });
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect(answer.headers.get('accept-encoding')).toBe('gzip, identity');
    expect(answer.message).toContain('gzip');
  });

  it.each([
    ['no gzip at all', Buffer.from(text)],
    ['an incomplete one', gzipSync(text).subarray(0, -9)],
    ['a corrupt one', gzipSync(text).fill(0xff, 12, 20)],
    ['a wrong checksum', Buffer.concat([gzipSync(text).subarray(0, -8), Buffer.alloc(8)])],
    ['text behind it', Buffer.concat([gzipSync(text), Buffer.from('{}')])],
    ['zeros behind it', Buffer.concat([gzipSync(text), Buffer.alloc(9)])],
  ])('refuses %s', async (_what, bytes) => {
    const answer = await send(path, bytes);
    expect([answer.status, answer.code, answer.message]).toEqual([
      ...[400, 'VALIDATION_FAILED', 'The body is not valid gzip.'],
    ]);
  });

  it('checks what it has decompressed as every other body', async () => {
    expect((await send(path, gzipSync('{'))).message).toBe('The body is not valid JSON.');
    expect((await send(path, gzipSync('{"a":1,"a":2}'))).message).toBe(
      'An object of the body has a key twice.',
    );
    expect((await send(path, gzipSync(Buffer.from([0x22, 0xff, 0x22])))).message).toBe(
      'The body is not valid UTF-8.',
    );
  });
});

describe('a body beyond the limit', () => {
  const padded = (text: string, size: number) => gzipSync(text.padEnd(size));
  it.each([
    ['REST', '/api/v1/auth/login', credentials, 100_000],
    ['GraphQL without sign-in', '/graphql', query, 1_000_000],
  ])('is refused with the limit, plain and decompressed: %s', async (_name, path, text, limit) => {
    expect((await send(path, padded(text, limit))).status).toBe(200);
    expect(await send(path, padded(text, limit + 1))).toMatchObject({
      ...{ status: 413, code: 'PAYLOAD_TOO_LARGE' },
      message: `The body is larger than ${limit} bytes when it is decompressed.`,
    });
    expect(await send(path, Buffer.from(text.padEnd(limit + 1)), { 'content-encoding': '' })).toMatchObject({
      ...{ status: 413, code: 'PAYLOAD_TOO_LARGE', message: `The body is larger than ${limit} bytes.` },
    });
    expect(await send(path, Buffer.alloc(limit + 1))).toMatchObject({
      ...{ status: 413, message: `The body is larger than ${limit} bytes.` },
    });
  });

  it('is refused before all of it is in memory', async () => {
    const bomb = gzipSync(Buffer.alloc(300_000_000));
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().rss;
    const answers = await Promise.all(Array.from({ length: 5 }, () => send('/graphql', bomb)));
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(413));
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });
});

it('a signed-in caller may send a batch that is larger than a body without sign-in when decompressed', async () => {
  const executionId = await startExecution(server, token);
  const results = Array.from({ length: 1000 }, (_, index) => ({
    title: `Finding ${index}`,
    ...{ severity: 'LOW', description: 'y'.repeat(1500) },
  }));
  const text = JSON.stringify({
    query: 'mutation($input: AddResultsInput!) { addResults(input: $input) { added } }',
    variables: { input: { executionId, results } },
  });
  expect(text.length).toBeGreaterThan(1_000_000);
  const bytes = gzipSync(text);
  expect((await send('/graphql', bytes, signedIn())).body.data).toEqual({ addResults: { added: 1000 } });
  expect((await send('/graphql', bytes)).status).toBe(413);
  expect((await send('/graphql', bytes, { authorization: 'Bearer x' })).status).toBe(401);
});
