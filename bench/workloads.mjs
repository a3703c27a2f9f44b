// What the bench asks of the server, as data: add a workload here and it is measured. How is in run.mjs.

/**
 * @typedef {{
 *   name: string, title: string,
 *   goal?: string,            what the median of one at a time should be
 *   isSequential?: boolean,   only one at a time: calls that wait for each other's lock
 *   max?: number,             no more calls than that
 *   prepare: (client: { graphql: Function }) => Promise<() => string>   gives the next request's body
 * }} Workload
 */

const repeat = (query, variables) => {
  const body = JSON.stringify({ query, variables });
  return () => body;
};

/** Ids of executions, spread over the list. */
async function someExecutions({ graphql }, count) {
  const { executions } = await graphql(`query { executions(first: ${count}) { nodes { id } } }`);
  return executions.nodes.map(({ id }) => id);
}

const page = 'pageInfo { hasNextPage endCursor }';
const summary =
  'id name target kind status progress severityCounts { critical high medium low info total } createdAt';
const fullResult =
  'id title description severity ruleId cweIds cvssScore location { path startLine url } remediation references tags fingerprint createdAt';

/** @type {Workload[]} */
export const workloads = [
  {
    name: 'W1',
    title: 'W1 a trivial field',
    prepare: async () => repeat('{ me { id } }'),
  },
  {
    name: 'W2',
    title: 'W2 page of 20 executions with creator',
    goal: '< 20 ms',
    prepare: async () =>
      repeat(`{ executions(first: 20) { nodes { ${summary} createdBy { id name } } ${page} } }`),
  },
  {
    name: 'W3',
    title: 'W3 the same with 5 results of each',
    prepare: async () =>
      repeat(
        `{ executions(first: 20) { nodes { ${summary} createdBy { id name } results(first: 5) { nodes { id title severity } } } ${page} } }`,
      ),
  },
  {
    name: 'W4',
    title: 'W4 one execution with 50 full results',
    prepare: async (client) => {
      const ids = await someExecutions(client, 50);
      const query = `query($id: ID!) { execution(id: $id) { ${summary} results(first: 50) { nodes { ${fullResult} } ${page} } } }`;
      let turn = 0;
      return () => JSON.stringify({ query, variables: { id: ids[turn++ % ids.length] } });
    },
  },
  {
    name: 'W5',
    title: 'W5 results of one execution by severity, with count',
    prepare: async (client) => {
      const ids = await someExecutions(client, 50);
      const query = `query($id: ID!) { results(filter: { executionId: $id, severity: [HIGH, CRITICAL] }, first: 20) { totalCount nodes { id title severity } ${page} } }`;
      let turn = 0;
      return () => JSON.stringify({ query, variables: { id: ids[turn++ % ids.length] } });
    },
  },
  {
    name: 'W7',
    title: 'W7 page 500 of W2',
    prepare: async ({ graphql }) => {
      let after;
      for (let turn = 0; turn < 100; turn += 1) {
        const { executions } = await graphql(
          `query($after: String) { executions(first: 100, after: $after) { ${page} } }`,
          { after },
        );
        after = executions.pageInfo.endCursor ?? after;
      }
      return repeat(
        `query($after: String) { executions(first: 20, after: $after) { nodes { ${summary} createdBy { id name } } ${page} } }`,
        { after },
      );
    },
  },
  {
    name: 'add1000',
    title: 'addResults of 1,000',
    goal: '< 300 ms',
    isSequential: true,
    max: 40,
    prepare: async ({ graphql }) => {
      const { createExecution } = await graphql(
        'mutation { createExecution(input: { name: "Bench", target: "https://bench.test", kind: SAST, tool: "bench" }) { execution { id } } }',
      );
      const executionId = createExecution.execution.id;
      await graphql('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }', {
        id: executionId,
      });
      let batch = 0;
      return () => {
        batch += 1;
        const results = Array.from({ length: 1000 }, (_, index) => result(batch, index));
        const query = 'mutation($input: AddResultsInput!) { addResults(input: $input) { added duplicates } }';
        return JSON.stringify({
          query,
          variables: { input: { executionId, batchKey: `b${batch}`, results } },
        });
      };
    },
  },
];

/** A finding of the usual size, about 600 bytes. */
function result(batch, index) {
  return {
    title: `SQL injection in handler ${batch}-${index}`,
    description: 'User input reaches a statement. '.repeat(8),
    severity: ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'][index % 5],
    ruleId: `rule-${index % 200}`,
    cweIds: [89],
    location: { path: `src/handlers/file-${index}.ts`, startLine: index + 1 },
    evidence: 'const rows = await query(text + name);',
    remediation: 'Use parameters.',
    references: ['https://cwe.mitre.org/data/definitions/89.html'],
    tags: ['security'],
  };
}
