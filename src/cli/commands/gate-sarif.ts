// The findings that a gate counts as SARIF 2.1.0, for the code scanning of CI servers.
import type { Finding } from '../queries.js';
import type { GateReport } from './gate-report.js';

const levels = { CRITICAL: 'error', HIGH: 'error', MEDIUM: 'warning', LOW: 'note', INFO: 'note' } as const;
/** Scores of severities, as GitHub reads `security-severity`. */
const scores = { CRITICAL: '9.5', HIGH: '8.0', MEDIUM: '5.5', LOW: '3.0', INFO: '0.0' } as const;
const noRule = 'sec-tester/unnamed';

/**
 * A log of one run. GitHub reads the severity of a rule, so a rule has that of its worst finding.
 * @param findings the worst first
 */
export function toSarif({ isComplete, reasons, policy, execution }: GateReport, findings: Finding[]): object {
  const ruleIds = [...new Set(findings.map(({ ruleId }) => ruleId ?? noRule))];
  const rules = ruleIds.map((id) => {
    const worst = findings.find(({ ruleId }) => (ruleId ?? noRule) === id) as Finding;
    return {
      id,
      shortDescription: { text: worst.title },
      defaultConfiguration: { level: levels[worst.severity] },
      properties: {
        'security-severity': scores[worst.severity],
        tags: ['security', ...worst.cweIds.map((cwe) => `external/cwe/cwe-${String(cwe).padStart(3, '0')}`)],
      },
    };
  });
  const isNew = (policy as { onlyNew?: boolean } | undefined)?.onlyNew === true;
  const run = {
    tool: { driver: { name: 'sec-tester gate', rules } },
    invocations: [
      {
        executionSuccessful: isComplete,
        // A gate that does not pass is no fault of the tool: an error here would make the run incomplete.
        toolExecutionNotifications: reasons.map((text) => ({ level: 'warning', message: { text } })),
      },
    ],
    results: findings.map((finding) => resultOf(finding, ruleIds, isNew)),
    columnKind: 'utf16CodeUnits',
    properties: { execution: execution.id, target: execution.target },
  };
  return { $schema: 'https://json.schemastore.org/sarif-2.1.0.json', version: '2.1.0', runs: [run] };
}

function resultOf(finding: Finding, ruleIds: string[], isNew: boolean): object {
  const ruleId = finding.ruleId ?? noRule;
  return {
    ruleId,
    ruleIndex: ruleIds.indexOf(ruleId),
    level: levels[finding.severity],
    message: { text: finding.title },
    locations: locationsOf(finding),
    partialFingerprints: { 'secTesterFinding/v1': finding.id },
    ...(isNew && { baselineState: 'new' }),
    properties: { 'security-severity': scores[finding.severity], triage: finding.triage },
  };
}

function locationsOf({ location, target }: Finding): object[] {
  const { path, url, component, startLine, startColumn, endLine, endColumn } = location ?? {};
  if (path == null && url == null)
    return [{ logicalLocations: [{ fullyQualifiedName: String(component ?? target) }] }];
  const region = Object.fromEntries(
    Object.entries({ startLine, startColumn, endLine, endColumn }).filter(([, value]) => value != null),
  );
  const physicalLocation = {
    artifactLocation: { uri: path == null ? String(url) : uriOf(String(path)) },
    ...(startLine != null && { region }),
  };
  return [{ physicalLocation }];
}

/** A path as a relative URI reference. */
function uriOf(path: string): string {
  const parts = path.toWellFormed().split('/').map(encodeURIComponent);
  return parts.join('/');
}
