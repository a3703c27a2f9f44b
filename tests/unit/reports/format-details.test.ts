// What the findings of each format say: place, identity, severity and advice, as the tools mean them.
import { describe, expect, it } from '@jest/globals';
import type { ReportFormatName } from '../../../src/reports/format.js';
import type { ReportItem } from '../../../src/reports/item.js';
import { formatFixture, readAll } from '../../kit/reports.js';

const itemsOf = async (name: string) => (await readAll(formatFixture(name))).items;
const oneOf = async (report: unknown, format: ReportFormatName) =>
  (await readAll(JSON.stringify(report), format)).items[0] as ReportItem;

describe('components', () => {
  it('of CycloneDX take the name of a reference, nested ones too, or a package URL', async () => {
    const items = await itemsOf('cyclonedx.json');
    expect(items.map(({ location }) => location?.component)).toEqual([
      'org.lab/parser@1.9.0',
      '@lab/codec@1.4.0',
      'zip@0.4',
      undefined,
    ]);
    expect(items[0]).toMatchObject({
      title: 'CVE-2030-1001 in org.lab/parser',
      severity: 4,
      cvssScore: 9.8,
      cweIds: [502],
      remediation: 'Upgrade to 2.0.1.',
    });
    expect(items[2]).toMatchObject({
      title: 'GHSA-2222-3333-4444 in zip',
      ruleId: 'LAB-7',
      severity: 2,
      cvssVector: 'CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H',
      tags: ['analysis:in_triage'],
    });
  });

  it('of CycloneDX in XML are the same, in the extension of older versions too', async () => {
    const items = await itemsOf('cyclonedx.xml');
    expect(items.map(({ location }) => location?.component)).toEqual(['org.lab/parser@1.9.0', 'zip@0.4']);
    expect(items[0]).toMatchObject({
      title: 'CVE-2030-1001 in org.lab/parser',
      cvssVector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
      cweIds: [502],
      remediation: 'Upgrade to 2.0.1.',
    });
    const [old] = await itemsOf('cyclonedx-1.2.xml');
    expect(old).toMatchObject({
      severity: 2,
      location: { component: 'parser@1.0' },
      references: ['https://lab.example/1005'],
    });
  });

  it('of Trivy are rated by the source of their severity, and name the file they stand in', async () => {
    const [os, unknown, npm, check, secret] = await itemsOf('trivy.json');
    expect(os).toMatchObject({
      ruleId: 'CVE-2030-4001',
      cvssScore: 8.4,
      location: { component: 'libx@1.0' },
      remediation: 'Upgrade libx to 1.1.',
    });
    expect(os?.location?.path).toBeUndefined();
    expect(unknown?.severity).toBe(0);
    expect(npm?.location).toEqual({ path: 'node_modules/x/package.json', component: 'libx@1.0' });
    expect(check).toMatchObject({
      ruleId: 'DS002',
      location: { path: 'Dockerfile', startLine: 2 },
      snippet: 'USER root',
    });
    expect(secret).toMatchObject({ ruleId: 'lab-token', evidence: 'TOKEN=********', cweIds: [798] });
  });

  it('of Trivy in a cluster stand at their resource', async () => {
    const { items, notes } = await readAll(formatFixture('trivy-kubernetes.json'));
    expect(items.map(({ location }) => location?.path)).toEqual([
      'default/Deployment/shop',
      'default/Deployment/cart',
    ]);
    expect(notes.facts.incomplete).toEqual(['Trivy could not scan a resource: image not found']);
  });

  it('of Trivy may stand ahead of the name of their target', async () => {
    const item = await oneOf(
      [
        {
          Vulnerabilities: [{ VulnerabilityID: 'CVE-2030-1', PkgName: 'a' }],
          Class: 'lang-pkgs',
          Target: 'go.sum',
        },
      ],
      'TRIVY',
    );
    expect(item.location?.path).toBe('go.sum');
  });

  it('of Grype are rated by a related vulnerability where their own severity is unknown', async () => {
    const [first, second, third] = await itemsOf('grype.json');
    expect(first).toMatchObject({
      cveIds: ['CVE-2030-5001'],
      vulnerabilityIds: ['GHSA-2222-3333-4446'],
      location: { path: '/app/package-lock.json', component: 'lib-a@2.0.0' },
      remediation: 'Upgrade lib-a to 2.0.1.',
    });
    expect(second).toMatchObject({ severity: 2, cvssVector: 'AV:N/AC:L/Au:N/C:N/I:P/A:N', cvssScore: 5 });
    expect(third?.severity).toBe(1);
  });

  it('of npm are named with the advisory, and with the package that has to change', async () => {
    const [first, second] = await itemsOf('npm-audit.json');
    expect(first).toMatchObject({
      title: 'Prototype pollution in lab-core',
      ruleId: 'GHSA-2222-3333-4455',
      severity: 4,
      cvssScore: null,
      cweIds: [1321],
      location: { component: 'lab-core' },
      remediation: 'Upgrade lab-top to 2.0.0, a major version.',
    });
    expect(second?.severity).toBe(2);
    const [old] = await itemsOf('npm-audit-6.json');
    expect(old).toMatchObject({ cveIds: ['CVE-2030-8001'], location: { component: 'growl@1.9.2' } });
  });

  it.each([
    ['yarn-1-audit.jsonl', 'lab-core@1.0.0', 9.1],
    ['yarn-audit.jsonl', 'lab-core@1.0.0', null],
    ['bun-audit.json', 'lab-core', 9.1],
  ])('of %s have the package, the advisory and the score', async (name, component, cvssScore) => {
    const [first] = await itemsOf(name);
    expect(first).toMatchObject({
      title: 'Prototype pollution in lab-core',
      ruleId: 'GHSA-2222-3333-4455',
      vulnerabilityIds: ['GHSA-2222-3333-4455'],
      cvssScore,
      location: { component },
    });
  });
});

