// Projects: the entry to reading and changing them. access.ts decides who sees which.
import type { Viewer } from '../../core/permissions.js';
import type { ProjectRole } from '../../core/project-access.js';
import type { Transaction } from '../../infra/postgres/database.js';
import {
  archiveProject,
  createProject,
  lockProject,
  type ProjectChangeOptions,
  updateProject,
} from './project.changes.js';
import { deleteProject } from './project.deletion.js';
import { syncMemberships } from './project.groups.js';
import type { CreateProjectInput, DeleteProjectInput, UpdateProjectInput } from './project.input.js';
import { addMember, setMember } from './project.members.js';
import { createProjectReads } from './project.reads.js';

export type { MemberRow, OpenCounts, ProjectRow } from './project.rows.js';

/** Reads and changes projects. */
export type ProjectService = ReturnType<typeof createProjectService>;

/** Creates the service. */
export function createProjectService(options: ProjectChangeOptions) {
  const { get, getByKey, byIds, list, membersOfEach, openCountsOfEach } = createProjectReads(options.db);
  return {
    get,
    getByKey,
    byIds,
    list,
    membersOfEach,
    openCountsOfEach,

    /** See {@link lockProject}. */
    lock: lockProject,
    /** See {@link createProject}. */
    create: (viewer: Viewer, input: CreateProjectInput) => createProject(options, viewer, input),
    /** See {@link updateProject}. */
    update: (viewer: Viewer, input: UpdateProjectInput) => updateProject(options, viewer, input),
    /** See {@link archiveProject}. */
    archive: (viewer: Viewer, key: string) => archiveProject(options, viewer, key),
    /** See {@link deleteProject}. */
    remove: (viewer: Viewer, input: DeleteProjectInput) => deleteProject(options, viewer, input),
    /** See {@link addMember}. */
    addMember,
    /** See {@link setMember}. */
    setMember: (viewer: Viewer, key: string, userId: string, role: ProjectRole | null) =>
      setMember(options, viewer, key, userId, role),
    /** See {@link syncMemberships}. */
    syncMemberships: (
      tx: Transaction,
      userId: string,
      provider: string,
      wanted: ReadonlyMap<string, ProjectRole>,
    ) => syncMemberships(options, tx, userId, provider, wanted),
  };
}
