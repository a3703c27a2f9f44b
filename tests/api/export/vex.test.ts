// VEX exports: CycloneDX and OpenVEX that validate, say what people decided, and import again without a change.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { cycloneDxErrors, openVexErrors } from '../../kit/exports/schemas.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

async function importReport(content: Buffer | string, target: string, query = '') {
  const answer = await fetch(
    `${server.url}/api/v1/imports?target=${encodeURIComponent(target)}&wait=120${query}`,
    { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: content as never },
  );
  return (await answer.json()) as Record<string, unknown> & { executionId: string };
}

async function get(path: string) {
  const answer = await fetch(`${server.url}/api/v1/${path}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const text = await answer.text();
  return { status: answer.status, type: answer.headers.get('content-type'), text };
}

async function vexOf(path: string, format: 'cyclonedx' | 'openvex') {
  const { status, text } = await get(`${path}${path.includes('?') ? '&' : '?'}format=${format}`);
  expect(status).toBe(200);
  const document = JSON.parse(text);
  expect((format === 'cyclonedx' ? cycloneDxErrors : openVexErrors)(document)).toEqual([]);
  return document;
}

interface Vulnerability {
  id: string;
  analysis: object;
  ratings: object[];
  affects: { ref: string }[];
}

interface Statement {
  '@id': string;
  vulnerability: { name: string };
  products: object[];
  status: string;
}

const folder = 'tests/fixtures/reports/formats';
/** Fixtures whose results all have ids of vulnerabilities, and others of which some have. */
const whole = ['grype.json', 'cyclonedx.json', 'cyclonedx.xml', 'npm-audit.json', 'npm-audit-6.json'];
const partial = ['trivy.json', 'trivy-kubernetes.json', 'testssl.json', 'nuclei.jsonl', 'gitlab.json'];

describe('a VEX of an execution', () => {
  it.each([...whole, ...partial])(
    'of %s validates, and changes nothing when it is imported again',
    async (file) => {
      const first = await importReport(readFileSync(`${folder}/${file}`), file);
      const path = `executions/${first.executionId}/export`;
      const bom = await vexOf(path, 'cyclonedx');
      const { statements } = await vexOf(path, 'openvex');
      expect(statements).toHaveLength(bom.vulnerabilities.length);
      const refs = new Set(bom.components.map((component: { 'bom-ref': string }) => component['bom-ref']));
      expect(bom.vulnerabilities.every(({ affects }: Vulnerability) => refs.has(affects[0]?.ref ?? ''))).toBe(
        true,
      );
      expect(bom.vulnerabilities.length === first.added).toBe(whole.includes(file));
      const again = await importReport(JSON.stringify(bom), file);
      expect(again).toMatchObject({
        format: 'CYCLONEDX',
        state: 'COMPLETED',
        added: bom.vulnerabilities.length,
        newFindings: 0,
        reopenedFindings: 0,
        absentFindings: 0,
      });
      const warnings = (again.warnings as { message: string }[]).map(({ message }) => message).join();
      expect(warnings.includes('leaves out results')).toBe(partial.includes(file));
    },
  );
});

const bom = (ids: string[]) =>
  JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { tools: { components: [{ type: 'application', name: 'npm-scan', version: '2' }] } },
    components: [{ type: 'library', 'bom-ref': 'c', group: '@scope', name: 'pkg', version: '1.0.0' }],
    vulnerabilities: ids.map((id) => ({
      id,
      ratings: [
        {
          severity: 'high',
          score: 8.1,
          method: 'CVSSv31',
          vector: 'CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H',
        },
      ],
      recommendation: 'Upgrade.',
      affects: [{ ref: 'c' }],
    })),
  });

async function decide(target: string, cveId: string, input: object) {
  const triage = 'mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }';
  const answer = await server.gql(triage, { input: { filter: { target, cveId }, ...input } }, token);
  expect(answer.expectData().triageFindings.changed).toBe(1);
}

describe('decisions', () => {
  const ids = ['CVE-2024-0001', 'CVE-2024-0002', 'CVE-2024-0003', 'CVE-2024-0004', 'CVE-2024-0005'];
  const until = new Date(Date.now() + 40 * 86_400_000).toISOString();
  let path: string;
  let report: string;
  beforeAll(async () => {
    report = bom(ids);
    const { executionId } = await importReport(report, 'decided');
    path = `executions/${executionId}/export`;
    await decide('decided', 'CVE-2024-0002', { state: 'CONFIRMED', severityOverride: 'LOW' });
    await decide('decided', 'CVE-2024-0003', {
      state: 'FALSE_POSITIVE',
      reason: 'Never loaded',
      comment: 'See wiki',
    });
    await decide('decided', 'CVE-2024-0004', {
      state: 'RISK_ACCEPTED',
      reason: 'Intranet',
      acceptedUntil: until,
    });
    await decide('decided', 'CVE-2024-0005', { state: 'RESOLVED' });
  });

  it('are the states of the analysis in CycloneDX', async () => {
    const { vulnerabilities, metadata, components } = await vexOf(`${path}?author=Team%20A`, 'cyclonedx');
    expect(
      vulnerabilities
        .map(({ id, analysis }: Vulnerability) => [id, analysis])
        .sort(([a]: [string], [b]: [string]) => a.localeCompare(b)),
    ).toEqual([
      ['CVE-2024-0001', { state: 'in_triage' }],
      ['CVE-2024-0002', { state: 'exploitable', detail: 'Confirmed' }],
      ['CVE-2024-0003', { state: 'false_positive', detail: 'False positive: Never loaded: See wiki' }],
      [
        'CVE-2024-0004',
        {
          state: 'exploitable',
          response: ['will_not_fix'],
          detail: `Risk accepted: Intranet: until ${until}`,
        },
      ],
      ['CVE-2024-0005', { state: 'resolved', detail: 'Resolved' }],
    ]);
    expect(vulnerabilities.find(({ id }: Vulnerability) => id === 'CVE-2024-0002').ratings).toEqual([
      { source: { name: 'SEC-TESTER' }, severity: 'low', method: 'other' },
      {
        score: 8.1,
        severity: 'high',
        method: 'CVSSv31',
        vector: 'CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H',
      },
    ]);
    expect(metadata).toMatchObject({ authors: [{ name: 'Team A' }], component: { name: 'decided' } });
    expect(metadata.tools.components[0]).toEqual({ type: 'application', name: 'npm-scan', version: '2' });
    expect(components).toEqual([
      expect.objectContaining({ name: '@scope/pkg', version: '1.0.0', purl: 'pkg:npm/%40scope/pkg@1.0.0' }),
    ]);
  });

  it('are statuses in OpenVEX, the open ones last', async () => {
    const { statements, author } = await vexOf(`${path}?product=pkg:oci/shop`, 'openvex');
    const rest = statements.map(({ '@id': _id, vulnerability, products, ...status }: Statement) => {
      expect(products).toEqual([
        { '@id': 'pkg:oci/shop', subcomponents: [{ '@id': 'pkg:npm/%40scope/pkg@1.0.0' }] },
      ]);
      return [vulnerability.name, status];
    });
    expect(author).toBe('SEC-TESTER');
    expect(rest.slice(0, 3)).toEqual([
      [
        'CVE-2024-0003',
        { status: 'not_affected', impact_statement: 'False positive: Never loaded: See wiki' },
      ],
      ['CVE-2024-0005', { status: 'fixed', status_notes: 'Resolved' }],
      ['CVE-2024-0001', { status: 'under_investigation' }],
    ]);
    expect(Object.fromEntries(rest.slice(3))).toEqual({
      'CVE-2024-0002': { status: 'affected', status_notes: 'Confirmed', action_statement: 'Upgrade.' },
      'CVE-2024-0004': { status: 'affected', action_statement: `Risk accepted: Intranet: until ${until}` },
    });
  });

  it('outlive an import of the VEX', async () => {
    const { text } = await get(`${path}?format=cyclonedx`);
    expect(await importReport(text, 'decided')).toMatchObject({
      added: 5,
      newFindings: 0,
      absentFindings: 0,
    });
    const states = await server.gql(
      '{ findings(first: 9, filter: { target: "decided" }) { nodes { cveIds triage severity presence } } }',
      {},
      token,
    );
    const nodes = states.expectData().findings.nodes as { cveIds: string[]; triage: string }[];
    expect(Object.fromEntries(nodes.map(({ cveIds, ...rest }) => [cveIds[0], rest]))).toMatchObject({
      'CVE-2024-0002': { triage: 'CONFIRMED', severity: 'LOW', presence: 'PRESENT' },
      'CVE-2024-0003': { triage: 'FALSE_POSITIVE', presence: 'PRESENT' },
      'CVE-2024-0004': { triage: 'RISK_ACCEPTED', presence: 'PRESENT' },
    });
  });

  it('of findings that no scan sees any more are resolved, or false positives as before', async () => {
    await importReport(bom(['CVE-2024-0006', 'CVE-2024-0007']), 'gone');
    await decide('gone', 'CVE-2024-0007', { state: 'FALSE_POSITIVE', reason: 'No' });
    await importReport(bom([]), 'gone');
    const of = 'findings/export?target=gone&presence=ABSENT';
    const cycloneDx = await vexOf(of, 'cyclonedx');
    expect(
      cycloneDx.vulnerabilities.map(({ id, analysis }: Vulnerability) => ({ id, ...analysis })),
    ).toMatchObject([
      { id: 'CVE-2024-0006', state: 'resolved' },
      { id: 'CVE-2024-0007', state: 'false_positive' },
    ]);
    expect((await vexOf(of, 'openvex')).statements).toMatchObject([
      { status: 'not_affected' },
      { status: 'fixed' },
    ]);
    // A filter leaves findings out, so an import of its export closes none.
    expect(await importReport(JSON.stringify(cycloneDx), 'gone')).toMatchObject({ absentFindings: 0 });
  });
});

it('OpenVEX without a vulnerability is refused, since a document needs a statement; CycloneDX is empty', async () => {
  const { executionId } = await importReport(bom([]), 'clean');
  const { status, text } = await get(`executions/${executionId}/export?format=openvex`);
  expect([status, JSON.parse(text).detail]).toEqual([404, expect.stringContaining('statements')]);
  expect((await vexOf(`executions/${executionId}/export`, 'cyclonedx')).vulnerabilities).toEqual([]);
});

it('parameters that a format has no place for are refused', async () => {
  for (const query of ['format=openvex&base=main', 'format=csv&author=A', 'product=pkg:oci/shop'])
    expect([query, (await get(`findings/export?${query}`)).status]).toEqual([query, 400]);
});