describe('code', () => {
  it('of Bandit is matched without the line numbers in it', async () => {
    const [first] = await itemsOf('bandit.json');
    expect(first).toMatchObject({
      ruleId: 'B307',
      cweIds: [78],
      location: { path: 'src/a.py', startLine: 4, startColumn: 1 },
      evidence: '3 x = 1\n4 eval(x)\n5 y = 2\n',
      snippet: 'eval(x)',
      tags: ['confidence:high'],
    });
  });

  it('of Semgrep has no line and no fingerprint where Semgrep asks for a login', async () => {
    const [first, second, third] = await itemsOf('semgrep.json');
    expect(first).toMatchObject({
      title: 'eval runs input.',
      cweIds: [95],
      snippet: '    eval(x)',
      toolFingerprint: 'abc_0',
    });
    expect(second).toMatchObject({ severity: 1, snippet: null, toolFingerprint: null });
    expect(third).toMatchObject({ cveIds: ['CVE-2030-6001'], location: { component: 'old@0.1' } });
  });

  it('of ESLint is at the message, of secretlint at columns from 1', async () => {
    const [first] = await itemsOf('eslint.json');
    expect(first?.location).toEqual({
      path: '/ci/src/a.js',
      startLine: 4,
      startColumn: 3,
      endLine: 4,
      endColumn: 7,
    });
    const [secret] = await itemsOf('secretlint.json');
    expect(secret?.location).toMatchObject({ startLine: 1, startColumn: 7 });
  });

  it('of Cppcheck is at the symptom, and its other places are steps', async () => {
    const [first, second] = await itemsOf('cppcheck.xml');
    expect(first).toMatchObject({
      cweIds: [476],
      location: { path: 'src/a.c', startLine: 15, startColumn: 17 },
    });
    expect(first?.description).toContain("src/a.c:13: Assignment 'p=0'");
    expect(second?.tags).toEqual(['style', 'inconclusive']);
  });

  it('of Checkov is at its resource, and a package at its version', async () => {
    const [first, second, third] = await itemsOf('checkov.json');
    expect(first).toMatchObject({
      ruleId: 'CKV_2',
      severity: 2,
      location: { path: 'aws/db.tf', startLine: 1, endLine: 2, component: 'a.b' },
    });
    expect(second?.severity).toBe(3);
    expect(third).toMatchObject({
      severity: 4,
      cveIds: ['CVE-2030-7001'],
      location: { component: 'old@0.1' },
    });
  });
});

