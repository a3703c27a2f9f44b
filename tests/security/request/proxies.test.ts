// Attack: a made-up X-Forwarded-For, to hide from limits and the audit trail or to put the blame on somebody else, with none,
// one and two proxies trusted, over raw sockets. ASVS 5.0: 4.1.3, 15.3.4.
import { describe, expect, it } from '@jest/globals';
import { startTestServer, type TestServer } from '../../kit/harness.js';
import { sendRaw } from '../../kit/network/wire.js';
import { useServer } from '../../kit/use.js';

/** By how many proxies they trust. */
const servers: TestServer[] = [];
for (const hops of [0, 1, 2])
  servers.push(await useServer({ TRUST_PROXY: String(hops), LOGIN_MAX_FAILURES: '1' }));

/** A failed sign-in with these header lines; its status, and the address that the audit trail gives. */
async function addressOf(server: TestServer, lines: string[]): Promise<{ status: number; ip: string }> {
  const body = '{"email":"nobody@people.test","password":"wrong in every way"}';
  const head = ['POST /api/v1/auth/login HTTP/1.1', 'Host: x', 'Connection: close', ...lines];
  const end = ['Content-Type: application/json', `Content-Length: ${body.length}`, '', body];
  const { text } = await sendRaw(server, [...head, ...end].join('\r\n'));
  const [event] = await server.sql<{ ip: string }>('SELECT ip FROM audit_events ORDER BY id DESC LIMIT 1');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), ip: event?.ip ?? '' };
}

describe.each([
  // [X-Forwarded-For lines, address with 0, 1 and 2 proxies]
  [[], ['127.0.0.1', '127.0.0.1', '127.0.0.1']],
  [['6.6.6.6'], ['127.0.0.1', '6.6.6.6', '6.6.6.6']],
  [['6.6.6.6, 203.0.113.9'], ['127.0.0.1', '203.0.113.9', '6.6.6.6']],
  [['6.6.6.6, 203.0.113.9, 10.0.0.2'], ['127.0.0.1', '10.0.0.2', '203.0.113.9']],
  [
    ['6.6.6.6', '203.0.113.9, 10.0.0.2'],
    ['127.0.0.1', '10.0.0.2', '203.0.113.9'],
  ],
  [
    ['6.6.6.6,7.7.7.7,8.8.8.8', '203.0.113.9', '10.0.0.2'],
    ['127.0.0.1', '10.0.0.2', '203.0.113.9'],
  ],
] as [string[], string[]][])('X-Forwarded-For %j', (values, expected) => {
  it.each([0, 1, 2])('with %d trusted is read from its end', async (hops) => {
    const lines = values.map((value) => `X-Forwarded-For: ${value}`);
    const others = ['X-Real-IP: 7.7.7.7', 'Forwarded: for=8.8.8.8', 'CF-Connecting-IP: 9.9.9.9'];
    expect(await addressOf(servers[hops] as TestServer, [...lines, ...others])).toEqual({
      ...{ status: 401, ip: expected[hops] },
    });
  });
});

it.each([0, 1, 2])('what is made up before the last %d entries buys no further attempts', async (hops) => {
  const server = servers[hops] as TestServer;
  const statuses = [];
  for (let index = 0; index < 25; index += 1) {
    const forged = `X-Forwarded-For: 6.6.${index}.1, 5.5.${index}.5${', 198.51.100.7'.repeat(hops)}`;
    statuses.push((await addressOf(server, [forged])).status);
  }
  // The budget of an address is 10 here; addresses of the tests above used some of it where no proxy is trusted.
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
  expect(statuses.at(-1)).toBe(429);
});

describe('one client stays one client, however its proxy writes the address', () => {
  const hex = (index: number) => index.toString(16);
  it.each([
    ['with the port of its connection', (index: number) => `192.0.2.31:${50_000 + index}`, '192.0.2.31'],
    ['in brackets with the port', (index: number) => `[2001:db8:31::7]:${50_000 + index}`, '2001:db8:31::7'],
    [
      'mapped to IPv6',
      (index: number) => (index % 2 === 0 ? '192.0.2.32' : '::ffff:192.0.2.32'),
      '192.0.2.32',
    ],
    ['in four spellings', (index: number) => fourSpellings[index % 4] as string, '2001:db8:33::7'],
    ['with a zone', (index: number) => `2001:db8:34::7%eth${index}`, '2001:db8:34::7'],
    ['from addresses of its own /64', (index: number) => `2001:db8:35:1::${hex(index + 1)}`, undefined],
    [
      'from its /64, each with a port',
      (index: number) => `[2001:db8:36:1:${hex(index)}::1]:${index + 1}`,
      undefined,
    ],
  ])('%s', async (_what, entryOf, stored) => {
    const server = servers[1] as TestServer;
    const statuses = [];
    for (let index = 0; index < 14; index += 1) {
      const { status, ip } = await addressOf(server, [`X-Forwarded-For: ${entryOf(index)}`]);
      statuses.push(status);
      if (stored !== undefined && status === 401) expect(ip).toBe(stored);
    }
    expect(statuses).toEqual([...Array(10).fill(401), ...Array(4).fill(429)]);
  });

  it('and an entry that is no address counts as the proxy’s own', async () => {
    const server = await startTestServer({ TRUST_PROXY: '1', LOGIN_MAX_FAILURES: '1' });
    const entries = [
      'unknown',
      '<script>',
      '_hidden',
      '010.0.0.1',
      '1.2.3',
      'x'.repeat(300),
      '203.0.113.7:99999',
    ];
    const seen = [];
    for (let index = 0; index < 14; index += 1)
      seen.push(await addressOf(server, [`X-Forwarded-For: ${entries[index % entries.length]}`]));
    await server.close();
    expect(new Set(seen.map(({ ip }) => ip))).toEqual(new Set(['127.0.0.1']));
    expect(seen.filter(({ status }) => status === 429)).toHaveLength(4);
  });

  it('for the limit on requests without sign-in too', async () => {
    const server = await startTestServer({ TRUST_PROXY: '1', RATE_LIMIT_ANONYMOUS_PER_MINUTE: '20' });
    const passedOf = async (entryOf: (index: number) => string) => {
      const statuses = await Promise.all(
        Array.from({ length: 30 }, async (_, index) => {
          const headers = { 'x-forwarded-for': entryOf(index) };
          return (await server.gql('{ __typename }', {}, undefined, headers)).status;
        }),
      );
      return statuses.filter((status) => status !== 429).length;
    };
    expect(await passedOf((index) => `2001:db8:40:1::${hex(index + 1)}`)).toBe(20);
    expect(await passedOf((index) => `192.0.2.40:${index + 1}`)).toBe(20);
    expect(await passedOf((index) => `2001:db8:41:${hex(index)}::1`)).toBe(30);
    await server.close();
  });
});

const fourSpellings = [
  '2001:db8:33::7',
  '2001:DB8:33::7',
  '2001:0db8:0033:0:0:0:0:7',
  '2001:db8:33::0.0.0.7',
];
