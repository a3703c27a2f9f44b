// Long texts that make careless patterns take hours: each ends here, or the test runs into its timeout.
import { describe, expect, it } from '@jest/globals';
import { textFromHtml } from '../../../src/reports/html.js';
import { maskSecrets } from '../../../src/reports/mask-secrets.js';
import { readAll } from '../../kit/reports.js';

const million = 1_000_000;
const many = (part: string, length = 4 * million) => part.repeat(length / part.length);
const sarif = (result: object, run: object = {}) =>
  JSON.stringify({
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'T' } }, ...run, results: [result] }],
  });
const at = (uri: string) => [{ physicalLocation: { artifactLocation: { uri } } }];

describe('a text of four million characters', () => {
  it.each<[string, string]>([
    ['brackets in a message', sarif({ message: { text: many('[') } })],
    ['escaped brackets in a message', sarif({ message: { text: many('\\[') } })],
    ['placeholders in a message', sarif({ message: { text: many('{0') } })],
    [
      'slashes in a working directory',
      sarif({ locations: at('a.c') }, { invocations: [{ workingDirectory: { uri: `${many('/')}x` } }] }),
    ],
    ['a path', sarif({ locations: at(many('%41')) })],
    [
      'blanks in a snippet',
      sarif({
        locations: [
          { physicalLocation: { artifactLocation: { uri: 'a' }, region: { snippet: { text: many(' ') } } } },
        ],
      }),
    ],
    [
      'places in the name of a test',
      `<testsuite><testcase name="${many(' at ')}"><failure/></testcase></testsuite>`,
    ],
    [
      'brackets in the place of an issue',
      `<issues burpVersion="1"><issue><name>a</name><severity>High</severity><location>${many('[ ')}</location></issue></issues>`,
    ],
    [
      'blanks in a reference',
      JSON.stringify({ 'template-id': 'a', info: { name: 'a', severity: 'low', reference: many(' ') } }),
    ],
    ['quotes and backslashes', JSON.stringify([{ severity: 'LOW', title: 'a', description: many('\\"') }])],
  ])('of %s is read', async (_name, text) => {
    expect((await readAll(text)).items).toHaveLength(1);
  });

  it.each([
    '-----BEGIN PRIVATE KEY-----',
    'eyJ',
    'eyJ-',
    'a://b:',
    'cookie:a',
    'set-cookie: a=',
    '?password=a',
    'authorization: bearer a',
    'sk-',
    ' ',
  ])('of %j is masked', (part) => {
    expect(maskSecrets(many(part)).length).toBeGreaterThan(0);
  });

  it.each(['<p>', '<', '&', ' ', '<li ', '\n', '&#x'])('of %j is plain text', (part) => {
    expect((textFromHtml(many(part)) ?? '').length).toBeLessThanOrEqual(200_000);
  });
});
