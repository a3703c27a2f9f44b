// Audits by an independent tool: graphql-http's own suite for servers that speak GraphQL over HTTP. ASVS 5.0: 3.5.2, 3.5.3,
// 4.1.1 name some of it.
import { expect, it } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

it.each(['/graphql', '/api/v1/graphql'])('every audit of %s passes', async (path) => {
  const audits = serverAudits({
    url: server.url + path,
    fetchFn: (url: string, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${token}`);
      return fetch(url, { ...init, headers });
    },
  });
  expect(audits.length).toBeGreaterThan(50);
  const failed: Record<string, string> = {};
  for (const audit of audits) {
    const result = await audit.fn();
    if (result.status !== 'ok') failed[audit.id] = `${result.status} ${audit.name}: ${result.reason}`;
  }
  expect(failed).toEqual({});
});
