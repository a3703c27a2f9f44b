// Secrets in reports: none is stored, whether a format knows it by its field or it stands in a message, code or a request.
import { describe, expect, it } from '@jest/globals';
import { maskSecrets } from '../../../src/reports/mask-secrets.js';
import { formatFixture, readAll } from '../../kit/reports.js';

describe('a report', () => {
  it.each([
    ['gitleaks.json', ['hunter2-hunter2-hunter2', 'hunter3-hunter3', 'Ada', 'ada@lab.example']],
    ['secretlint.json', ['hunter2-hunter2-hunter2']],
    ['gitlab.json', ['hunter2-hunter2-hunter2', 'abcdef0123456789']],
    ['nuclei.jsonl', ['YWRtaW46YWRtaW4=']],
    ['zap.xml', ['0123456789abcdef', 'theme=dark']],
    ['burp.xml', ['0123456789abcdef']],
  ])('%s is stored without its secrets', async (name, secrets) => {
    const bytes = formatFixture(name);
    const { items, notes } = await readAll(bytes);
    const stored = JSON.stringify([items, notes.warnings]);
    expect(secrets.filter((secret) => stored.includes(secret))).toEqual([]);
    expect(stored).toContain('********');
  });

  it('says where a leak is', async () => {
    const { items } = await readAll(formatFixture('gitleaks.json'));
    expect(items.map(({ evidence }) => evidence)).toEqual(['key = "hunt********"', 'token = ********']);
    expect(items[0]).toMatchObject({
      ruleId: 'lab-key',
      location: { path: 'conf/a.env', startLine: 7, startColumn: 9 },
      toolFingerprint: '0123abc:conf/a.env:lab-key:7',
    });
  });

  it('masks a leak wholly where its line does not hold the secret as it is', async () => {
    const leak = { RuleID: 'r', Secret: 'a"b"cdefgh', Match: 'x = "a\\"b\\"cdefgh"', File: 'a' };
    const { items } = await readAll(JSON.stringify([leak]), 'GITLEAKS');
    expect(items[0]?.evidence).toBe('********');
  });
});

describe('a receipt', () => {
  it('holds no secret of an error that a tool reports', async () => {
    const report = {
      error: { code: 'E', summary: 'request to https://ada:hunter2@registry.example failed' },
    };
    const { notes } = await readAll(JSON.stringify(report), 'NPM_AUDIT');
    expect(notes.facts.incomplete[0]).toContain('https://ada:********@registry.example');
    expect(JSON.stringify(notes)).not.toContain('hunter2');
  });
});

describe('a text', () => {
  const key = `-----BEGIN RSA PRIVATE KEY-----\n${'MIIE'.repeat(20)}\n-----END RSA PRIVATE KEY-----`;
  it.each([
    [`a ${key} b`, 'a ******** b'],
    ['id = AKIAQWERTYUIOPASDFGH', 'id = AKIA********'],
    [`ghp_${'a1'.repeat(18)}`, 'ghp_********'],
    [`glpat-${'a1'.repeat(10)}`, 'glpat-********'],
    [`xoxb-${'1234567890'}-abc`, 'xoxb-********'],
    [`sk_live_${'a1'.repeat(12)}`, 'sk_live_********'],
    [`npm_${'a1'.repeat(18)}`, 'npm_********'],
    [`eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`, 'eyJ********'],
    ['postgres://shop:hunter2@db/shop', 'postgres://shop:********@db/shop'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer ********'],
    ['"authorization": "Basic YWRtaW4="', '"authorization": "Basic ********"'],
    ['X-Api-Key: abcdef', 'X-Api-Key: ********'],
    ['GET /a?b=1&access_token=abcdef&c=2', 'GET /a?b=1&access_token=********&c=2'],
    ['POST /login\r\n\r\npassword=hunter2&user=a', 'POST /login\r\n\r\npassword=********&user=a'],
    ['Cookie: sid=abc; theme=dark\r\nHost: a', 'Cookie: sid=********; theme=********\r\nHost: a'],
    ['Set-Cookie: sid=abc; Path=/; HttpOnly', 'Set-Cookie: sid=********; Path=/; HttpOnly'],
  ])('%j is stored as %j', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
  });

  it.each([
    'Use of eval with x = 1',
    'https://lab.example/a?page=2',
    'The cookie has no Secure attribute',
    'Set-Cookie: sid',
    'skip_list and sk-short',
  ])('%j stays as it is', (text) => {
    expect(maskSecrets(text)).toBe(text);
  });

  it('of any length is searched once for each shape', () => {
    for (const part of [
      'a://',
      'eyJ',
      'cookie:',
      'set-cookie: ',
      '?password=',
      '-----BEGIN ',
      'authorization: bearer ',
    ])
      expect(maskSecrets(part.repeat(20_000)).length).toBeGreaterThan(0);
  });
});
