// Each format: how many findings its fixture holds by an independent count, how severe they are, what is passed over and why.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { type ReportFormatName, reportFormats } from '../../../src/reports/format.js';
import { formats } from '../../../src/reports/read-report.js';
import { formatFixture, readAll } from '../../kit/reports.js';

/** How many findings a fixture holds, counted without the code under test. */
type Count = (text: string) => number;

const json =
  (count: (root: never) => number): Count =>
  (text) =>
    count(JSON.parse(text) as never);
const matches =
  (pattern: RegExp): Count =>
  (text) =>
    text.match(pattern)?.length ?? 0;

interface Row {
  format: ReportFormatName;
  count: Count;
  /** Findings of INFO, LOW, MEDIUM, HIGH and CRITICAL. */
  severities: number[];
  skipped?: Record<string, number>;
  tool: string | null;
  toolVersion?: string;
  unread?: string[];
}

const fixtures: Record<string, Row> = {
  'cyclonedx.json': {
    format: 'CYCLONEDX',
    count: json((bom: { vulnerabilities: { affects?: object[]; analysis?: { state: string } }[] }) =>
      bom.vulnerabilities
        .filter(({ analysis }) => !/not_affected|false_positive/.test(analysis?.state ?? ''))
        .reduce((sum, { affects = [{}] }) => sum + affects.length, 0),
    ),
    severities: [0, 0, 2, 0, 2],
    skipped: { 'analysis not_affected': 1, 'analysis false_positive': 1 },
    tool: 'labscan',
    toolVersion: '3.2.1',
  },
  'cyclonedx.xml': {
    format: 'CYCLONEDX',
    count: (text) => matches(/<target>/g)(text) - matches(/not_affected/g)(text),
    severities: [0, 0, 0, 0, 2],
    skipped: { 'analysis not_affected': 1 },
    tool: 'labscan',
    toolVersion: '3.2.1',
  },
  'cyclonedx-1.2.xml': {
    format: 'CYCLONEDX',
    count: matches(/<v:id>/g),
    severities: [0, 0, 1, 0, 0],
    tool: 'oldscan',
    toolVersion: '0.9',
  },
  'gitlab.json': {
    format: 'GITLAB',
    count: json((report: { vulnerabilities: object[] }) => report.vulnerabilities.length),
    severities: [1, 1, 0, 1, 1],
    tool: 'Lab Scan',
    toolVersion: '2.5.0',
  },
  'gitlab-quality.json': {
    format: 'GITLAB',
    count: json((issues: object[]) => issues.length),
    severities: [0, 1, 0, 0, 1],
    tool: null,
  },
  'zap.json': {
    format: 'ZAP_JSON',
    count: json((report: { site: { alerts: { confidence: string }[] }[] }) =>
      report.site.reduce(
        (sum, { alerts }) => sum + alerts.filter((alert) => alert.confidence !== '0').length,
        0,
      ),
    ),
    severities: [0, 2, 0, 1, 0],
    skipped: { 'false positive': 1 },
    tool: 'ZAP',
    toolVersion: '2.16.0',
  },
  'zap.xml': {
    format: 'ZAP_XML',
    count: (text) => matches(/<alertitem>/g)(text) - matches(/<confidence>0</g)(text),
    severities: [0, 0, 0, 1, 0],
    skipped: { 'false positive': 1 },
    tool: 'ZAP',
    toolVersion: '2.16.0',
  },
  'nuclei.jsonl': {
    format: 'NUCLEI',
    count: (text) => text.trim().split('\n').length - 1,
    severities: [1, 0, 1, 0, 1],
    skipped: { 'no match': 1 },
    tool: 'Nuclei',
  },
  'nuclei-list.json': {
    format: 'NUCLEI',
    count: json(
      (list: { 'matcher-status'?: boolean }[]) =>
        list.filter((match) => match['matcher-status'] !== false).length,
    ),
    severities: [1, 0, 1, 0, 1],
    skipped: { 'no match': 1 },
    tool: 'Nuclei',
  },
  'trivy.json': {
    format: 'TRIVY',
    count: (text) => matches(/"VulnerabilityID"|"Status": "FAIL"|"Match"/g)(text),
    severities: [1, 0, 1, 2, 1],
    skipped: { 'status PASS': 1, license: 1 },
    tool: 'Trivy',
    toolVersion: '0.69.1',
  },
  'trivy-legacy.json': {
    format: 'TRIVY',
    count: matches(/"VulnerabilityID"/g),
    severities: [0, 0, 0, 1, 0],
    tool: 'Trivy',
  },
  'grype.json': {
    format: 'GRYPE',
    count: json((report: { matches: object[] }) => report.matches.length),
    severities: [0, 1, 1, 1, 0],
    skipped: { ignored: 1 },
    tool: 'grype',
    toolVersion: '0.100.0',
  },
  'semgrep.json': {
    format: 'SEMGREP',
    count: json(
      (report: { results: { extra: { is_ignored?: boolean } }[] }) =>
        report.results.filter(({ extra }) => extra.is_ignored !== true).length,
    ),
    severities: [0, 1, 0, 1, 1],
    skipped: { 'ignored by a comment': 1 },
    tool: 'Semgrep',
    toolVersion: '1.140.0',
    unread: ['src/broken.py'],
  },
  'gitleaks.json': {
    format: 'GITLEAKS',
    count: json((leaks: object[]) => leaks.length),
    severities: [0, 0, 0, 2, 0],
    tool: 'gitleaks',
  },
  'bandit.json': {
    format: 'BANDIT',
    count: json((report: { results: object[] }) => report.results.length),
    severities: [0, 1, 1, 0, 0],
    skipped: { 'file that could not be read': 1 },
    tool: 'Bandit',
    unread: ['src/broken.py'],
  },
  'checkov.json': {
    format: 'CHECKOV',
    count: json((reports: { results: { failed_checks: object[] } }[]) =>
      reports.reduce((sum, { results }) => sum + results.failed_checks.length, 0),
    ),
    severities: [0, 0, 1, 1, 1],
    skipped: { passed: 1, suppressed: 1 },
    tool: 'checkov',
    toolVersion: '3.2.500',
    unread: ['aws/broken.tf'],
  },
  'npm-audit.json': {
    format: 'NPM_AUDIT',
    count: matches(/"source":/g),
    severities: [0, 0, 1, 0, 1],
    skipped: { 'package that depends on a vulnerable one': 1 },
    tool: 'npm audit',
  },
  'npm-audit-6.json': {
    format: 'NPM_AUDIT',
    count: matches(/"module_name":/g),
    severities: [0, 0, 0, 0, 1],
    tool: 'npm audit',
  },
  'yarn-1-audit.jsonl': {
    format: 'NPM_AUDIT',
    count: matches(/"auditAdvisory"/g),
    severities: [0, 0, 1, 0, 2],
    tool: 'yarn audit',
  },
  'yarn-audit.jsonl': {
    format: 'NPM_AUDIT',
    count: matches(/"Issue":/g),
    severities: [0, 0, 1, 0, 1],
    tool: 'yarn audit',
  },
  'bun-audit.json': {
    format: 'NPM_AUDIT',
    count: matches(/"title":/g),
    severities: [0, 0, 1, 0, 1],
    tool: 'bun audit',
  },
  'eslint.json': {
    format: 'ESLINT',
    count: json((files: { messages: { ruleId: string | null }[] }[]) =>
      files.reduce((sum, { messages }) => sum + messages.filter(({ ruleId }) => ruleId !== null).length, 0),
    ),
    severities: [0, 0, 1, 1, 0],
    skipped: { 'notice without a rule': 1, suppressed: 1, 'file that could not be read': 1 },
    tool: 'ESLint',
    unread: ['/ci/src/broken.js'],
  },
  'secretlint.json': {
    format: 'ESLINT',
    count: matches(/"messageId":/g),
    severities: [0, 0, 0, 1, 0],
    tool: 'secretlint',
  },
  'cppcheck.xml': {
    format: 'CPPCHECK_XML',
    count: (text) => matches(/<error /g)(text) - matches(/missingInclude|syntaxError/g)(text),
    severities: [0, 1, 0, 1, 0],
    skipped: { 'information about the run': 1, 'file that could not be read': 1 },
    tool: 'Cppcheck',
    toolVersion: '2.17.1',
    unread: ['src/broken.c'],
  },
  'nmap.xml': {
    format: 'NMAP_XML',
    count: (text) => matches(/state="open"|<elem key="state">VULNERABLE<|<elem key="type">cve</g)(text),
    severities: [1, 0, 0, 1, 1],
    skipped: { 'port filtered': 1 },
    tool: 'Nmap',
    toolVersion: '7.95',
  },
  'testssl.json': {
    format: 'TESTSSL',
    count: matches(/"severity": "(LOW|MEDIUM|HIGH|CRITICAL)"/g),
    severities: [0, 1, 0, 0, 1],
    skipped: { 'severity WARN': 1, 'severity INFO': 2, 'severity OK': 1 },
    tool: 'testssl.sh',
  },
  'testssl-pretty.json': {
    format: 'TESTSSL',
    count: matches(/"severity": "(LOW|MEDIUM|HIGH|CRITICAL)"/g),
    severities: [0, 1, 0, 0, 1],
    skipped: { 'severity WARN': 1, 'severity OK': 1 },
    tool: 'testssl.sh',
    toolVersion: '3.2.1',
  },
  'testssl.csv': {
    format: 'TESTSSL',
    count: matches(/,"(LOW|MEDIUM|HIGH|CRITICAL)",/g),
    severities: [0, 1, 0, 0, 1],
    skipped: { 'severity WARN': 1, 'severity INFO': 1, 'severity OK': 1 },
    tool: 'testssl.sh',
  },
  'burp.xml': {
    format: 'BURP_XML',
    count: (text) => matches(/<issue>/g)(text) - matches(/False positive/g)(text),
    severities: [1, 0, 0, 1, 0],
    skipped: { 'false positive': 1 },
    tool: 'Burp Suite',
    toolVersion: '2030.1',
  },
  'junit.xml': {
    format: 'JUNIT',
    count: matches(/<(failure|error) /g),
    severities: [0, 0, 2, 1, 0],
    skipped: { passed: 1, 'skipped test': 1 },
    tool: 'Lab Lint',
    toolVersion: '1.4.0',
  },
  'generic.json': {
    format: 'GENERIC_JSON',
    count: json((report: { results: object[] }) => report.results.length),
    severities: [1, 0, 0, 1, 0],
    tool: 'Lab Scan',
    toolVersion: '1.0',
  },
  'generic.csv': {
    format: 'GENERIC_CSV',
    count: matches(/^"/gm),
    severities: [0, 1, 0, 1, 0],
    tool: null,
  },
};

describe('a report', () => {
  it.each(Object.entries(fixtures))('of %s holds the findings of an independent count', async (name, row) => {
    const bytes = formatFixture(name);
    const { format, items, notes } = await readAll(bytes);
    expect(format).toBe(row.format);
    expect([items.length, notes.read]).toEqual([row.count(bytes.toString()), items.length]);
    const severities = [0, 0, 0, 0, 0];
    for (const { severity } of items) severities[severity] = (severities[severity] ?? 0) + 1;
    expect(severities).toEqual(row.severities);
    expect(Object.fromEntries(notes.skipped)).toEqual(row.skipped ?? {});
    expect(notes.facts).toEqual({
      tool: row.tool,
      toolVersion: row.toolVersion ?? null,
      incomplete: [],
      unreadPaths: new Set(row.unread),
    });
  });

  it.each(Object.entries(fixtures))(
    'of %s is the same in chunks of any size, and when its format is named',
    async (name, row) => {
      const bytes = formatFixture(name);
      const { items } = await readAll(bytes);
      for (const chunkBytes of [1, 7, 1000])
        expect((await readAll(bytes, row.format, chunkBytes)).items).toEqual(items);
    },
  );

  it.each(Object.keys(fixtures))(
    'of %s is the same as UTF-16 from PowerShell, and with a byte order mark',
    async (name) => {
      const bytes = formatFixture(name);
      const { items } = await readAll(bytes);
      const text = bytes.toString();
      expect((await readAll(Buffer.from(`\uFEFF${text}`, 'utf16le'))).items).toEqual(items);
      expect((await readAll(Buffer.from(`\uFEFF${text}`))).items).toEqual(items);
    },
  );

  it.each(['cppcheck.xml', 'zap.xml', 'junit.xml', 'cyclonedx.xml'])(
    'of %s is read in the encoding that it declares',
    async (name) => {
      const text = formatFixture(name)
        .toString()
        .replace(/<\?xml[^>]*>/, '')
        .replace(/(msg|name)="[A-Z]/, '$&é');
      const declared = `<?xml version="1.0" encoding="ISO-8859-1"?>${text}`;
      const { items } = await readAll(Buffer.from(declared, 'latin1'));
      expect(items).toEqual((await readAll(text)).items);
    },
  );

  it('has a fixture for every format, and a row for every fixture', () => {
    const covered = new Set(Object.values(fixtures).map(({ format }) => format));
    expect([...formats.keys()].filter((format) => format !== 'SARIF' && !covered.has(format))).toEqual([]);
    expect([...formats.keys()].sort()).toEqual([...reportFormats].sort());
    const files = readdirSync(new URL('../../fixtures/reports/formats', import.meta.url));
    const others = new Set(['npm-audit-no-lock.json', 'trivy-kubernetes.json']);
    expect(files.filter((name) => fixtures[name] === undefined && !others.has(name))).toEqual([]);
  });
});
