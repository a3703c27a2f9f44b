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
  users:
    'query Users($search: String!) { users(first: 100, filter: { search: $search }) { nodes { id email } } }',
} as const;
