// URLs of databases, as libpq, Prisma and people write them; and what is refused, without a word of the password.
import { describe, expect, it } from '@jest/globals';
import { readDatabaseUrl, urlOfDatabase, urlOfHost, whereIs } from '../../../src/config/database-url.js';

describe('a URL of a database', () => {
  it.each([
    ['postgres://u:p@db:5433/app', [{ host: 'db', port: '5433' }], 'app', false],
    ['postgresql://u:p@a:5433,b,c:5434/app', ['a 5433', 'b ', 'c 5434'], 'app', true],
    ['postgresql://u:p@a,b/app?target_session_attrs=any', ['a ', 'b '], 'app', false],
    ['postgresql://u:p@a/app?target_session_attrs=read-write', ['a '], 'app', true],
    ['postgresql:///app?host=/var/run/postgresql', ['/var/run/postgresql '], 'app', false],
    ['postgresql://u@/app?host=/run/pg&port=5433', ['/run/pg 5433'], 'app', false],
    ['postgresql://u:p@%2Fvar%2Frun%2Fpostgresql:5433/app', ['/var/run/postgresql 5433'], 'app', false],
    ['postgresql://u:p@/app?host=a,b&port=1,2', ['a 1', 'b 2'], 'app', true],
    ['postgresql://u:p@[::1]:5433/app?schema=public', ['[::1] 5433'], 'app', false],
    ['postgresql://db?dbname=other', ['db '], 'other', false],
  ])('%s names hosts and database', (url, hosts, database, mustWrite) => {
    const address = readDatabaseUrl(url);
    const wanted = hosts.map((host) => (typeof host === 'string' ? host : `${host.host} ${host.port}`));
    expect(address.hosts.map(({ host, port }) => `${host} ${port}`)).toEqual(wanted);
    expect([address.database, address.mustWrite]).toEqual([database, mustWrite]);
  });

  it('keeps every character of a password', () => {
    const { user, password } = readDatabaseUrl('postgres://u%40x:p%2F%3F%23%40%25%20:x@y@db/app');
    expect([user, password]).toEqual(['u@x', 'p/?#@% :x@y']);
    const again = readDatabaseUrl(urlOfDatabase('postgres://u%40x:p%2F%3F%23%40%25@db/app', 'new'));
    expect([again.user, again.password, again.database]).toEqual(['u@x', 'p/?#@%', 'new']);
  });

  it('is given to pg without what this server decides, and with what concerns TLS', () => {
    const address = readDatabaseUrl(
      'postgres://u:p@a,b:2/app?sslmode=verify-full&options=-c%20work_mem%3D8MB',
    );
    expect(urlOfHost(address, 1)).toBe('postgresql://u:p@b/app?sslmode=verify-full&port=2');
    expect(address.options).toBe('-c work_mem=8MB');
    expect(urlOfHost(readDatabaseUrl('postgresql:///app?host=/run/pg'), 0)).toBe(
      'postgresql://localhost/app?host=%2Frun%2Fpg',
    );
  });

  it.each([
    ['postgres://u:hunter/2@db/app', /percent-encoded/],
    ['postgres://u:hunter?2@db/app', /percent-encoded/],
    ['postgres://u:hunter#2@db/app', /percent-encoded/],
    ['postgres://u:hunter%2@db/app', /%25/],
    ['postgres://u:hunter%zz@db/app', /%25/],
    ['mysql://u:hunter2@db/app', /begins with postgres:\/\//],
    ['postgres://u:hunter2@db:port/app', /host:port/],
    ['postgres://u:hunter2@db/app?schema=tenant', /schema/],
    ['postgres://u:hunter2@db/app?statement_timeout=0', /DATABASE_STATEMENT_TIMEOUT_MS/],
    ['postgres://u:hunter2@db/app?sslmod=verify-full', /unknown parameter \?sslmod=/],
    ['postgres://u:hunter2@db/app?target_session_attrs=standby', /the server writes/],
  ])('is refused in words that hold no password: %s', (url, words) => {
    let message = '';
    try {
      readDatabaseUrl(url);
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toMatch(words);
    expect(message).not.toContain('hunter');
  });

  it('is named in messages without user and password', () => {
    expect(whereIs(readDatabaseUrl('postgres://u:p@a:1,b/app'))).toBe('PostgreSQL at a:1,b/app');
  });
});
