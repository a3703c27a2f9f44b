// Imports SARIF logs in tests, through the public API.
import type { TestServer } from './harness.js';

/** A problem that a log reports, at a place that follows from its rule. */
export interface Problem {
  rule: string;
  /** error is HIGH, warning MEDIUM, note LOW. */
  level?: 'error' | 'warning' | 'note';
  cwe?: number;
}

/** Receipt of an import, as REST shows it. */
export interface Receipt {
  id: string;
  executionId: string;
  state: string;
  newFindings: number;
  unchangedFindings: number;
  reopenedFindings: number;
  absentFindings: number;
}

/**
 * Imports a log of one run, and waits for its receipt.
 * @param query of POST /api/v1/imports
 * @param extra further fields of the SARIF run
 */
export async function importSarif(
  server: Pick<TestServer, 'url'>,
  token: string,
  query: Record<string, string | undefined>,
  problems: readonly Problem[],
  extra: object = {},
): Promise<Receipt> {
  const given = Object.entries({ wait: '30', ...query }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const response = await fetch(`${server.url}/api/v1/imports?${new URLSearchParams(given)}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ version: '2.1.0', runs: [{ ...runOf(problems), ...extra }] }),
  });
  const receipt = (await response.json()) as Receipt;
  if (receipt.state !== 'COMPLETED') throw new Error(JSON.stringify(receipt));
  return receipt;
}

function runOf(problems: readonly Problem[]) {
  const rules = problems.map(({ rule, cwe }) => ({
    id: rule,
    ...(cwe !== undefined && { properties: { tags: [`external/cwe/cwe-${cwe}`] } }),
  }));
  return {
    tool: { driver: { name: 'Toolbox', rules } },
    results: problems.map(({ rule, level = 'error' }) => ({
      ruleId: rule,
      level,
      message: { text: `Problem of ${rule}` },
      locations: [
        { physicalLocation: { artifactLocation: { uri: `src/${rule}.c` }, region: { startLine: 7 } } },
      ],
    })),
  };
}
