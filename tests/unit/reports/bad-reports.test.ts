// Reports that are broken, hostile, or not whole: refused with the place of the fault, or read as an incomplete run.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/core/errors.js';
import type { ReportFormatName } from '../../../src/reports/format.js';
import { formatFixture, readAll } from '../../kit/reports.js';

const text = (name: string) => formatFixture(name).toString();
const cut = (name: string, part: number) => text(name).slice(0, Math.floor(text(name).length * part));
const zap = (inner: string, doctype = '') =>
  `<?xml version="1.0"?>${doctype}<OWASPZAPReport>${inner}</OWASPZAPReport>`;

async function refusal(content: string | Uint8Array, format?: ReportFormatName) {
  const error = await readAll(content, format).then(
    () => undefined,
    (fault: unknown) => fault,
  );
  expect(error).toBeInstanceOf(AppError);
  expect((error as AppError).code).toBe('VALIDATION_FAILED');
  return (error as AppError).message;
}

describe('a report is refused', () => {
  const runs = `{"version":"2.1.0","runs":[${'{},'.repeat(10_000)}{}]}`;
  const lol = '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;">]>';
  it.each<[string, ReportFormatName, string | Uint8Array, string]>([
    ['with the end missing', 'BANDIT', cut('bandit.json', 0.8), 'ends too early (at /results/1'],
    ['with the end missing', 'ZAP_XML', cut('zap.xml', 0.8), 'ends too early (line'],
    [
      'with the end missing',
      'NUCLEI',
      cut('nuclei-list.json', 0.5).replace(/^\[/, '[ 7,'),
      'is no match of a template (at /0)',
    ],
    ['with an open quote', 'GENERIC_CSV', 'title,severity\n"a,LOW\n', 'ends within a quoted cell'],
    [
      'with a cell too many',
      'GENERIC_CSV',
      'title,severity\na,LOW,x\n',
      'a row of 3 cells under 2 columns (line 2',
    ],
    ['with a column twice', 'GENERIC_CSV', 'title,severity,Title\n', 'the column title twice (line 1'],
    ['without a column', 'GENERIC_CSV', 'title,impact\na,LOW\n', 'no column severity (line 1'],
    [
      'with an unknown severity',
      'GENERIC_CSV',
      'title,severity\na,LOW\nb,bad\n',
      'without a severity: INFO, LOW, MEDIUM, HIGH or CRITICAL (line 3',
    ],
    [
      'without a title',
      'GENERIC_JSON',
      '{"results":[{"severity":"LOW"}]}',
      'without a title (at /results/0/title)',
    ],
    [
      'with a line that is no number',
      'GENERIC_JSON',
      '[{"title":"a","severity":"LOW","location":{"startLine":"x"}}]',
      'location.startLine that is no number from 1 (at /0/location/startLine)',
    ],
    [
      'with a key twice',
      'TRIVY',
      '{"SchemaVersion":2,"Results":[],"Results":[]}',
      'has the key "Results" twice (byte 32)',
    ],
    [
      'with a key twice in a value',
      'BANDIT',
      '{"results":[{"test_id":"a","test_id":"b"}]}',
      'an object with a repeated key (at /results/0',
    ],
    [
      'that is nested too deep',
      'GRYPE',
      `{"matches":[${'['.repeat(5000)}${']'.repeat(5000)}]}`,
      'nested deeper than 100 levels (at /matches/0',
    ],
    [
      'with a value that is too large',
      'BANDIT',
      `{"results":["${'x'.repeat(17_000_000)}"]}`,
      'a value of more than 16777216 bytes (at /results/0',
    ],
    ['with too many runs', 'SARIF', runs, 'more than 10000 runs (at /runs/10000)'],
    [
      'of SARIF 2.0',
      'SARIF',
      '{"version":"2.0.0","runs":[]}',
      'SARIF 2.0.0; only 2.1.0 is supported (at /version)',
    ],
    [
      'with a document type',
      'ZAP_XML',
      zap('', '<!DOCTYPE OWASPZAPReport>'),
      'has a document type, which is refused (line 1',
    ],
    ['with entities', 'ZAP_XML', zap('&m;', lol), 'has a document type'],
    [
      'with entities',
      'BURP_XML',
      `${lol.replace('DOCTYPE a', 'DOCTYPE issues')}<issues>&m;</issues>`,
      'has a document type',
    ],
    [
      'with entities',
      'NMAP_XML',
      `${lol.replace('DOCTYPE a', 'DOCTYPE nmaprun')}<nmaprun>&m;</nmaprun>`,
      'has a document type',
    ],
    [
      'with a file to include',
      'NMAP_XML',
      '<!DOCTYPE nmaprun SYSTEM "file:///etc/passwd"><nmaprun/>',
      'has a document type',
    ],
    [
      'with an unknown entity',
      'JUNIT',
      '<testsuite>&lol;</testsuite>',
      'no valid XML: Invalid character entity',
    ],
    ['with XML nested too deep', 'JUNIT', '<testsuite>'.repeat(200), 'nested deeper than 100 levels (line 1'],
    [
      'with too many elements in one',
      'CPPCHECK_XML',
      `<results><errors><error>${'<a/>'.repeat(200_001)}`,
      'more than 200000 elements (line 1',
    ],
    ['with an attribute twice', 'JUNIT', '<testsuite><testcase a="1" b=2/></testsuite>', 'no valid XML'],
    [
      'in an unknown encoding',
      'ZAP_XML',
      zap('').replace('?>', ' encoding="x-lab"?>'),
      'the encoding x-lab, which is not supported',
    ],
    [
      'with bytes of another encoding',
      'BANDIT',
      Buffer.from('{"results":[{"a":"\xe9"}]}', 'latin1'),
      'not valid UTF-8 (at /results/0',
    ],
    ['of another format', 'GRYPE', text('trivy.json'), 'is of the format TRIVY, not GRYPE'],
    ['of another format', 'ZAP_XML', text('nmap.xml'), 'is of the format NMAP_XML, not ZAP_XML'],
    [
      'of another root element',
      'BURP_XML',
      '<things/>',
      'has the root element <things> in place of <issues> (line 1',
    ],
    ['that is empty', 'TRIVY', '', 'is empty'],
    ['that is empty', 'GENERIC_CSV', '\n\n', 'is empty'],
    ['that is empty', 'JUNIT', '', 'ends too early'],
    ['with a broken gzip', 'BANDIT', gzipSync('{"results":[]}').subarray(0, 20), 'its gzip ends too early'],
  ])('%s (%s)', async (_fault, format, content, message) => {
    expect(await refusal(content, format)).toContain(message);
  });

  it.each(['bandit.json', 'zap.xml', 'generic.csv'])(
    'when it unpacks to more than the bound, as %s followed by blanks',
    async (name) => {
      const bomb = gzipSync(Buffer.concat([formatFixture(name), Buffer.alloc(2 ** 21, ' ')]));
      expect(bomb.length).toBeLessThan(10_000);
      await expect(readAll(bomb, undefined, undefined, 2 ** 20)).rejects.toThrow('larger than 1048576 bytes');
    },
  );

  it('when what its results point to is larger than 64 MiB', async () => {
    const rule = JSON.stringify({ id: 'r', help: { text: 'x'.repeat(1_000_000) } });
    const log = `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"T","rules":[${Array(70).fill(rule).join()}]}},"results":[]}]}`;
    expect(await refusal(log, 'SARIF')).toContain('describes its results with more than 67108864 bytes');
  });
});

describe('a receipt', () => {
  it('counts the parts of a thousand invented reasons under few', async () => {
    const results = Array.from({ length: 1000 }, (_, n) => ({ kind: `kind-${n}` }));
    const log = { version: '2.1.0', runs: [{ tool: { driver: { name: 'T' } }, results }] };
    const { notes } = await readAll(JSON.stringify(log));
    expect([notes.skipped.size, notes.skipped.get('other')]).toEqual([51, 950]);
  });
});

describe('a run is incomplete', () => {
  it.each<[string, ReportFormatName, string, string, number]>([
    [
      'when testssl.sh was killed',
      'TESTSSL',
      cut('testssl.json', 0.7),
      'did not finish: its report ends too early',
      1,
    ],
    [
      'when testssl.sh was interrupted',
      'TESTSSL',
      text('testssl.json').replace(/"INFO",\s*"finding": "83"/, '"WARN","finding":"Scan interrupted"'),
      'did not finish: Scan interrupted',
      2,
    ],
    [
      'when testssl.sh was interrupted, in the pretty report',
      'TESTSSL',
      text('testssl-pretty.json').replace('"scanTime": 83', '"scanTime": "Scan interrupted"'),
      'did not finish: Scan interrupted',
      2,
    ],
    [
      'when testssl.sh reached no host',
      'TESTSSL',
      '[{"id":"scanProblem","ip":"a/192.0.2.7","port":"443","severity":"FATAL","finding":"cannot connect"}]',
      'testssl.sh failed: cannot connect',
      0,
    ],
    [
      'when testssl.sh tested no host',
      'TESTSSL',
      '"id","fqdn/ip","port","severity","finding","cve","cwe"\n',
      'tested no host',
      0,
    ],
    ['when Nmap was killed', 'NMAP_XML', cut('nmap.xml', 0.9), 'Nmap did not finish', 3],
    [
      'when Nmap resolved no name',
      'NMAP_XML',
      text('nmap.xml')
        .replace(/<host>.*<\/host>/s, '')
        .replace(/<hosts .*?>/, '<hosts up="0" down="0" total="0"/>'),
      'scanned no host',
      0,
    ],
    [
      'when no host answered Nmap',
      'NMAP_XML',
      text('nmap.xml')
        .replace(/<host>.*<\/host>/s, '')
        .replace('up="1"', 'up="0"'),
      'No host answered',
      0,
    ],
    [
      'when Nmap failed',
      'NMAP_XML',
      text('nmap.xml').replace('exit="success"', 'exit="error" errormsg="no route"'),
      'Nmap failed: no route',
      3,
    ],
    ['when Nuclei was killed', 'NUCLEI', text('nuclei.jsonl').slice(0, -30), 'ends too early', 3],
    ['when Cppcheck was killed', 'CPPCHECK_XML', cut('cppcheck.xml', 0.7), 'ends too early', 2],
    [
      'when npm found no lock file',
      'NPM_AUDIT',
      text('npm-audit-no-lock.json'),
      'npm reports an error: This command requires',
      0,
    ],
    [
      'when npm reached no registry',
      'NPM_AUDIT',
      '{"message":"request failed","error":{"summary":"","detail":""}}',
      'npm reports an error',
      0,
    ],
    [
      'when Yarn 1 reached no registry',
      'NPM_AUDIT',
      '{"type":"info","data":"Visit the docs"}',
      'did not audit',
      0,
    ],
    ['when npm did not audit', 'NPM_AUDIT', '{"auditReportVersion":2,"metadata":{}}', 'npm did not audit', 0],
    [
      'when Checkov found nothing to scan',
      'CHECKOV',
      '{"passed":0,"failed":0,"resource_count":0,"checkov_version":"3.0"}',
      'found nothing that it could scan',
      0,
    ],
    [
      'when a BOM has no vulnerabilities',
      'CYCLONEDX',
      '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}',
      'has no vulnerabilities',
      0,
    ],
    [
      'when GitLab says that the scan failed',
      'GITLAB',
      text('gitlab.json').replace('"status": "success"', '"status": "failure"'),
      'status is failure',
      4,
    ],
    [
      'when GitLab’s report has no vulnerabilities',
      'GITLAB',
      '{"version":"15.0.7","scan":{"status":"success"}}',
      'has no vulnerabilities',
      0,
    ],
    ['when ZAP has no site', 'ZAP_XML', zap(''), 'has no site', 0],
    ['when ZAP has no site', 'ZAP_JSON', '{"@version":"2.16.0","@generated":"x"}', 'has no site', 0],
    [
      'when Semgrep has an error without a file',
      'SEMGREP',
      '{"results":[],"errors":[{"level":"error","message":"no rules"}],"paths":{"scanned":[]},"version":"1"}',
      'Semgrep reports an error: no rules',
      0,
    ],
    ['when Grype has no matches', 'GRYPE', '{"descriptor":{"name":"grype"}}', 'has no matches', 0],
    [
      'when our own format says so',
      'GENERIC_JSON',
      '{"results":[],"incomplete":"The scan timed out."}',
      'The scan timed out.',
      0,
    ],
  ])('%s (%s)', async (_name, format, content, reason, count) => {
    const { items, notes } = await readAll(content, format);
    expect(notes.facts.incomplete[0]).toContain(reason);
    expect(items).toHaveLength(count);
    expect(notes.warningCount).toBeGreaterThan(0);
  });
});

describe('a run that found nothing is whole', () => {
  it.each<[ReportFormatName, string]>([
    ['CYCLONEDX', '{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[]}'],
    ['GITLAB', '{"version":"15.0.7","scan":{"status":"success"},"vulnerabilities":[]}'],
    ['GITLAB', '[]'],
    [
      'ZAP_JSON',
      '{"@version":"2.16.0","site":[{"@name":"https://a","@host":"a","@port":"443","alerts":[]}]}',
    ],
    ['ZAP_XML', zap('<site name="https://a" host="a" port="443"><alerts></alerts></site>')],
    ['NUCLEI', ''],
    ['NUCLEI', '[]'],
    ['TRIVY', '{"SchemaVersion":2,"ArtifactName":"."}'],
    ['TRIVY', '{"SchemaVersion":2,"ArtifactName":".","Results":[{"Target":"a","Vulnerabilities":null}]}'],
    ['TRIVY', 'null'],
    ['GRYPE', '{"matches":[],"descriptor":{"name":"grype"}}'],
    ['GRYPE', '{"matches":null,"descriptor":{"name":"grype"}}'],
    ['SEMGREP', '{"results":[],"errors":[],"paths":{"scanned":[]},"version":"1"}'],
    ['GITLEAKS', '[]'],
    ['GITLEAKS', 'null'],
    ['BANDIT', '{"errors":[],"generated_at":"x","metrics":{"_totals":{}},"results":[]}'],
    [
      'CHECKOV',
      '{"check_type":"terraform","results":{"passed_checks":[],"failed_checks":[]},"summary":{"failed":0}}',
    ],
    ['NPM_AUDIT', '{}'],
    ['NPM_AUDIT', '{"type":"auditSummary","data":{"vulnerabilities":{"high":0},"dependencies":3}}'],
    ['NPM_AUDIT', '{"auditReportVersion":2,"vulnerabilities":{},"metadata":{}}'],
    ['ESLINT', '[{"filePath":"a.js","messages":[]}]'],
    ['ESLINT', '[]'],
    ['CPPCHECK_XML', '<results version="2"><cppcheck version="2.17"/><errors></errors></results>'],
    ['NMAP_XML', text('nmap.xml').replace(/<ports>.*<\/ports>/s, '<ports/>')],
    ['TESTSSL', '[{"id":"SSLv3","ip":"a/192.0.2.7","port":"443","severity":"OK","finding":"not offered"}]'],
    ['BURP_XML', '<issues burpVersion="2030.1"/>'],
    ['JUNIT', '<testsuites/>'],
    ['GENERIC_JSON', '[]'],
    ['GENERIC_CSV', 'title,severity\n'],
  ])('%s: %s', async (format, content) => {
    const { items, notes } = await readAll(content, format);
    expect([items.length, notes.facts.incomplete]).toEqual([0, []]);
  });
});
