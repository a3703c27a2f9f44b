// Projects and their members as rows: columns, order and conditions in SQL.
import type { Viewer } from '../../core/permissions.js';
import { Prisma, type Project, type ProjectMember } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import type { KeysetOrder } from '../../infra/postgres/keyset-page.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { columnsOf, type Sql, sql } from '../../infra/postgres/sql.js';
import { containsPattern, foldForSearch } from '../../validation/search-text.js';

/** A project as it is read; timestamps are RFC 3339. */
export type ProjectRow = SqlRow<Omit<Project, 'foldedText'>>;

/** A membership as it is read. */
export type MemberRow = SqlRow<ProjectMember>;

/** Numbers of open findings by severity. */
export interface OpenCounts {
  infoCount: number;
  lowCount: number;
  mediumCount: number;
  highCount: number;
  criticalCount: number;
}

const { foldedText: _, ...projectFields } = Prisma.ProjectScalarFieldEnum;
/** The select list of {@link ProjectRow}. */
export const columns = columnsOf(projectFields);

/** The select list of {@link MemberRow}. */
export const memberColumns = columnsOf(Prisma.ProjectMemberScalarFieldEnum);

/** Members that a project may have. */
export const maxMembers = 500;

/** The keyset order of the list: by key. */
export const byKey: KeysetOrder<ProjectRow> = {
  name: 'KEY',
  isDescending: false,
  key: { expression: sql`key`, type: sql`text`, of: ({ key }) => key, is: (text) => !text.includes('\0') },
};

/** The filter of a list of projects. */
export interface ProjectFilter {
  /** Part of the key or name. */
  search?: string | null | undefined;
  /** Archived ones instead of the others. */
  isArchived: boolean;
}

/** The text that a search looks for projects in; PostgreSQL's own folding follows the locale of the database. */
export function searchTextOf({ key, name }: { key: string; name: string }): string {
  return foldForSearch(`${key}\n${name}`);
}

/** Conditions on rows that the viewer may see. */
export function visibleTo(viewer: Viewer): Sql[] {
  return conditionOn(viewer, sql`id`);
}

/** The conditions of a filter. */
export function conditionsOf({ search, isArchived }: ProjectFilter): Sql[] {
  const archived = isArchived ? sql`archived_at IS NOT NULL` : sql`archived_at IS NULL`;
  if (search == null) return [archived];
  const text = sql`COALESCE(folded_text, lower(key || E'\\n' || name COLLATE "C"))`;
  return [archived, sql`${text} LIKE ${containsPattern(search)}`];
}
