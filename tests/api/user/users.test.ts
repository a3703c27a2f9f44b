// Users as an admin manages them: creating, reading, changing, deleting, and what is refused.
import { describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import type { GqlAnswer } from '../../kit/harness.js';
import { createExecution, createPerson, password } from '../../kit/seed.js';
import { meWith, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const userFields = 'id email name role status lastLoginAt createdAt updatedAt';
const server = await useServer();
const adminToken = await server.signIn();

let counter = 0;
function newUser(change: Record<string, unknown> = {}): Record<string, unknown> {
  counter += 1;
  return {
    email: `user-${counter}@users.test`,
    name: `User ${counter}`,
    password,
    role: 'VIEWER',
    ...change,
  };
}

const create = (input: Record<string, unknown>): Promise<GqlAnswer> =>
  server.change('createUser', input, `user { ${userFields} }`, adminToken);
const update = (input: Record<string, unknown>): Promise<GqlAnswer> =>
  server.change('updateUser', input, `user { ${userFields} }`, adminToken);
/** activateUser, deactivateUser or deleteUser. */
const act = (name: string, id: string): Promise<GqlAnswer> =>
  server.gql(
    `mutation($id: ID!) { ${name}(id: $id) { ${name === 'deleteUser' ? 'deletedId' : 'user { status }'} } }`,
    { id },
    adminToken,
  );
const read = (id: string): Promise<GqlAnswer> =>
  server.gql(`query($id: ID!) { user(id: $id) { ${userFields} } }`, { id }, adminToken);

const pathsOf = (answer: GqlAnswer): (string | undefined)[] =>
  (answer.body.errors ?? []).flatMap(({ extensions }) => extensions.fields ?? []).map(({ path }) => path);

describe('creating a user', () => {
  it('gives the user back as reading does, and they can sign in', async () => {
    const input = newUser({ name: '  Ada  Lovelace ', role: 'ANALYST' });
    const { user } = (await create(input)).expectData().createUser;
    expect(user).toEqual({
      id: expect.stringMatching(/^usr_/),
      email: input.email,
      name: 'Ada  Lovelace',
      role: 'ANALYST',
      status: 'ACTIVE',
      lastLoginAt: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: user.createdAt,
    });
    expect((await read(user.id)).expectData().user).toEqual(user);
    expect((await tryLogin(server, user.email, password)).status).toBe(200);
  });

  it('is refused when the e-mail is taken in any case', async () => {
    const input = newUser({ email: 'Taken.Once@users.test' });
    (await create(input)).expectData();
    const again = await create(newUser({ email: 'taken.once@USERS.test' }));
    expect(again.expectError('CONFLICT').extensions.fields).toEqual([
      { path: 'input.email', message: 'is taken' },
    ]);
  });

  it('of the same e-mail by many requests at once makes one', async () => {
    const answers = await Promise.all(
      ['race@users.test', 'Race@users.test', 'RACE@users.test'].map((email) => create(newUser({ email }))),
    );
    const outcomes = answers.map(({ body }) => body.errors?.[0]?.extensions.code ?? 'made');
    expect(outcomes.sort()).toEqual(['CONFLICT', 'CONFLICT', 'made']);
  });

  it('refuses a weak password with the path of the field', async () => {
    const email = 'grasshopper.lane@users.test';
    const weak = {
      'too short': 'only 14 chars!',
      'too long': 'x1'.repeat(65),
      'one letter': 'a'.repeat(15),
      'one piece': 'abcabcabcabcabcabc',
      'a run': 'abcdefghijklmnopqrst',
      'a run of digits': '12345678901234567890',
      'their e-mail': email,
      'their name': 'Grasshopper Lane 2026',
      'the product': 'sec-tester SEC-TESTER 1!',
    };
    for (const [why, word] of Object.entries(weak)) {
      const answer = await create(newUser({ email, name: 'Grasshopper Lane', password: word }));
      expect([why, answer.expectError('VALIDATION_FAILED').extensions.fields]).toEqual([
        why,
        [{ path: 'input.password', message: expect.any(String) }],
      ]);
      expect(JSON.stringify(answer.body)).not.toContain(word);
    }
  });

  it('takes any characters in a password and counts code points', async () => {
    for (const word of [
      '\u{1F980}\u{1F99E}\u{1F990}\u{1F991}\u{1F419}\u{1F41A}\u{1F41F}\u{1F420}\u{1F421}\u{1F988}\u{1F433}\u{1F42C}\u{1F9AD}\u{1F427}\u{1F9A9}',
      'кит плывёт домой',
      'all lower case letters',
      `${'quiet river stone '.repeat(7)}ab`.slice(0, 128),
    ]) {
      const input = newUser({ password: word });
      (await create(input)).expectData();
      expect((await tryLogin(server, input.email as string, word)).status).toBe(200);
    }
  });

  it('refuses invalid fields, each with its path', async () => {
    const answer = await create(newUser({ email: 'not an e-mail', name: '   ' }));
    answer.expectError('VALIDATION_FAILED');
    expect(pathsOf(answer).sort()).toEqual(['input.email', 'input.name']);
    const bad = {
      'input.email': ['', 'a@b', 'a b@users.test', `${'x'.repeat(250)}@users.test`, 'a@users.test\u0000'],
      'input.name': ['', 'x'.repeat(201), 'a\u0000b', 'a\ud800b', 'a\nb', 'a\u2028b'],
      'input.password': ['', 'x'.repeat(2000), `nul ${'\u0000'} in a long word`],
      'input.role': ['ROOT', '', 7, null],
    };
    for (const [path, values] of Object.entries(bad)) {
      for (const value of values) {
        const refused = await create(newUser({ [path.slice('input.'.length)]: value }));
        refused.expectError('VALIDATION_FAILED');
        expect([path, value, pathsOf(refused)]).toEqual([path, value, [path]]);
      }
    }
  });

  it('refuses unknown and missing fields, each with its path', async () => {
    for (const field of ['isAdmin', 'id', 'passwordHash', 'status', '__proto__', 'constructor']) {
      const input = JSON.parse(JSON.stringify(newUser()).replace('{', `{${JSON.stringify(field)}: "x",`));
      const answer = await create(input);
      answer.expectError('VALIDATION_FAILED');
      expect(pathsOf(answer)).toEqual([`input.${field}`]);
    }
    const { email: _email, name: _name, ...rest } = newUser();
    const incomplete = await create(rest);
    incomplete.expectError('VALIDATION_FAILED');
    expect(pathsOf(incomplete).sort()).toEqual(['input.email', 'input.name']);
  });
});

describe('reading a user', () => {
  it('that is not there is NOT_FOUND, and a malformed id is invalid', async () => {
    const answer = await read(`usr_${v7()}`);
    expect(answer.expectError('NOT_FOUND').path).toEqual(['user']);
    for (const id of ['usr_', 'usr_x', v7(), `exe_${v7()}`, `usr_${v7().toUpperCase()}`, `usr_${v7()} `]) {
      const malformed = await read(id);
      malformed.expectError('VALIDATION_FAILED');
      expect(pathsOf(malformed)).toEqual(['id']);
    }
  });
});

describe('changing a user', () => {
  it('changes what is given and leaves the rest', async () => {
    const { user } = (await create(newUser())).expectData().createUser;
    const renamed = (await update({ id: user.id, name: 'Grace Hopper' })).expectData().updateUser.user;
    expect(renamed).toEqual({ ...user, name: 'Grace Hopper', updatedAt: expect.any(String) });
    const email = `${user.email}.example`;
    const moved = (await update({ id: user.id, email, role: 'ANALYST' })).expectData().updateUser.user;
    expect(moved).toMatchObject({ email, name: 'Grace Hopper', role: 'ANALYST' });
    expect((await read(user.id)).expectData().user).toEqual(moved);
    expect((await tryLogin(server, user.email, password)).status).toBe(401);
    expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it('may change only the case of the e-mail', async () => {
    const { user } = (await create(newUser())).expectData().createUser;
    const email = user.email.toUpperCase();
    expect((await update({ id: user.id, email })).expectData().updateUser.user.email).toBe(email);
  });

  it('is refused for a taken e-mail, for nothing to change and for nobody', async () => {
    const one = (await create(newUser())).expectData().createUser.user;
    const two = (await create(newUser())).expectData().createUser.user;
    const taken = await update({ id: one.id, email: two.email.toUpperCase() });
    taken.expectError('CONFLICT');
    expect(pathsOf(taken)).toEqual(['input.email']);
    expect((await read(one.id)).expectData().user.email).toBe(one.email);
    (await update({ id: one.id })).expectError('VALIDATION_FAILED');
    (await update({ id: one.id, name: null, email: null, role: null })).expectError('VALIDATION_FAILED');
    (await update({ id: `usr_${v7()}`, name: 'Nobody' })).expectError('NOT_FOUND');
    const foreign = await update({ id: `exe_${v7()}`, name: 'x' });
    foreign.expectError('VALIDATION_FAILED');
    expect(pathsOf(foreign)).toEqual(['input.id']);
    const unknown = await update({ id: one.id, password: 'x' });
    unknown.expectError('VALIDATION_FAILED');
    expect(pathsOf(unknown)).toEqual(['input.password']);
  });
});

describe('deactivating and activating', () => {
  it('acts at once on sign-in and on live tokens, and twice is once', async () => {
    const { id, email, token } = await createPerson(server, adminToken, 'VIEWER');
    expect(await meWith(server, token)).toBe('200');
    for (const _ of [1, 2]) {
      expect((await act('deactivateUser', id)).expectData().deactivateUser.user.status).toBe('DEACTIVATED');
    }
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    expect((await tryLogin(server, email, password)).status).toBe(401);
    for (const _ of [1, 2]) {
      expect((await act('activateUser', id)).expectData().activateUser.user.status).toBe('ACTIVE');
    }
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it('of nobody is NOT_FOUND', async () => {
    for (const name of ['deactivateUser', 'activateUser', 'deleteUser']) {
      (await act(name, `usr_${v7()}`)).expectError('NOT_FOUND');
      (await act(name, `res_${v7()}`)).expectError('VALIDATION_FAILED');
    }
  });
});

describe('a new role', () => {
  it('acts at once on live tokens, both ways', async () => {
    const { id, token } = await createPerson(server, adminToken, 'VIEWER');
    const tryIt = () => server.gql('{ users(first: 1) { totalCount } }', {}, token);
    (await tryIt()).expectError('FORBIDDEN');
    (await update({ id, role: 'ADMIN' })).expectData();
    (await tryIt()).expectData();
    (await update({ id, role: 'ANALYST' })).expectData();
    (await tryIt()).expectError('FORBIDDEN');
    expect((await createExecution(server, token)).slice(0, 4)).toBe('exe_');
  });
});

describe('deleting a user', () => {
  it('ends sessions, frees the e-mail, and leaves executions and the audit trail', async () => {
    const { id, email, token } = await createPerson(server, adminToken, 'ANALYST');
    const execution = await createExecution(server, token);
    expect((await act('deleteUser', id)).expectData().deleteUser).toEqual({ deletedId: id });
    expect(await meWith(server, token)).toBe('401 TOKEN_REVOKED');
    (await read(id)).expectError('NOT_FOUND');
    (await act('deleteUser', id)).expectError('NOT_FOUND');
    const kept = await server.gql(
      'query($id: ID!, $actor: ID!) { execution(id: $id) { createdBy { id } } auditEvents(filter: { actorId: $actor }) { nodes { action actor { id } actorLabel } } }',
      { id: execution, actor: id },
      adminToken,
    );
    const { execution: found, auditEvents } = kept.expectData();
    expect(found).toEqual({ createdBy: null });
    expect(auditEvents.nodes.map(({ action }: { action: string }) => action)).toEqual([
      'execution.create',
      'auth.login',
    ]);
    for (const event of auditEvents.nodes) expect(event).toMatchObject({ actor: null, actorLabel: email });
    (await create(newUser({ email }))).expectData();
  });
});
