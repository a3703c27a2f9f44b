// Writes rows as SARIF 2.1.0. Each result carries what this server knows of it in `properties`, so that an import of the file
// gives the same results again (reports/formats/sarif reads it).
import { toPublicId } from '../../core/ids.js';
import { noTool, secTesterKey } from '../../reports/formats/sarif/sarif-own.js';
import type { ExportRow } from './export.rows.js';

const levels = ['note', 'note', 'warning', 'error', 'error'];
/** Scores of ranks, as GitHub reads `security-severity`. */
const scores = ['0.0', '3.0', '5.5', '8.0', '9.5'];
const suppressed = new Set(['FALSE_POSITIVE', 'RISK_ACCEPTED']);

interface Rule {
  id: string;
  shortDescription: { text: string };
  helpUri?: string;
  properties?: { tags: string[] };
}

/**
 * Writes rows as a SARIF log, a run for each scan. Rules are collected while results pass, so they stand behind them.
 * @param isComplete whether the scan saw everything that it should have
 */
export async function* sarifOf(rows: AsyncIterable<ExportRow>, isComplete: boolean): AsyncGenerator<string> {
  yield '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[';
  let scan: ExportRow | undefined;
  let rules = new Map<string, { index: number; rule: Rule }>();
  let isFirst = true;
  const end = () => `],"columnKind":"utf16CodeUnits",${tailOf(scan, [...rules.values()], isComplete)}}`;
  for await (const row of rows) {
    if (scan?.scan !== row.scan) {
      if (scan !== undefined) yield `${end()},`;
      scan = row;
      rules = new Map();
      isFirst = true;
      yield '{"results":[';
    }
    yield `${isFirst ? '' : ',\n'}${JSON.stringify(resultOf(row, rules))}`;
    isFirst = false;
  }
  if (scan === undefined) yield '{"results":[';
  yield `${end()}]}\n`;
}

function tailOf(scan: ExportRow | undefined, rules: readonly { rule: Rule }[], isComplete: boolean): string {
  const driver = {
    name: scan?.tool ?? noTool,
    ...(scan?.toolVersion != null && { version: scan.toolVersion }),
    rules: rules.map(({ rule }) => rule),
  };
  return JSON.stringify({
    tool: { driver },
    invocations: [{ executionSuccessful: isComplete }],
    ...(scan?.category != null && { automationDetails: { id: `${scan.category}/` } }),
    ...(scan !== undefined && { properties: { target: scan.target } }),
  }).slice(1, -1);
}

function resultOf(row: ExportRow, rules: Map<string, { index: number; rule: Rule }>): object {
  const { id, findingId, ruleId, title, severity, triage } = row;
  const index = ruleId === null ? undefined : indexOf(rules, ruleId, row);
  return {
    ...(ruleId !== null && { ruleId, ruleIndex: index }),
    level: levels[severity],
    message: { text: title },
    locations: locationsOf(row),
    partialFingerprints: { 'secTesterFinding/v1': toPublicId('Finding', findingId ?? id) },
    ...(triage !== null && suppressed.has(triage) && { suppressions: [suppressionOf(row)] }),
    properties: {
      'security-severity': scores[severity],
      ...(triage !== null && { triage }),
      [secTesterKey]: ownOf(row),
    },
  };
}

function indexOf(
  rules: Map<string, { index: number; rule: Rule }>,
  id: string,
  { title, references, cweIds }: ExportRow,
): number {
  const known = rules.get(id);
  if (known !== undefined) return known.index;
  const tags = ['security', ...cweIds.map((cwe) => `external/cwe/cwe-${cwe}`)];
  const helpUri = references.find((reference) => URL.canParse(reference));
  const rule = {
    id,
    shortDescription: { text: title },
    ...(helpUri !== undefined && { helpUri: new URL(helpUri).href }),
    properties: { tags },
  };
  rules.set(id, { index: rules.size, rule });
  return rules.size - 1;
}

function locationsOf({ location, evidence }: ExportRow): object[] {
  const { path, url, component, startLine, startColumn, endLine, endColumn } = location ?? {};
  const uri =
    typeof path === 'string'
      ? uriOf(path)
      : typeof url === 'string' && URL.canParse(url)
        ? new URL(url).href
        : undefined;
  const region = {
    startLine,
    startColumn,
    endLine,
    endColumn,
    ...(evidence !== null && { snippet: { text: evidence } }),
  };
  const place = {
    ...(uri !== undefined && {
      physicalLocation: { artifactLocation: { uri }, ...(startLine !== undefined && { region }) },
    }),
    ...(component !== undefined && { logicalLocations: [{ fullyQualifiedName: component }] }),
  };
  return Object.keys(place).length === 0 ? [] : [place];
}

/** A path as a relative reference; absolute ones become file URIs. */
function uriOf(path: string): string {
  const encoded = path.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('/') ? `file://${encoded}` : encoded;
}

function suppressionOf({ triage, triageReason, triageComment, acceptedUntil }: ExportRow): object {
  const until = acceptedUntil === null ? null : `until ${acceptedUntil.toISOString()}`;
  const parts = [triageReason, triageComment, until].filter((part) => part !== null && part !== '');
  return {
    kind: 'external',
    status: 'accepted',
    justification: [triage === 'FALSE_POSITIVE' ? 'False positive' : 'Risk accepted', ...parts].join(': '),
  };
}

/** The result as the tool reported it. */
function ownOf(row: ExportRow): object {
  const { title, description, reportedSeverity, ruleId, cweIds, cveIds, vulnerabilityIds, cvssVector } = row;
  const { cvssScore, location, evidence, remediation, references, tags } = row;
  return {
    title,
    description,
    severity: reportedSeverity,
    ruleId,
    cweIds,
    vulnerabilityIds: [...cveIds, ...vulnerabilityIds],
    cvssVector,
    cvssScore,
    location,
    evidence,
    remediation,
    references,
    tags,
  };
}
