// Helpers that make projects, members and keys of projects through the public API.
import type { TestServer } from './harness.js';

let counter = 0;

export interface ProjectInput {
  key?: string;
  visibility?: 'INTERNAL' | 'PRIVATE';
  [field: string]: unknown;
}

/** A project; its key. */
export async function createProject(
  server: TestServer,
  adminToken: string,
  input: ProjectInput = {},
): Promise<string> {
  counter += 1;
  const key = input.key ?? `project-${process.env.JEST_WORKER_ID ?? 0}-${counter}`;
  const answer = await server.change(
    'createProject',
    { name: `Project ${counter}`, ...input, key },
    'project { key }',
    adminToken,
  );
  return answer.expectData().createProject.project.key;
}

/** Makes a user a member with a role, or a member no longer. */
export async function setMember(
  server: TestServer,
  adminToken: string,
  key: string,
  userId: string,
  role: 'ANALYST' | 'VIEWER' | null,
): Promise<void> {
  const answer = await server.gql(
    `mutation($key: String!, $userId: ID!, $role: ProjectRole) {
      setProjectMember(key: $key, userId: $userId, role: $role) { project { id } }
    }`,
    { key, userId, role },
    adminToken,
  );
  answer.expectData();
}

/** Changes a project. */
export async function updateProject(
  server: TestServer,
  adminToken: string,
  input: Record<string, unknown>,
): Promise<void> {
  const answer = await server.change('updateProject', input, 'project { id }', adminToken);
  answer.expectData();
}

/** An API key that is bound to a project; its secret. */
export async function createBoundKey(
  server: TestServer,
  token: string,
  project: string | null,
  scopes: string[],
): Promise<string> {
  const expiresAt = new Date(server.clock.now() + 86_400_000).toISOString();
  const answer = await server.change(
    'createApiKey',
    { name: 'Key', scopes, project, expiresAt },
    'secret',
    token,
  );
  return answer.expectData().createApiKey.secret;
}
