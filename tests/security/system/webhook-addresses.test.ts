// Attack: making the server call its inner network through a webhook, by an address, a name, or a name that resolves to
// another address the second time. ASVS 1.3.6 (SSRF).
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { createSender } from '../../../src/features/webhook/sender.js';
import { isPublicAddress } from '../../../src/infra/network-addresses.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

describe('a webhook', () => {
  it.each([
    ...['http://a.example/', 'https://127.0.0.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://0/'],
    ...[
      'https://10.1.2.3/',
      'https://169.254.169.254/latest/meta-data',
      'https://[::1]/',
      'https://[fd00::1]/',
    ],
    ...[
      'https://[::ffff:127.0.0.1]/',
      'https://[fe80::1]/',
      'https://[64:ff9b::7f00:1]/',
      'https://localhost/',
    ],
    ...['https://a.localhost./', 'https://192.168.1.1/', 'https://172.31.0.1/', 'https://100.64.0.1/'],
  ])('is refused for %s', async (url) => {
    const answer = await server.change('createWebhook', { url, events: ['finding.new'] }, 'secret', token);
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      expect.objectContaining({ path: 'input.url' }),
    ]);
  });

  it('is accepted for a public name and address', async () => {
    for (const url of [
      'https://hooks.example.com/x',
      'https://93.184.216.34/x',
      'https://[2606:2800:220:1::1]/',
    ]) {
      const answer = await server.change(
        'createWebhook',
        { url, events: ['finding.new'] },
        'webhook { url }',
        token,
      );
      expect(answer.expectData().createWebhook.webhook.url).toBe(url);
    }
  });
});

describe('a sender', () => {
  const message = (url: string) => ({ url, secret: Buffer.alloc(32), id: 'whd_1', body: '{}', timestamp: 1 });
  const at = (address: string) => ({ address, family: address.includes(':') ? 6 : 4 });

  it('checks the address that it connects to, each time that it resolves the name', async () => {
    let connections = 0;
    const inner = createServer((_request, response) => response.end());
    inner.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
    const { port } = inner.address() as AddressInfo;
    const answers = [[at('127.0.0.1')], [at('93.184.216.34'), at('10.0.0.1')], [at('::ffff:127.0.0.1')], []];
    const sender = createSender(false, (_name, done) => done(null, answers.shift() ?? []));
    while (answers.length > 0)
      expect(await sender.send(message(`https://rebinding.example:${port}/`))).toEqual({
        error: 'the name resolves to a private address',
      });
    expect(connections).toBe(0);
    sender.close();
    await new Promise((resolve) => inner.close(resolve));
  });

  it('sends to no private URL that an earlier setting allowed', async () => {
    const sender = createSender(false);
    expect(await sender.send(message('https://127.0.0.1:1/'))).toEqual({
      error: 'the URL must not be a private, loopback or link-local address',
    });
    expect(await sender.send(message('http://a.example/'))).toEqual({
      error: 'the URL must be an https URL',
    });
    sender.close();
  });
});

it('public addresses are those of the open internet', () => {
  const isPublic = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'];
  const isNot = [
    ...['0.0.0.0', '127.255.255.255', '192.0.0.1', '198.19.0.1', '224.0.0.1', '255.255.255.255', 'a', ''],
    ...[
      '::',
      '::1',
      'fc00::1',
      'fe80::1%eth0',
      'ff02::1',
      '2002:7f00:1::',
      '2001:db8::1',
      '64:ff9b::1',
      '::127.0.0.1',
    ],
  ];
  expect(isPublic.filter((address) => !isPublicAddress(address))).toEqual([]);
  expect(isNot.filter(isPublicAddress)).toEqual([]);
});