describe('requests', () => {
  it('of ZAP are the evidence of one finding at their site', async () => {
    const [first, , third] = await itemsOf('zap.json');
    expect(first).toMatchObject({
      title: 'Cross Site Scripting (Reflected)',
      ruleId: '40012-1',
      cweIds: [79],
      description: 'Input is echoed.\n\nScripts run.',
      location: { url: 'https://shop.example', host: 'shop.example:443' },
      references: ['https://lab.example/xss', 'https://lab.example/encode'],
      tags: ['WASC-8', 'confidence:medium'],
    });
    expect(first?.evidence).toContain('Instances: 2');
    expect(first?.evidence).toContain('GET https://shop.example/find?q=x\nParameter: q');
    expect(third?.location?.host).toBe('shop.example:80');
  });

  it('of Nuclei are read with the names of any version', async () => {
    const [first, second, third] = await itemsOf('nuclei.jsonl');
    expect(first).toMatchObject({
      cveIds: ['CVE-2030-3001'],
      cweIds: [78],
      location: { url: 'https://shop.example:8443/run?c=id', host: 'shop.example:8443' },
    });
    expect(second).toMatchObject({
      title: 'Missing headers: x-frame-options',
      ruleId: 'missing-headers:x-frame-options',
      tags: ['misconfig', 'headers'],
      references: ['https://lab.example/a', 'https://lab.example/b'],
    });
    expect(third?.location).toEqual({ host: 'shop.example:22' });
  });

  it('of Burp are decoded, and the issue names its parameter', async () => {
    const [first] = await itemsOf('burp.xml');
    expect(first).toMatchObject({
      ruleId: '2097920',
      cweIds: [79],
      location: { url: 'https://shop.example/search', method: 'GET', parameter: 'q', host: 'shop.example' },
      remediation: 'Encode it.',
    });
    expect(first?.evidence).toContain('GET /search HTTP/1.1');
  });

  it('of Nmap are its open ports and the vulnerabilities of its scripts', async () => {
    const items = await itemsOf('nmap.xml');
    expect(items.map(({ title, location }) => [title, location?.host])).toEqual([
      ['Open port tcp/443 (ssl/http)', 'lab.example:443'],
      ['SSL POODLE information leak', 'lab.example:443'],
      ['CVE-2030-9001 in cpe:/a:nginx:nginx:1.2', 'lab.example:443'],
    ]);
    expect(items[1]).toMatchObject({ severity: 3, cveIds: ['CVE-2014-3566'], ruleId: 'ssl-poodle' });
  });

  it('of testssl.sh take each id out of a cell, in JSON as in CSV', async () => {
    for (const name of ['testssl.json', 'testssl-pretty.json', 'testssl.csv']) {
      const [, drown] = await itemsOf(name);
      expect(drown).toMatchObject({
        title: 'DROWN: VULNERABLE',
        cveIds: ['CVE-2016-0800', 'CVE-2016-0703'],
        cweIds: [310],
        location: { host: 'lab.example:443' },
        evidence: 'lab.example/192.0.2.7:443',
      });
    }
  });
});

describe('formats of many tools', () => {
  it('of GitLab have a place for each kind of scan', async () => {
    const [sast, dependency, dast] = await itemsOf('gitlab.json');
    expect(sast).toMatchObject({
      ruleId: 'LS-1',
      cweIds: [89],
      location: { path: 'src/db.ts', startLine: 12, endLine: 13, component: 'Db' },
      toolFingerprint: 'src/db.ts|find:3',
    });
    expect(dependency).toMatchObject({
      title: 'CVE-2030-2001 in slow',
      location: { path: 'package-lock.json', component: 'slow@1.0.0' },
    });
    expect(dast?.location).toEqual({
      url: 'https://shop.example:8443/login',
      host: 'shop.example:8443',
      method: 'POST',
      parameter: 'sid',
    });
  });

  it('of JUnit take rule, place and severity from where scanners write them', async () => {
    const items = await itemsOf('junit.xml');
    expect(items.map(({ ruleId, location }) => [ruleId, location?.path, location?.startLine])).toEqual([
      ['L1', 'src/a.py', 3],
      ['Lab.Comment', '/src/b.php', 4],
      ['total', 'shop.ts', 8],
    ]);
    expect(items[0]).toMatchObject({ severity: 3, cweIds: [95] });
  });

  it('of our own in JSON and CSV say the same', async () => {
    const [fromJson] = await itemsOf('generic.json');
    expect(fromJson).toMatchObject({
      cveIds: ['CVE-2030-1111'],
      cweIds: [601],
      toolFingerprint: 'one',
      location: { url: 'https://shop.example/go', parameter: 'to' },
    });
    const [fromCsv, second] = await itemsOf('generic.csv');
    expect(fromCsv).toMatchObject({
      title: 'Open redirect; in one place',
      severity: 3,
      cweIds: [601],
      cveIds: ['CVE-2030-1111'],
      vulnerabilityIds: ['GHSA-2222-3333-4444'],
      location: { path: 'src/a.ts', startLine: 12 },
    });
    expect(second?.title).toBe('Two lines');
  });

  it('of our own warn of each unknown field once', async () => {
    const result = { title: 'a', severity: 'LOW', owner: 'Ada', location: { file: 'a' } };
    const { notes } = await readAll(JSON.stringify([result, result]), 'GENERIC_JSON');
    expect(notes.warnings.map(({ message }) => message)).toEqual([
      'ignored the unknown field owner',
      'ignored the unknown field location.file',
    ]);
  });
});

it('names lose each bidirectional control, in any format', async () => {
  for (const control of '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069') {
    const result = {
      title: `red${control}gnp.exe`,
      severity: 'LOW',
      location: { path: `src/${control}a.ts` },
    };
    expect(await oneOf([result], 'GENERIC_JSON')).toMatchObject({
      ...{ title: 'red gnp.exe', location: { path: 'src/ a.ts' } },
    });
  }
});
