// Under a sub-path of a reverse proxy every link of the API leads to the API, not to the root of the host.
import { expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { startProxy } from '../../kit/network/proxy.js';
import { atEnd, useServer } from '../../kit/use.js';

const server = await useServer();
const proxy = await startProxy(server.url);
atEnd(() => proxy.close());

it('the documentation is redirected to itself, with every file that its page uses', async () => {
  for (const path of ['/docs', '/docs?from=search']) {
    const redirect = await fetch(proxy.url + path, { redirect: 'manual' });
    expect([path, redirect.status]).toEqual([path, 301]);
    const target = new URL(redirect.headers.get('location') ?? '', redirect.url);
    expect(target.href).toBe(`${proxy.url}/docs/`);
  }
  const page = await fetch(`${proxy.url}/docs`);
  const html = await page.text();
  expect(html).toContain('swagger-ui');
  const links = [...html.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, link]) => link as string);
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) {
    const { status } = await fetch(new URL(link, page.url));
    expect([link, status]).toEqual([link, 200]);
  }
});

it('the OpenAPI document leads to the API, as JSON and as YAML', async () => {
  const json = await fetch(`${proxy.url}/docs/openapi.json`);
  const { servers, paths } = (await json.json()) as { servers: { url: string }[]; paths: object };
  expect(servers).toHaveLength(1);
  const [{ url }] = servers as [{ url: string }];
  const base = new URL(url, json.url).href.replace(/\/$/, '');
  expect(base).toBe(proxy.url);
  expect(paths).toHaveProperty(['/api/v1/health/live']);
  expect((await fetch(`${base}/api/v1/health/live`)).status).toBe(200);
  expect(await (await fetch(`${proxy.url}/docs/openapi.yaml`)).text()).toContain(`\n  - url: ${url}\n`);
});

it('GraphQL and REST answer there as at the root', async () => {
  const login = await fetch(`${proxy.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = (await login.json()) as { accessToken: string };
  for (const path of ['/graphql', '/api/v1/graphql']) {
    const response = await fetch(proxy.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
      body: JSON.stringify({ query: '{ me { email } }' }),
    });
    expect(await response.json()).toEqual({ data: { me: { email: admin.email } } });
  }
});

it('no response refers to a path from the root of the host', async () => {
  const requests: [string, RequestInit][] = [
    ['/docs', {}],
    ['/docs/', {}],
    ['/docs/swagger-ui-init.js', {}],
    ['/graphql', { headers: { accept: 'text/html' } }],
    ['/nowhere', {}],
    ['/api/v1/auth/me', {}],
    ['/api/v1/auth/login', { method: 'OPTIONS' }],
  ];
  for (const [path, init] of requests) {
    const { headers } = await fetch(proxy.url + path, { ...init, redirect: 'manual' });
    expect([path, headers.get('location') ?? '', headers.get('link') ?? '']).toEqual([
      ...[path, expect.not.stringMatching(/^(\/|http)/), expect.not.stringContaining('</')],
    ]);
  }
});
