// The server makes no code from strings: it runs where Node forbids eval and new Function.
import { expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { createServerProcess } from '../../kit/programs/process.js';
import { atEnd } from '../../kit/use.js';

const server = await createServerProcess({ NODE_OPTIONS: '--disallow-code-generation-from-strings' });
atEnd(() => server.remove());
await server.start();

const post = async (path: string, body: object, token?: string) => {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { accessToken?: string; data?: unknown; errors?: unknown };
};

/** Of the operations below, each answer has one field. */
interface Answer {
  createExecution: { execution: { id: string } };
  addResults: unknown;
  executions: unknown;
  users: unknown;
}

it('signs in, writes and reads where Node forbids to make code from strings', async () => {
  const { accessToken } = await post('/api/v1/auth/login', admin);
  const gql = async (query: string, variables: object = {}) => {
    const { data, errors } = await post('/graphql', { query, variables }, accessToken);
    expect(errors).toBeUndefined();
    return data as Answer;
  };
  const created = await gql(
    `mutation ($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }`,
    { input: { name: 'Nightly', target: 'https://app.test', kind: 'DAST' } },
  );
  const { id } = created.createExecution.execution;
  await gql(`mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }`, { id });
  const added = await gql(`mutation ($input: AddResultsInput!) { addResults(input: $input) { added } }`, {
    input: { executionId: id, results: [{ title: 'SQL injection', severity: 'HIGH' }] },
  });
  expect(added.addResults).toEqual({ added: 1 });
  const { executions } = await gql(
    `{ executions(first: 5) { totalCount nodes { id createdBy { name } results { nodes { title severity } } } } }`,
  );
  expect(executions).toMatchObject({
    totalCount: 1,
    nodes: [{ id, results: { nodes: [{ title: 'SQL injection', severity: 'HIGH' }] } }],
  });
  const users = await gql(`{ users { nodes { email } } }`);
  expect(users.users).toEqual({ nodes: [{ email: admin.email }] });
});
