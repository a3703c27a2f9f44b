// Any error → the GraphQL error that a client may see: code, fields, transport, and what is logged of it.
import { Writable } from 'node:stream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { pino } from 'pino';
import { AppError, invalid } from '../../../src/core/errors.js';
import { toGraphQLError } from '../../../src/graphql/errors.js';
import { runInRequest } from '../../../src/infra/telemetry/request-context.js';

const lines: Record<string, unknown>[] = [];
beforeEach(() => {
  lines.length = 0;
});
const log = pino(
  new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString('utf8')));
      done();
    },
  }),
);

const map = (error: unknown) => toGraphQLError(error, log);
/** As graphql-js wraps what a resolver throws. */
const inResolver = (originalError: Error) =>
  new GraphQLError(originalError.message, { path: ['executions', 0], originalError });
const withCode = (code: string, http?: object) =>
  new GraphQLError('m', { extensions: { code, ...(http !== undefined && { http }) } });

describe('an error on its way to the client', () => {
  it('keeps code, message, path and fields when it was thrown on purpose', () => {
    const error = map(inResolver(invalid('input.name', 'is odd')));
    expect(error.toJSON()).toMatchObject({
      message: 'input.name: is odd',
      path: ['executions', 0],
      extensions: { code: 'VALIDATION_FAILED', fields: [{ path: 'input.name', message: 'is odd' }] },
    });
    expect(error.extensions.http).toBeUndefined();
    expect(lines.map(({ event }) => event)).toEqual(['input_validation_fail']);
  });

  it.each([
    new Error('relation "secret_table" does not exist'),
    Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (email)=(a@b.test)' }),
    'a text',
    undefined,
    null,
    new TypeError('x is not a function'),
  ])('becomes INTERNAL, without a word of it, when nobody intended it: %p', (thrown) => {
    const error = map(thrown instanceof Error ? inResolver(thrown) : thrown);
    expect(error.extensions.code).toBe('INTERNAL');
    expect(error.message).toBe('Something went wrong on the server.');
    expect(JSON.stringify(error.toJSON())).not.toMatch(/secret_table|a@b|not a function/);
    expect(lines.map(({ event }) => event)).toEqual(['internal_error']);
  });

  it('is logged once with the stack of what was thrown first', () => {
    const root = new Error('root');
    map(inResolver(inResolver(root)));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.err).toMatchObject({
      message: 'root',
      stack: expect.stringContaining('graphql-errors'),
    });
  });

  it('is UNAVAILABLE with a time to come back, when the database is down, on the transport too', () => {
    for (const code of ['ECONNREFUSED', '57P01', '53300', '08006']) {
      const error = map(inResolver(Object.assign(new Error('down'), { code })));
      expect([code, error.extensions.code]).toEqual([code, 'UNAVAILABLE']);
      expect(error.extensions.http).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } });
    }
    expect(lines.map(({ event }) => event)).toEqual(Array(4).fill('unavailable'));
  });

  it('is QUERY_TIMEOUT of the field alone when its statement was stopped, and no reason to try again', () => {
    for (const fault of [
      Object.assign(new Error('canceled'), { code: '57014' }),
      new Error('Query read timeout'),
    ]) {
      const error = map(inResolver(fault));
      expect(error.extensions.code).toBe('QUERY_TIMEOUT');
      expect(error.extensions.http).toBeUndefined();
      expect(error.extensions.retryAfterSeconds).toBeUndefined();
    }
    expect(lines.map(({ event }) => event)).toEqual(Array(2).fill('query_timeout'));
  });

  it('decides the status of the answer when the whole request failed', () => {
    expect(map(new AppError('UNAUTHENTICATED')).extensions.http).toMatchObject({ status: 401 });
    expect(map(new AppError('RATE_LIMITED', { retryAfterSeconds: 7 })).extensions.http).toMatchObject({
      ...{ status: 429, headers: { 'Retry-After': '7' } },
    });
    expect(map(inResolver(new AppError('NOT_FOUND'))).extensions.http).toBeUndefined();
  });

  it.each([
    [withCode('GRAPHQL_PARSE_FAILED'), 'GRAPHQL_PARSE_FAILED'],
    [withCode('GRAPHQL_VALIDATION_FAILED'), 'GRAPHQL_VALIDATION_FAILED'],
    [withCode('BAD_REQUEST'), 'VALIDATION_FAILED'],
    [withCode('SOMETHING', { status: 413 }), 'PAYLOAD_TOO_LARGE'],
    [withCode('SOMETHING', { status: 405 }), 'METHOD_NOT_ALLOWED'],
    [new GraphQLError('Unknown operation named "x".'), 'GRAPHQL_VALIDATION_FAILED'],
    [new GraphQLError('Cannot return null for non-nullable field A.b.', { path: ['a'] }), 'INTERNAL'],
  ])('has a code of ours instead of the library’s: %#', (error, code) => {
    expect(map(error).extensions.code).toBe(code);
  });

  it.each([
    ['Variable "$id" of required type "ID!" was not provided.', 'id'],
    ['Variable "$id" of non-null type "ID!" must not be null.', 'id'],
    ['Variable "$first" got invalid value 1.5; Int cannot represent non-integer value: 1.5', 'first'],
    [
      'Variable "$input" got invalid value "x" at "input.results[3].severity"; no such value',
      'input.results.3.severity',
    ],
  ])('names the field that a variable’s fault is in: %s', (message, path) => {
    const { extensions } = map(new GraphQLError(message));
    expect(extensions).toMatchObject({ code: 'VALIDATION_FAILED', fields: [{ path }] });
  });

  it('carries the correlation id of the request', () => {
    const store = { correlationId: 'abc', ip: null, userAgent: null, dbQueries: 0, dbMs: 0 };
    expect(runInRequest(store, () => map(new AppError('CONFLICT'))).extensions.correlationId).toBe('abc');
    expect(map(new AppError('CONFLICT')).extensions.correlationId).toBeUndefined();
  });
});
