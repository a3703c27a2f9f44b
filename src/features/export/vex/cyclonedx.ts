// Writes rows with ids of vulnerabilities as a CycloneDX 1.6 VEX. Components are collected while vulnerabilities pass, so they
// stand behind them. Each vulnerability carries the result as the tool reported it (own-json.ts), for an import.
import { randomUUID } from 'node:crypto';
import { toPublicId } from '../../../core/ids.js';
import { copyNull, listOf, textOf } from '../../../infra/postgres/bulk/copy-text.js';
import { completeKey, noTool, secTesterKey } from '../../../reports/formats/own-result.js';
import { decisionOf } from '../decision.js';
import type { ExportRow } from '../export.rows.js';
import { ownJson } from '../own-json.js';
import type { Scan } from '../sarif/sarif-log.js';
import { type Package, productIri } from './purl.js';
import { componentOf, idsOf, sourceOf, type VexOptions } from './vex-row.js';

const severities = ['info', 'low', 'medium', 'high', 'critical'] as const;

/** States of the analysis by decisions. */
const states: Readonly<Record<string, string>> = {
  CONFIRMED: 'exploitable',
  FALSE_POSITIVE: 'false_positive',
  RISK_ACCEPTED: 'exploitable',
  RESOLVED: 'resolved',
};

/**
 * Writes a VEX.
 * @param scan the scan of an execution; undefined for findings
 */
export async function* cycloneDxOf(
  batches: AsyncIterable<ExportRow[]>,
  options: VexOptions,
  scan?: Scan,
): AsyncGenerator<string> {
  yield `{"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json","bomFormat":"CycloneDX","specVersion":"1.6",\
"serialNumber":"urn:uuid:${randomUUID()}","version":1,"vulnerabilities":[`;
  const components = new Map<string, object>();
  let count = 0;
  let isPartial = !options.isWhole;
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) {
      const ids = idsOf(row);
      if (ids.length === 0) isPartial = true;
      else
        text += `${count++ === 0 ? '' : ',\n'}${JSON.stringify(vulnerabilityOf(row, ids, options, components))}`;
    }
    if (text !== '') yield text;
  }
  yield `],"components":${JSON.stringify([...components.values()])},${metadataOf(options, isPartial, scan)}}\n`;
}

function vulnerabilityOf(
  row: ExportRow,
  ids: readonly string[],
  options: VexOptions,
  components: Map<string, object>,
): object {
  const [id = '', ...others] = ids;
  const { findingId, cweIds } = row;
  const target = options.product ?? textOf(row.target) ?? '';
  const advisories = listOf(row.references).filter((url) => URL.canParse(url));
  const description = textOf(row.description);
  const recommendation = textOf(row.remediation);
  return {
    'bom-ref': findingId === copyNull ? toPublicId('TestResult', row.id) : toPublicId('Finding', findingId),
    id,
    source: sourceOf(id),
    references: others.map((other) => ({ id: other, source: sourceOf(other) })),
    ratings: ratingsOf(row),
    cwes: listOf(cweIds).map(Number),
    ...(description !== null && { description }),
    ...(recommendation !== null && { recommendation }),
    advisories: [...new Set(advisories)].map((url) => ({ url: new URL(url).href })),
    analysis: analysisOf(row, options.areAbsent),
    affects: [{ ref: refOf(componentOf(row), target, components) }],
    properties: [
      { name: 'secTester/target', value: textOf(row.target) ?? '' },
      { name: secTesterKey, value: ownJson(row) },
    ],
  };
}

/** The rating of the tool, and the override of people as a second one. */
function ratingsOf({ severity, reported, cvssScore, cvssVector }: ExportRow): object[] {
  const vector = textOf(cvssVector);
  const rating = {
    ...(cvssScore !== copyNull && { score: Number(cvssScore) }),
    severity: severities[Number(reported)],
    ...(vector !== null && { method: methodOf(vector), vector }),
  };
  if (severity === reported) return [rating];
  return [{ source: { name: noTool }, severity: severities[Number(severity)], method: 'other' }, rating];
}

function methodOf(vector: string): string {
  const version = /^CVSS:(\d)\.(\d)/.exec(vector);
  if (version === null) return 'CVSSv2';
  return version[1] === '3' && version[2] === '1' ? 'CVSSv31' : `CVSSv${version[1]}`;
}

function analysisOf(row: ExportRow, isAbsent: boolean): object {
  const isCleared = row.triage === 'FALSE_POSITIVE';
  if (isAbsent && !isCleared) return { state: 'resolved', detail: 'No scan sees it any more.' };
  return {
    state: states[row.triage] ?? 'in_triage',
    ...(row.triage === 'RISK_ACCEPTED' && { response: ['will_not_fix'] }),
    ...(row.triage !== copyNull && row.triage !== 'OPEN' && { detail: decisionOf(row) }),
  };
}

/** The reference of the component, or of the product where the result names none. */
function refOf(component: Package | null, target: string, components: Map<string, object>): string {
  const ref = component?.purl ?? productIri(target);
  if (!components.has(ref)) {
    const { name, version, purl, isTyped } = component ?? {
      name: target,
      version: null,
      purl: ref,
      isTyped: false,
    };
    components.set(ref, {
      type: component === null ? 'application' : 'library',
      'bom-ref': ref,
      name,
      ...(version !== null && { version }),
      ...((isTyped || ref.startsWith('pkg:')) && { purl }),
    });
  }
  return ref;
}

/** Behind the vulnerabilities, since it says whether there were others. */
function metadataOf({ author, product, at }: VexOptions, isPartial: boolean, scan?: Scan): string {
  const tool = scan?.tool ?? null;
  const version = scan?.toolVersion ?? null;
  const named =
    tool === null ? [] : [{ type: 'application', name: tool, ...(version !== null && { version }) }];
  const name = product ?? scan?.target;
  const component = { type: 'application', 'bom-ref': 'product', name };
  return JSON.stringify({
    metadata: {
      timestamp: at.toISOString(),
      tools: { components: [...named, { type: 'application', name: noTool }] },
      authors: [{ name: author }],
      ...(name != null && {
        component: product?.startsWith('pkg:') ? { ...component, purl: productIri(product) } : component,
      }),
      properties: [{ name: completeKey, value: String(!isPartial) }],
    },
  }).slice(1, -1);
}
