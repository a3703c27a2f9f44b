// Changing the own password: what is asked for, what is refused and which sessions end.
import { describe, expect, it } from '@jest/globals';
import type { GqlAnswer } from '../../kit/harness.js';
import { createPerson, type Person, password } from '../../kit/seed.js';
import { meWith, openSession, refresh, tryLogin } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const fresh = 'otter bicycle 5521 velvet plain';
const server = await useServer({ LOGIN_MAX_FAILURES: '6' });
const adminToken = await server.signIn();

const change = (token: string, currentPassword: string, newPassword: string): Promise<GqlAnswer> =>
  server.change('changePassword', { currentPassword, newPassword }, 'user { id email }', token);
const viewer = (): Promise<Person> => createPerson(server, adminToken, 'VIEWER');

describe('changing the password', () => {
  it('makes the new one good and the old one bad', async () => {
    const { id, email, token } = await viewer();
    const answer = await change(token, password, fresh);
    expect(answer.expectData().changePassword.user).toEqual({ id, email });
    expect((await tryLogin(server, email, password)).status).toBe(401);
    expect((await tryLogin(server, email, fresh)).status).toBe(200);
  });

  it('ends the other sessions at once and keeps this one', async () => {
    const { email } = await viewer();
    const [here, there] = [
      await openSession(server, email, password),
      await openSession(server, email, password),
    ];
    (await change(here.accessToken, password, fresh)).expectData();
    expect(await meWith(server, there.accessToken)).toBe('401 TOKEN_REVOKED');
    expect((await refresh(server, there.refreshToken)).body.code).toBe('TOKEN_REVOKED');
    expect(await meWith(server, here.accessToken)).toBe('200');
    expect((await refresh(server, here.refreshToken)).status).toBe(200);
  });

  it('is refused with a wrong current password, and nothing changes', async () => {
    const { email, token } = await viewer();
    (await change(token, `${password} `, fresh)).expectError('INVALID_CREDENTIALS');
    expect((await tryLogin(server, email, password)).status).toBe(200);
    expect(await meWith(server, token)).toBe('200');
  });

  it('is refused for a weak new one, with the path of the field', async () => {
    const { email, token } = await viewer();
    for (const weak of [
      'short 12345678',
      'a'.repeat(20),
      'abcabcabcabcabcabc',
      '1234567890123456',
      email,
      'x'.repeat(500),
    ]) {
      const answer = await change(token, password, weak);
      expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
        expect.objectContaining({ path: 'input.newPassword' }),
      ]);
    }
  });

  it('does not count a weak new one as a failed sign-in', async () => {
    const { email, token } = await viewer();
    for (let tries = 0; tries < 7; tries += 1) {
      (await change(token, password, 'too short')).expectError('VALIDATION_FAILED');
    }
    expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it('is refused when the new one is the current one', async () => {
    const { token } = await viewer();
    const answer = await change(token, password, password);
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      { path: 'input.newPassword', message: 'must differ from the current one' },
    ]);
  });

  it('may be done again and again without locking the account', async () => {
    const { email, token } = await viewer();
    let current: string = password;
    for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const next = `${number} ${fresh}`;
      (await change(token, current, next)).expectData();
      current = next;
    }
    expect((await tryLogin(server, email, current)).status).toBe(200);
  });

  it('counts wrong current passwords like failed sign-ins, but apart from them', async () => {
    const { email, token } = await viewer();
    for (let tries = 0; tries < 6; tries += 1) {
      (await change(token, 'not my password at all', fresh)).expectError('INVALID_CREDENTIALS');
    }
    (await change(token, password, fresh)).expectError('INVALID_CREDENTIALS');
    expect((await tryLogin(server, email, password)).status).toBe(200);
  });

  it('by two requests at once lets one win', async () => {
    const { email, token } = await viewer();
    const words = [`1 ${fresh}`, `2 ${fresh}`];
    const answers = await Promise.all(words.map((word) => change(token, password, word)));
    expect(answers.map(({ body }) => body.errors?.[0]?.extensions.code ?? 'changed').sort()[1]).toBe(
      'changed',
    );
    const signIns = await Promise.all(words.map((word) => tryLogin(server, email, word)));
    expect(signIns.map(({ status }) => status).sort()).toEqual([200, 401]);
  });

  it('needs a sign-in', async () => {
    const answer = await server.gql(
      'mutation { changePassword(input: { currentPassword: "a", newPassword: "b" }) { user { id } } }',
    );
    answer.expectError('UNAUTHENTICATED');
  });
});

describe('changing the password over REST', () => {
  const rest = (token: string | undefined, body: unknown) =>
    server.rest('POST', '/api/v1/auth/change-password', { body, ...(token !== undefined && { token }) });

  it.each(['ADMIN', 'ANALYST', 'VIEWER'] as const)('works for the role %s', async (role) => {
    const { id, email, token } = await createPerson(server, adminToken, role);
    const other = await openSession(server, email, password);
    const answer = await rest(token, { currentPassword: password, newPassword: fresh });
    expect([answer.status, answer.body.id, answer.body.email]).toEqual([200, id, email]);
    expect((await tryLogin(server, email, password)).status).toBe(401);
    expect((await tryLogin(server, email, fresh)).status).toBe(200);
    expect(await meWith(server, other.accessToken)).toBe('401 TOKEN_REVOKED');
    expect(await meWith(server, token)).toBe('200');
  });

  it('is refused with the paths of the body’s fields, with a wrong password, and without a sign-in', async () => {
    const { token } = await viewer();
    const weak = await rest(token, { currentPassword: password, newPassword: 'short' });
    expect([weak.status, weak.body.code, weak.body.errors[0].path]).toEqual([
      ...[400, 'VALIDATION_FAILED', 'newPassword'],
    ]);
    const missing = await rest(token, { newPassword: fresh });
    expect([missing.status, missing.body.errors[0].path]).toEqual([400, 'currentPassword']);
    const wrong = await rest(token, { currentPassword: `${password}!`, newPassword: fresh });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    expect((await rest(undefined, { currentPassword: password, newPassword: fresh })).status).toBe(401);
  });
});
