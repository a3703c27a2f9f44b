// The example that receives webhooks, as people run it: a child process between a server and stand-ins for Slack, Teams and mail.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { importSarif } from '../../kit/imports.js';
import { createWebhook, deliveriesOf, until } from '../../kit/receiver.js';
import { atEnd, useServer } from '../../kit/use.js';

const example = fileURLToPath(new URL('../../../examples/webhook-receiver.mjs', import.meta.url));
const posts: { path: string; type: string; body: string }[] = [];
let isSlackDown = false;
const children: ChildProcess[] = [];

const server = await useServer({ WEBHOOK_PRIVATE_ADDRESSES: 'true' });
let token = await server.signIn();
const services = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (isSlackDown) return response.writeHead(503).end();
  posts.push({ path: request.url ?? '', type: request.headers['content-type'] ?? '', body });
  return response.end('ok');
});
await new Promise<void>((resolve) => services.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(services.address() as AddressInfo).port}`;
atEnd(async () => {
  for (const child of children) child.kill();
  services.close();
});

/** Starts the example with this secret; its port. */
async function startExample(secret: string, port = '0'): Promise<number> {
  const child = spawn(process.execPath, [example], {
    env: {
      ...{ PATH: process.env.PATH, WEBHOOK_SECRET: secret, PORT: port },
      ...{
        SLACK_URL: `${url}/slack`,
        TEAMS_URL: `${url}/teams`,
        MAIL_URL: `${url}/mail`,
        MAIL_TO: 'team@example.com',
      },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of child.stdout) {
    const found = /listening on (\d+)/.exec(String(line));
    if (found !== null) return Number(found[1]);
  }
  throw new Error('the example has ended');
}

it('passes events on to Slack, Teams and mail, once each, and has failed ones repeated', async () => {
  // The port of the example is chosen before the webhook, whose secret it needs.
  const placeholder = createServer();
  await new Promise<void>((resolve) => placeholder.listen(0, '127.0.0.1', resolve));
  const { port } = placeholder.address() as AddressInfo;
  await new Promise((resolve) => placeholder.close(resolve));
  const { id, secret } = await createWebhook(server, token, {
    url: `http://127.0.0.1:${port}/`,
    events: ['finding.new'],
  });
  await startExample(secret, String(port));
  isSlackDown = true;
  await importSarif(server, token, { target: 'shop' }, [{ rule: '<b>*A*' }, { rule: 'B', level: 'note' }]);
  await until(
    () => deliveriesOf(server, token, id),
    ([first]) => first?.attempts === 1,
  );
  expect((await deliveriesOf(server, token, id))[0]).toMatchObject({ state: 'PENDING', lastStatus: 502 });
  isSlackDown = false;
  server.clock.advance(10_000);
  token = await server.signIn();
  await until(
    () => deliveriesOf(server, token, id),
    ([first]) => first?.state === 'DELIVERED',
  );
  expect(posts.map(({ path, type }) => [path, type])).toEqual([
    ['/slack', 'application/json'],
    ['/teams', 'application/json'],
    ['/mail', 'message/rfc822'],
  ]);
  const [slack, teams, mail] = posts.map(({ body }) => body) as [string, string, string];
  expect(JSON.parse(slack)).toMatchObject({
    text: '[default] 2 findings new',
    blocks: [
      { type: 'header' },
      { text: { text: expect.stringMatching(/^\*HIGH\* .*&lt;b&gt;\*\u200bA\*\u200b/) } },
    ],
  });
  const [attachment] = JSON.parse(teams).attachments;
  expect(attachment.content.body.map((block: { text: string }) => block.text)).toEqual([
    '\\[default\\] 2 findings new',
    expect.stringContaining('\\*A\\*'),
    expect.stringMatching(/^LOW/),
  ]);
  const [head = '', body = ''] = mail.split('\r\n\r\n');
  expect(head).toMatch(/^To: team@example\.com\r\nFrom: /);
  expect(head).toContain(
    `Subject: =?utf-8?B?${Buffer.from('[default] 2 findings new').toString('base64')}?=`,
  );
  expect(Buffer.from(body, 'base64').toString()).toMatch(/^\[default\] 2 findings new\r\n\r\nHIGH {2}/);
});

it('takes nothing with a wrong signature or without an end', async () => {
  const port = await startExample(`whsec_${Buffer.alloc(32, 1).toString('base64')}`);
  const before = posts.length;
  const post = (body: string) =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: {
        'webhook-id': 'x',
        'webhook-timestamp': `${Math.floor(Date.now() / 1000)}`,
        'webhook-signature': 'v1,AAAA',
      },
      body,
    });
  expect((await post('{"type":"finding.new"}')).status).toBe(401);
  expect((await post('x'.repeat(1_000_001))).status).toBe(413);
  expect(posts).toHaveLength(before);
});
