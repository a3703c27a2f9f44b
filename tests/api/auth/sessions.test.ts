// Sessions: who sees whose, which are shown, and ending one of them.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import { createExecution, createPerson, type Person, password } from '../../kit/seed.js';
import { meWith, openSession, refresh } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const fields = 'sessions { id createdAt lastUsedAt expiresAt ip userAgent current }';
const revokeMutation = 'mutation($id: ID!) { revokeSession(id: $id) { revokedSessions } }';

interface ShownSession {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  ip: string;
  userAgent: string;
  current: boolean;
}

let adminToken: string;
let someone: Person;
const server = await useServer();
beforeEach(async () => {
  adminToken = await server.signIn();
  someone = await createPerson(server, adminToken, 'ANALYST');
});

async function sessionsOf(token: string): Promise<ShownSession[]> {
  return (await server.gql(`{ me { ${fields} } }`, {}, token)).expectData().me.sessions;
}

const revoke = (id: string, token: string) => server.gql(revokeMutation, { id }, token);

describe('the sessions of a user', () => {
  it('are listed to their owner, newest first, with the current one marked', async () => {
    await server.rest('POST', '/api/v1/auth/login', {
      body: { email: someone.email, password },
      headers: { 'user-agent': 'the second/1.0' },
    });
    const [newer, older, ...others] = await sessionsOf(someone.token);
    expect(others).toEqual([]);
    expect(newer).toMatchObject({ current: false, userAgent: 'the second/1.0', ip: '127.0.0.1' });
    expect(older).toMatchObject({ current: true, ip: '127.0.0.1' });
    expect(newer?.id).toMatch(/^ses_[0-9a-f-]{36}$/);
    expect(Date.parse(newer?.createdAt as string)).toBeGreaterThanOrEqual(
      Date.parse(older?.createdAt as string),
    );
  });

  it('end when they are not refreshed: a week after the last use by default', async () => {
    const [session] = await sessionsOf(someone.token);
    const lifetime = Date.parse(session?.expiresAt as string) - Date.parse(session?.lastUsedAt as string);
    expect(lifetime).toBe(604_800_000);
  });

  it('are used when they are refreshed', async () => {
    const tokens = await openSession(server, someone.email, password);
    server.clock.advance(60_000);
    const { accessToken } = (await refresh(server, tokens.refreshToken)).body;
    const current = (await sessionsOf(accessToken)).find((session) => session.current);
    const { createdAt, lastUsedAt } = current as ShownSession;
    expect(Date.parse(lastUsedAt) - Date.parse(createdAt)).toBeGreaterThanOrEqual(60_000);
  });

  it('are shown to an admin', async () => {
    const answer = await server.gql(
      `query($id: ID!) { user(id: $id) { ${fields} } }`,
      { id: someone.id },
      adminToken,
    );
    expect(answer.expectData().user.sessions).toEqual([expect.objectContaining({ current: false })]);
  });

  it('are not shown to anyone else', async () => {
    const execution = await createExecution(server, someone.token);
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    const answer = await server.gql(
      `query($id: ID!) { execution(id: $id) { createdBy { name ${fields} } } }`,
      { id: execution },
      viewer.token,
    );
    expect(answer.expectError('FORBIDDEN').path).toEqual(['execution', 'createdBy', 'sessions']);
    expect(JSON.stringify(answer.body)).not.toContain('ses_');
  });

  it('are only the live ones', async () => {
    const ended = await openSession(server, someone.email, password);
    await server.rest('POST', '/api/v1/auth/logout', { token: ended.accessToken });
    expect(await sessionsOf(someone.token)).toHaveLength(1);
    server.clock.advance(604_801_000);
    const { accessToken } = await openSession(server, someone.email, password);
    expect(await sessionsOf(accessToken)).toEqual([expect.objectContaining({ current: true })]);
  });
});

describe('ending a session', () => {
  it('of the caller’s own works at once and leaves the others', async () => {
    const other = await openSession(server, someone.email, password);
    const target = (await sessionsOf(someone.token)).find((session) => !session.current) as ShownSession;
    expect(await meWith(server, other.accessToken)).toBe('200');
    expect((await revoke(target.id, someone.token)).expectData().revokeSession).toEqual({
      revokedSessions: 1,
    });
    expect(await meWith(server, other.accessToken)).toBe('401 TOKEN_REVOKED');
    expect((await refresh(server, other.refreshToken)).body.code).toBe('TOKEN_REVOKED');
    expect(await meWith(server, someone.token)).toBe('200');
  });

  it('again ends nothing more', async () => {
    await openSession(server, someone.email, password);
    const target = (await sessionsOf(someone.token)).find((session) => !session.current) as ShownSession;
    (await revoke(target.id, someone.token)).expectData();
    expect((await revoke(target.id, someone.token)).expectData().revokeSession.revokedSessions).toBe(0);
  });

  it('may be the present one', async () => {
    const [session] = await sessionsOf(someone.token);
    (await revoke(session?.id as string, someone.token)).expectData();
    expect(await meWith(server, someone.token)).toBe('401 TOKEN_REVOKED');
  });

  it('of someone else is NOT_FOUND like a random id, but for an admin', async () => {
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    const [session] = await sessionsOf(someone.token);
    const id = session?.id as string;
    const foreign = (await revoke(id, viewer.token)).expectError('NOT_FOUND');
    const random = (await revoke(`ses_${v7()}`, viewer.token)).expectError('NOT_FOUND');
    expect(foreign.message).toBe(random.message);
    expect(await meWith(server, someone.token)).toBe('200');
    expect((await revoke(id, adminToken)).expectData().revokeSession.revokedSessions).toBe(1);
    expect(await meWith(server, someone.token)).toBe('401 TOKEN_REVOKED');
  });

  it('takes ids of sessions only', async () => {
    for (const id of [someone.id, 'ses_', 'ses_x', v7(), '']) {
      const { extensions } = (await revoke(id, someone.token)).expectError('VALIDATION_FAILED');
      expect(extensions.fields).toEqual([expect.objectContaining({ path: 'id' })]);
    }
  });
});
