// The GraphQL documents on projects, and the shapes of their responses.
import type { SeverityCounts } from '../queries.js';

export const visibilities = ['INTERNAL', 'PRIVATE'] as const;
export const projectRoles = ['ANALYST', 'VIEWER'] as const;

export interface User {
  id: string;
  email: string;
}

export interface Project {
  id: string;
  key: string;
  name: string;
  visibility: (typeof visibilities)[number];
  openCounts: SeverityCounts;
  members?: { user: { id: string; name: string }; role: (typeof projectRoles)[number]; since: string }[];
}

/** Numbers of objects in a project. */
export interface ProjectContent {
  deletedId: string | null;
  executions: number;
  results: number;
  findings: number;
  imports: number;
  members: number;
  apiKeys: number;
  webhooks: number;
  heldExecutions: number;
}

/** Executions that retention would delete from a project. */
export interface RetentionPreview {
  project: { key: string };
  retainDays: number | null;
  retainExecutions: number | null;
  executions: number;
  results: number;
  held: number;
  needed: number;
}

const fields = 'id key name description visibility defaultBranch archivedAt createdAt';

export const projectQueries = {
  list: `query Projects($search: String, $archived: Boolean, $first: Int, $after: String) {
    page: projects(search: $search, archived: $archived, first: $first, after: $after) {
      nodes { ${fields} openCounts { total critical high medium low info } } pageInfo { hasNextPage endCursor }
    }
  }`,
  create: `mutation CreateProject($input: CreateProjectInput!) {
    changed: createProject(input: $input) { project { ${fields} } }
  }`,
  update: `mutation UpdateProject($input: UpdateProjectInput!) {
    changed: updateProject(input: $input) { project { ${fields} } }
  }`,
  archive: `mutation ArchiveProject($key: String!) { changed: archiveProject(key: $key) { project { ${fields} } } }`,
  members: 'query Members($key: String!) { project(key: $key) { members { user { id name } role since } } }',
  setMember: `mutation SetMember($key: String!, $userId: ID!, $role: ProjectRole) {
    setProjectMember(key: $key, userId: $userId, role: $role) { project { id } }
  }`,
  retention: `query Retention($project: String, $retainDays: Int, $retainExecutions: Int) {
    previews: retentionPreview(project: $project, retainDays: $retainDays, retainExecutions: $retainExecutions) {
      project { key } retainDays retainExecutions executions results held needed
    }
  }`,
  hold: `mutation Hold($id: ID!, $reason: String) {
    changed: setExecutionHold(id: $id, reason: $reason) { execution { id heldAt holdReason } }
  }`,
  delete: `mutation DeleteProject($input: DeleteProjectInput!) {
    deletion: deleteProject(input: $input) {
      deletedId executions results findings imports members apiKeys webhooks heldExecutions
    }
  }`,
  users:
    'query Users($search: String!) { users(first: 100, filter: { search: $search }) { nodes { id email } } }',
} as const;
