// The workloads in the words of PostGraphile's own schema, and its answers brought to the product's shape.
import { workloads } from '../workloads.mjs';

const page = 'pageInfo { hasNextPage endCursor }';
const summary =
  'id: rowId name target kind status progress criticalCount highCount mediumCount lowCount infoCount createdAt createdBy: userByCreatedById { id: rowId name }';
const brief = 'id: rowId title severity';
const full = `${brief} description ruleId cweIds cvssScore location remediation references tags fingerprint createdAt`;
const newest = 'orderBy: PRIMARY_KEY_DESC';

const add = `mutation($executionId: UUID!, $results: JSON!) {
    addResults: benchAddResults(input: { executionId: $executionId, results: $results }) { result { added duplicates } } }`;

const documents = {
  W1: '{ __typename }',
  W2: `{ executions: allTestExecutions(first: 20, ${newest}) { nodes { ${summary} } ${page} } }`,
  W3: `{ executions: allTestExecutions(first: 20, ${newest}) { nodes { ${summary}
    results: testResultsByExecutionId(first: 5, ${newest}) { nodes { ${brief} } } } ${page} } }`,
  W4: `query($id: UUID!) { execution: testExecutionByRowId(rowId: $id) { ${summary}
    results: testResultsByExecutionId(first: 50, ${newest}) { nodes { ${full} } ${page} } } }`,
  W5: `query($id: UUID!) { results: allTestResults(condition: { executionId: $id }, filter: { severity: { in: [3, 4] } },
    first: 20, ${newest}) { totalCount nodes { ${brief} } ${page} } }`,
  W6: add,
  import: add,
  W7: `query($after: Cursor) { executions: allTestExecutions(first: 20, after: $after, ${newest}) { nodes { ${summary} } ${page} } }`,
};

/** Pages of cursors only. */
export const walk = `query($first: Int, $after: Cursor) {
  executions: allTestExecutions(first: $first, after: $after, ${newest}) { ${page} } }`;

/** Bodies of a workload's requests. */
export function bodiesOf(name, facts) {
  return workloads[name].variables(facts).map((values) => {
    const variables = values.input ?? values;
    return JSON.stringify({ query: documents[name], variables });
  });
}

const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** An answer's data as the product would give it. */
export function dataOf(_name, data) {
  if (data.addResults !== undefined) return { addResults: data.addResults.result };
  return reshape(data);
}

function reshape(value) {
  if (Array.isArray(value)) return value.map(reshape);
  if (value === null || typeof value !== 'object') return value;
  const { criticalCount, highCount, mediumCount, lowCount, infoCount, ...rest } = value;
  const shaped = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, reshape(item)]));
  if (typeof rest.severity === 'number') shaped.severity = severities[rest.severity];
  if (rest.location) shaped.location = { path: null, startLine: null, url: null, ...rest.location };
  if (criticalCount !== undefined) {
    const counts = {
      critical: criticalCount,
      high: highCount,
      medium: mediumCount,
      low: lowCount,
      info: infoCount,
    };
    const total = criticalCount + highCount + mediumCount + lowCount + infoCount;
    shaped.severityCounts = { ...counts, total };
  }
  return shaped;
}
