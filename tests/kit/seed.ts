// Helpers that make users, executions and results through the public API.
import type { Calls } from './calls.js';

export const password = 'plum violin 4482 meadow crane';

export interface Person {
  id: string;
  email: string;
  token: string;
}

let counter = 0;

/** A signed-in user of a role. */
export async function createPerson(
  server: Calls,
  adminToken: string,
  role: 'ADMIN' | 'ANALYST' | 'VIEWER',
): Promise<Person> {
  counter += 1;
  const email = `${role.toLowerCase()}-${process.env.JEST_WORKER_ID ?? 0}-${counter}@people.test`;
  const answer = await server.change(
    'createUser',
    { email, name: `Person ${counter}`, password, role },
    'user { id }',
    adminToken,
  );
  return { id: answer.expectData().createUser.user.id, email, token: await server.signIn(email, password) };
}

/** A QUEUED execution; its id. */
export async function createExecution(
  server: Calls,
  token: string,
  input: Record<string, unknown> = {},
): Promise<string> {
  const answer = await server.change(
    'createExecution',
    { name: 'Scan', target: 'https://target.test', kind: 'DAST', ...input },
    'execution { id }',
    token,
  );
  return answer.expectData().createExecution.execution.id;
}

/** A RUNNING execution; its id. */
export async function startExecution(
  server: Calls,
  token: string,
  input: Record<string, unknown> = {},
): Promise<string> {
  const id = await createExecution(server, token, input);
  (
    await server.gql('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }', { id }, token)
  ).expectData();
  return id;
}

/** Adds results; how many were added. */
export async function addResults(
  server: Calls,
  token: string,
  executionId: string,
  results: Record<string, unknown>[],
  batchKey?: string,
): Promise<{ added: number; duplicates: number }> {
  const answer = await server.change(
    'addResults',
    { executionId, batchKey, results },
    'added duplicates',
    token,
  );
  return answer.expectData().addResults;
}
