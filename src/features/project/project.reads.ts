// Reads projects: by key and id, in keyset pages, their members and the numbers of their open findings.
import { AppError } from '../../core/errors.js';
import type { Page, PageArgs } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { fetchPage } from '../../infra/postgres/keyset-page.js';
import { fetchOfEach, type Sql, sql, where } from '../../infra/postgres/sql.js';
import {
  byKey,
  columns,
  conditionsOf,
  type MemberRow,
  maxMembers,
  memberColumns,
  type OpenCounts,
  type ProjectFilter,
  type ProjectRow,
  visibleTo,
} from './project.rows.js';

/** Reads of projects. */
export type ProjectReads = ReturnType<typeof createProjectReads>;

/** Creates the reads. */
export function createProjectReads(db: Database) {
  const readOne = async (viewer: Viewer, condition: Sql): Promise<ProjectRow> => {
    const [row] = await db.read<ProjectRow>(
      sql`SELECT ${columns} FROM projects ${where([condition, ...visibleTo(viewer)])}`,
    );
    if (row === undefined) throw new AppError('NOT_FOUND');
    return row;
  };

  return {
    /** @throws NOT_FOUND also for a project that the viewer may not see */
    get: (viewer: Viewer, id: string) => readOne(viewer, sql`id = ${id}::uuid`),

    /** @throws NOT_FOUND also for a project that the viewer may not see */
    getByKey: (viewer: Viewer, key: string) => readOne(viewer, sql`key = ${key}`),

    /** Projects by id, in the order of the ids; null for one that the viewer may not see. */
    async byIds(viewer: Viewer, ids: readonly string[]): Promise<(ProjectRow | null)[]> {
      const rows = await db.read<ProjectRow>(
        sql`SELECT ${columns} FROM projects ${where([sql`id = ANY(${ids}::uuid[])`, ...visibleTo(viewer)])}`,
      );
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id) ?? null);
    },

    /**
     * One keyset page, by key.
     * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
     */
    list: (viewer: Viewer, filter: ProjectFilter, args: PageArgs) => listProjects(db, viewer, filter, args),

    /** Members of each project, in the order of their joining. */
    async membersOfEach(ids: readonly string[]): Promise<MemberRow[][]> {
      const select = sql`
        SELECT ${memberColumns} FROM project_members WHERE project_id = parent.id
        ORDER BY since, user_id LIMIT ${maxMembers}`;
      const byProject = await fetchOfEach<MemberRow>(db.query, ids, select, (row) => row.projectId);
      return ids.map((id) => byProject.get(id) ?? []);
    },

    /** Numbers of each project's findings that are PRESENT on the default branch and OPEN or CONFIRMED: sums of counters. */
    openCountsOfEach: (ids: readonly string[]) => openCountsOfEach(db, ids),
  };
}

async function listProjects(
  db: Database,
  viewer: Viewer,
  filter: ProjectFilter,
  args: PageArgs,
): Promise<Page<ProjectRow>> {
  const conditions = [...visibleTo(viewer), ...conditionsOf(filter)];
  const source = { select: sql`SELECT ${columns} FROM projects`, conditions, order: byKey };
  const count = async () => {
    const [row] = await db.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM projects ${where(conditions)}`,
    );
    return row?.count ?? 0;
  };
  return fetchPage<ProjectRow>(db.query, source, args, count);
}

async function openCountsOfEach(db: Database, ids: readonly string[]): Promise<OpenCounts[]> {
  const of = (rank: number) => sql`COALESCE(sum(change) FILTER (WHERE severity = ${rank}::smallint), 0)::int`;
  const rows = await db.query<OpenCounts & { id: string }>(sql`
    SELECT project_id AS id, ${of(0)} AS "infoCount", ${of(1)} AS "lowCount", ${of(2)} AS "mediumCount",
      ${of(3)} AS "highCount", ${of(4)} AS "criticalCount"
    FROM finding_counts
    WHERE project_id = ANY(${ids}::uuid[]) AND is_present AND triage IN ('OPEN', 'CONFIRMED')
    GROUP BY project_id`);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const none = { infoCount: 0, lowCount: 0, mediumCount: 0, highCount: 0, criticalCount: 0 };
  return ids.map((id) => byId.get(id) ?? none);
}
