// What the bench asks, as data: W1 to W7 with their documents and variables. How it is sent and measured is elsewhere.

/**
 * What a workload may ask about: raw ids, and where page 500 begins.
 * @typedef {{
 *   executionIds: string[],  50 executions, spread over the newest thousand
 *   targetIds: string[],     running executions of one contestant, to add results to
 *   after: string | undefined  its cursor before page 500
 * }} Facts
 *
 * @typedef {{
 *   title: string,
 *   query: string,
 *   variables: (facts: Facts) => object[],  of the requests, which take turns
 *   isWriting?: boolean,  each request is new: `counter` in a body is replaced by eight digits
 *   connections?: number  so many, whatever the options say
 * }} Workload
 */

/** Stands in a body for a number that no request before had. */
export const counter = '@@@@@@@@';

const page = 'pageInfo { hasNextPage endCursor }';
const summary =
  'id name target kind status progress severityCounts { critical high medium low info total } createdAt createdBy { id name }';
const full =
  'id title description severity ruleId cweIds cvssScore location { path startLine url } remediation references tags fingerprint createdAt';

/** @type {Record<string, Workload>} */
export const workloads = {
  W1: { title: 'a trivial field', query: '{ __typename }', variables: () => [{}] },
  W2: {
    title: '20 executions, newest first, with creator',
    query: `{ executions(first: 20) { nodes { ${summary} } ${page} } }`,
    variables: () => [{}],
  },
  W3: {
    title: 'W2 with the first 5 results of each',
    query: `{ executions(first: 20) { nodes { ${summary} results(first: 5) { nodes { id title severity } } } ${page} } }`,
    variables: () => [{}],
  },
  W4: {
    title: 'one execution with 50 full results',
    query: `query($id: ID!) { execution(id: $id) { ${summary} results(first: 50) { nodes { ${full} } ${page} } } }`,
    variables: ({ executionIds }) => executionIds.map((id) => ({ id })),
  },
  W5: {
    title: 'results of one execution by severity, with totalCount',
    query: `query($id: ID!) { results(filter: { executionId: $id, severity: [HIGH, CRITICAL] }, first: 20) { totalCount nodes { id title severity } ${page} } }`,
    variables: ({ executionIds }) => executionIds.map((id) => ({ id })),
  },
  W6: {
    title: '100 results in one mutation',
    query: 'mutation($input: AddResultsInput!) { addResults(input: $input) { added duplicates } }',
    variables: ({ targetIds }) =>
      targetIds.map((executionId) => ({ input: { executionId, results: findings(100) } })),
    isWriting: true,
  },
  W7: {
    title: 'page 500 of W2, by cursor',
    query: `query($after: String) { executions(first: 20, after: $after) { nodes { ${summary} } ${page} } }`,
    variables: ({ after }) => [{ after }],
  },
  import: {
    title: '1,000 results in one mutation, one at a time',
    query: 'mutation($input: AddResultsInput!) { addResults(input: $input) { added duplicates } }',
    variables: ({ targetIds }) =>
      targetIds.map((executionId) => ({ input: { executionId, results: findings(1000) } })),
    isWriting: true,
    connections: 1,
  },
};

/** Walks to page 500: only cursors. */
export const walk = `query($first: Int, $after: String) { executions(first: $first, after: $after) { ${page} } }`;

/** Findings of the usual size, about 600 bytes each. */
export function findings(count) {
  return Array.from({ length: count }, (_, index) => ({
    title: `SQL injection in handler ${index}`,
    description: 'User input reaches a statement. '.repeat(8),
    severity: ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'][index % 5],
    ruleId: `rule-${index % 200}`,
    cweIds: [89],
    location: { path: `src/handlers/file-${index}.ts`, startLine: index + 1 },
    evidence: 'const rows = await query(text + name);',
    remediation: 'Use parameters.',
    references: ['https://cwe.mitre.org/data/definitions/89.html'],
    tags: ['security'],
    fingerprint: `bench-${counter}-${index}`,
  }));
}
