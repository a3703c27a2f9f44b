// Attack: WebSockets as the endpoint that was left open: foreign origins, no token, a token of another kind, claims instead
// of a token, orders before the greeting, frames that are too large. ASVS 4.4.2, 4.4.3.
import { describe, expect, it } from '@jest/globals';
import { defaultTiming } from '../../../src/core/timeouts.js';
import { startTestServer } from '../../kit/harness.js';
import { openSignedInWire, openWire } from '../../kit/network/wire.js';
import { openSession } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ CORS_ORIGINS: 'https://app.example' });
const tokens = await openSession(server);

describe('the handshake', () => {
  it.each([
    'https://evil.example',
    'null',
    'https://app.example.evil.com',
    'http://app.example',
    'file://',
    'https://app.example:444',
  ])('is refused from %s', async (origin) => {
    await expect(openWire(server, { origin })).rejects.toThrow('403');
  });

  it('is taken from a listed origin, and from what is no browser', async () => {
    for (const headers of [{ origin: 'https://app.example' }, {}] as Record<string, string>[])
      (await openWire(server, headers)).end();
  });

  it('is refused with two Authorization headers', async () => {
    await expect(openWire(server, { authorization: ['Bearer a', 'Bearer b'] as never })).rejects.toThrow(
      '400',
    );
  });
});

describe('the greeting', () => {
  it('is refused with 4403 for anything but a good access token', async () => {
    const claims = JSON.parse(
      Buffer.from(tokens.accessToken.split('.')[1] as string, 'base64url').toString(),
    );
    const ended = await openSession(server);
    await server.rest('POST', '/api/v1/auth/logout', { token: ended.accessToken });
    for (const payload of [
      undefined,
      {},
      { authorization: '' },
      { authorization: 'Bearer' },
      { authorization: `Bearer ${tokens.refreshToken}` },
      { authorization: `Bearer ${ended.accessToken}` },
      { authorization: `Bearer ${tokens.accessToken}x` },
      { authorization: claims },
      { authorization: [`Bearer ${tokens.accessToken}`] },
      { viewer: { userId: claims.sub, role: 'ADMIN' } },
      { user: claims, claims, sub: claims.sub, ...claims },
      { __proto__x: { authorization: `Bearer ${tokens.accessToken}` } },
    ]) {
      const wire = await openWire(server);
      wire.send({ type: 'connection_init', ...(payload !== undefined && { payload }) });
      expect([payload, await wire.closed]).toEqual([payload, 4403]);
    }
  });

  it('must come in time, once, and before anything else', async () => {
    expect(defaultTiming.greetingMs).toBe(3000);
    const impatient = await startTestServer({}, { timing: { greetingMs: 300 } });
    const silent = await openWire(impatient);
    expect(await silent.closed).toBe(4408);
    await impatient.close();
    const hasty = await openWire(server);
    hasty.send({ id: '1', type: 'subscribe', payload: { query: '{ me { id } }' } });
    expect(await hasty.closed).toBe(4401);
    const twice = await openSignedInWire(server, tokens.accessToken);
    twice.send({ type: 'connection_init', payload: { authorization: `Bearer ${tokens.accessToken}` } });
    expect(await twice.closed).toBe(4429);
  });
});

describe('messages', () => {
  it('that are none end the connection', async () => {
    for (const message of [
      'x',
      '[]',
      '{}',
      '{"type":"nothing"}',
      '{"id":"1","type":"subscribe"}',
      '{"id":"1","type":"subscribe","payload":{"query":7}}',
    ]) {
      const wire = await openSignedInWire(server, tokens.accessToken);
      wire.send(message);
      expect([message, await wire.closed]).toEqual([message, 4400]);
    }
  });

  it('of more than 1 MB end it with 1009', async () => {
    const wire = await openSignedInWire(server, tokens.accessToken);
    wire.send({ id: '1', type: 'subscribe', payload: { query: ' '.repeat(1_100_000) } });
    expect(await wire.closed).toBe(1009);
  });

  it('after the session has ended are not answered', async () => {
    const session = await openSession(server);
    const wire = await openSignedInWire(server, session.accessToken);
    await server.rest('POST', '/api/v1/auth/logout', { token: session.accessToken });
    expect(await wire.closed).toBe(4403);
  });
});
