// Attack: any document that nobody wrote for this server, where it is set to run listed ones only. ASVS 4.3.1, 4.3.2.
import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { openSignedInWire } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

const mine = 'query Me { me { role } }';
const hash = createHash('sha256').update(mine).digest('hex');
const file = join(mkdtempSync(join(tmpdir(), 'trusted-')), 'documents.json');
writeFileSync(file, JSON.stringify({ me: mine }));

const server = await useServer({ TRUSTED_DOCUMENTS: file });
const token = await server.signIn();

const post = (body: object) => server.rest('POST', '/graphql', { body, token });

it('a listed document runs by its id, its hash, its text', async () => {
  for (const body of [
    { documentId: 'me' },
    { documentId: `sha256:${hash}` },
    { extensions: { persistedQuery: { version: 1, sha256Hash: hash } } },
    { query: mine },
  ]) {
    expect([body, (await post(body)).body]).toEqual([body, { data: { me: { role: 'ADMIN' } } }]);
  }
});

it('no other runs, over HTTP and over WebSockets', async () => {
  for (const body of [
    { query: '{ me { id } }' },
    { documentId: 'other' },
    { documentId: '__proto__' },
    { query: '{ me { id } }', extensions: { persistedQuery: { sha256Hash: 'x' } } },
    { extensions: null },
  ]) {
    const answer = await post(body);
    expect([body, answer.status, answer.body.errors[0].extensions.code]).toEqual([body, 403, 'FORBIDDEN']);
  }
  const wire = await openSignedInWire(server, token);
  wire.send({ id: '1', type: 'subscribe', payload: { query: '{ me { id } }' } });
  expect((await wire.next()).payload[0].extensions.code).toBe('FORBIDDEN');
  wire.send({
    id: '2',
    type: 'subscribe',
    payload: { query: '', extensions: { persistedQuery: { sha256Hash: hash } } },
  });
  expect((await wire.next()).payload).toEqual({ data: { me: { role: 'ADMIN' } } });
  wire.end();
});
