// At least one active admin always remains, also when requests race.
import { describe, expect, it } from '@jest/globals';
import { admin, type GqlAnswer } from '../../kit/harness.js';
import { createPerson, type Person, password as seedPassword } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();
const me = await server.gql('{ me { id } }', {}, token);
const first: Person = { id: me.expectData().me.id, email: admin.email, token };

type Move = (actor: Person, target: Person) => Promise<GqlAnswer>;
const moves: Record<'demote' | 'deactivate' | 'remove', Move> = {
  demote: (actor, { id }) => server.change('updateUser', { id, role: 'VIEWER' }, 'user { id }', actor.token),
  deactivate: (actor, { id }) =>
    server.gql('mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }', { id }, actor.token),
  remove: (actor, { id }) =>
    server.gql('mutation($id: ID!) { deleteUser(id: $id) { deletedId } }', { id }, actor.token),
};
const names = ['demote', 'deactivate', 'remove'] as const;

async function activeAdmins(): Promise<number> {
  const [row] = await server.sql<{ count: number }>(
    "SELECT count(*)::int AS count FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'",
  );
  return row?.count ?? 0;
}

describe('the last active admin', () => {
  it('cannot be demoted, deactivated or deleted, and nothing of it happens', async () => {
    for (const name of names) {
      const error = (await moves[name](first, first)).expectError('CONFLICT');
      expect(error.message).toBe('At least one active admin must remain.');
    }
    expect(await activeAdmins()).toBe(1);
    (await server.gql('{ users { totalCount } }', {}, first.token)).expectData();
  });

  it('is not saved by an admin who is deactivated', async () => {
    const other = await createPerson(server, first.token, 'ADMIN');
    (await moves.deactivate(first, other)).expectData();
    (await moves.demote(first, first)).expectError('CONFLICT');
    (await moves.demote(first, other)).expectData();
  });

  it('may be renamed and named an admin again', async () => {
    const answer = await server.change(
      'updateUser',
      { id: first.id, name: 'The One', role: 'ADMIN' },
      'user { name role }',
      first.token,
    );
    expect(answer.expectData().updateUser.user).toEqual({ name: 'The One', role: 'ADMIN' });
  });
});

describe('two admins', () => {
  it('may not both leave at once: twenty races, one stays each time', async () => {
    let stayed = first;
    for (let round = 0; round < 20; round += 1) {
      const other = await createPerson(server, stayed.token, 'ADMIN');
      const pair = [stayed, other];
      const answers = await Promise.all(
        pair.map((person, index) =>
          moves[names[(round + index * (round % 2)) % 3] ?? 'demote'](person, person),
        ),
      );
      const codes = answers.map(({ body }) => body.errors?.[0]?.extensions.code ?? 'done');
      expect([round, [...codes].sort()]).toEqual([round, ['CONFLICT', 'done']]);
      expect(await activeAdmins()).toBe(1);
      stayed = pair[codes.indexOf('CONFLICT')] as Person;
    }
  });

  it('may not both throw the other out: twenty races, one stays each time', async () => {
    const rows = await server.sql<{ email: string }>(
      "SELECT email FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'",
    );
    const email = rows[0]?.email as string;
    const token = email === admin.email ? await server.signIn() : await server.signIn(email, seedPassword);
    const me = await server.gql('{ me { id } }', {}, token);
    let stayed: Person = { id: me.expectData().me.id, email, token };
    for (let round = 0; round < 20; round += 1) {
      const other = await createPerson(server, stayed.token, 'ADMIN');
      const move = moves[names[round % 3] ?? 'demote'];
      const [one, two] = await Promise.all([move(stayed, other), move(other, stayed)]);
      const codes = [one, two].map(({ body }) => body.errors?.[0]?.extensions.code ?? 'done');
      expect(codes.filter((code) => code === 'done')).toHaveLength(1);
      expect(['CONFLICT', 'FORBIDDEN', 'TOKEN_REVOKED', 'NOT_FOUND', 'UNAUTHENTICATED']).toContain(
        codes.find((code) => code !== 'done'),
      );
      expect(await activeAdmins()).toBe(1);
      stayed = codes[0] === 'done' ? stayed : other;
    }
  });
});
