// Unexpected errors: INTERNAL and nothing else for the client, one line with the stack for the log.
import { afterEach, describe, expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { createPerson } from '../../kit/seed.js';
import { tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

let restore: (() => Promise<unknown>) | undefined;
afterEach(async () => {
  await restore?.();
  restore = undefined;
});

/** Takes a table away until the test is over. */
async function lose(table: string): Promise<void> {
  await server.sql(`ALTER TABLE ${table} RENAME TO lost_${table}`);
  restore = () => server.sql(`ALTER TABLE lost_${table} RENAME TO ${table}`);
}

const leaks = /relation "|audit_events|sessions|select|insert|prisma|42P01|\.ts|\.js|node_modules|at /i;

function linesOf(correlationId: string | null): Record<string, unknown>[] {
  return server.logs.filter(
    (line) => line.correlationId === correlationId && line.event === 'internal_error',
  );
}

describe('an unexpected error', () => {
  it('in a query is INTERNAL with its path, and is logged once with its stack', async () => {
    await lose('audit_events');
    const answer = await server.gql('{ auditEvents { nodes { id } } me { role } }', {}, token);
    const error = answer.expectError('INTERNAL');
    expect(error).toEqual({
      message: 'Something went wrong on the server.',
      locations: [{ line: 1, column: 3 }],
      path: ['auditEvents'],
      extensions: { code: 'INTERNAL', correlationId: answer.headers.get('x-correlation-id') },
    });
    expect(JSON.stringify(answer.body).replace('auditEvents', '')).not.toMatch(leaks);
    const lines = linesOf(answer.headers.get('x-correlation-id'));
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ stack: expect.stringContaining('audit') }),
      }),
    ]);
  });

  it('in a mutation leaves nothing behind', async () => {
    const { id, email } = await createPerson(server, token, 'VIEWER');
    await lose('audit_events');
    const answer = await server.change(
      'updateUser',
      { id, name: 'Half Done', role: 'ADMIN' },
      'user { id }',
      token,
    );
    answer.expectError('INTERNAL');
    expect(linesOf(answer.headers.get('x-correlation-id'))).toHaveLength(1);
    const rows = await server.sql('SELECT name, role FROM users WHERE email = $1', [email]);
    expect(rows).toEqual([{ name: expect.stringMatching(/^Person/), role: 'VIEWER' }]);
  });

  it('on the way into GraphQL is INTERNAL with the status 500', async () => {
    const stale = await server.signIn();
    await lose('sessions');
    const answer = await server.gql('{ me { id } }', {}, stale);
    answer.expectError('INTERNAL');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toMatch(leaks);
    expect(linesOf(answer.headers.get('x-correlation-id'))).toHaveLength(1);
  });

  it('over REST is a problem with the status 500, and is logged once with its stack', async () => {
    await lose('sessions');
    const answer = await tryLogin(server, admin.email, admin.password);
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Internal error',
      status: 500,
      detail: 'Something went wrong on the server.',
      instance: '/api/v1/auth/login',
      code: 'INTERNAL',
      correlationId: answer.headers.get('x-correlation-id'),
    });
    expect(linesOf(answer.headers.get('x-correlation-id'))).toEqual([
      expect.objectContaining({
        err: expect.objectContaining({
          stack: expect.stringMatching(/relation "sessions" does not exist\n +at /),
        }),
      }),
    ]);
    await restore?.();
    restore = undefined;
    expect((await tryLogin(server, admin.email, admin.password)).status).toBe(200);
  });
});
