// Mappings of groups to roles and projects that admins keep, beside those of the settings.
import { type OidcProvider, scimOnly } from '../../config/oidc-providers.js';
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { assertFresh, type Role, type Viewer } from '../../core/permissions.js';
import type { ProjectRole } from '../../core/project-access.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { Mapping } from './groups.js';
import type { SetGroupMappingInput } from './sso.input.js';

/** A mapping as it is read. */
export interface GroupMappingRow extends Mapping {
  id: string;
  provider: string;
  projectId: string | null;
  createdAt: string;
}

/** Dependencies of keeping mappings. */
export interface GroupMappingOptions {
  db: Database;
  audit: AuditService;
  /** The providers in the settings. */
  providers: readonly OidcProvider[];
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Mappings that admins may keep. */
export const maxMappings = 1000;

const select = sql`
  SELECT g.id, g.provider, g.group_name AS "group", g.role, p.key AS project, g.project_id AS "projectId",
    g.project_role AS "projectRole", g.created_at AS "createdAt"
  FROM group_mappings g LEFT JOIN projects p ON p.id = g.project_id`;

/** Keeps mappings. */
export type GroupMappings = ReturnType<typeof createGroupMappings>;

/** Creates the service. */
export function createGroupMappings(options: GroupMappingOptions) {
  const { db } = options;
  return {
    /** The mappings of a provider: those of the settings and those of admins. */
    of: async (provider: string): Promise<Mapping[]> => [
      ...options.providers.filter(({ id }) => id === provider).flatMap(mappingsInSettings),
      ...(await db.query<GroupMappingRow>(sql`${select} WHERE g.provider = ${provider}`)),
    ],

    /** Whether there is such a provider. */
    hasProvider: (provider: string) => isProvider(options, provider),

    /** All mappings, by provider and group. */
    list: () =>
      db.query<GroupMappingRow>(sql`${select} ORDER BY g.provider, g.group_name, g.id LIMIT ${maxMappings}`),

    /**
     * Maps a group to a role, or to a role in one project; an earlier mapping of the same is replaced.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws VALIDATION_FAILED for an unknown provider, and for neither or both of role and project
     * @throws NOT_FOUND for an unknown project
     * @throws CONFLICT beyond the limit
     */
    set: (viewer: Viewer, input: SetGroupMappingInput) => setMapping(options, viewer, input),

    /** Removes a mapping; it takes effect when its members next sign in. @throws NOT_FOUND */
    remove: (viewer: Viewer, id: string) => removeMapping(options, viewer, id),
  };
}

const isProvider = ({ providers }: GroupMappingOptions, id: string): boolean =>
  id === scimOnly || providers.some((provider) => provider.id === id);

function mappingsInSettings({ roles, projects }: OidcProvider): Mapping[] {
  return [
    ...Object.entries(roles).map(([group, role]) => ({ group, role, project: null, projectRole: null })),
    ...Object.entries(projects).flatMap(([group, of]) =>
      Object.entries(of).map(([project, projectRole]) => ({ group, role: null, project, projectRole })),
    ),
  ];
}

async function setMapping(
  options: GroupMappingOptions,
  viewer: Viewer,
  { provider, group, role, project, projectRole }: SetGroupMappingInput,
): Promise<GroupMappingRow> {
  const { db, audit, now } = options;
  assertFresh(viewer, now());
  if (!isProvider(options, provider))
    throw invalid('input.provider', `is neither an identity provider in the settings nor "${scimOnly}"`);
  if ((role == null) === (project == null))
    throw invalid('input.role', 'must be given unless project is, but not both');
  if ((project == null) !== (projectRole == null))
    throw invalid('input.projectRole', 'must be given exactly when project is');
  const id = newId();
  return db.transaction(async (tx) => {
    // Against other additions at the same time.
    await tx.query(sql`LOCK TABLE group_mappings IN SHARE ROW EXCLUSIVE MODE`);
    const projectId = project == null ? null : await projectOf(tx, project);
    await tx.query(sql`
      DELETE FROM group_mappings WHERE provider = ${provider} AND group_name = ${group}
        AND project_id IS NOT DISTINCT FROM ${projectId}::uuid`);
    await assertRoom(tx);
    await tx.query(sql`
      INSERT INTO group_mappings (id, provider, group_name, role, project_id, project_role, created_at)
      VALUES (${id}, ${provider}, ${group}, ${role as Role | null}, ${projectId}, ${projectRole as ProjectRole | null},
        ${new Date(now())})`);
    audit.record(tx, {
      action: 'group_mapping.set',
      actor: viewer,
      ...(projectId !== null && { targetType: 'Project', targetId: projectId }),
      changes: { provider, group, ...(role == null ? { project, projectRole } : { role }) },
    });
    const [row] = await tx.query<GroupMappingRow>(sql`${select} WHERE g.id = ${id}`);
    return row as GroupMappingRow;
  });
}

/** @throws CONFLICT */
async function assertRoom(tx: Transaction): Promise<void> {
  const [row] = await tx.query<{ count: number }>(sql`SELECT count(*)::int AS count FROM group_mappings`);
  if ((row?.count ?? 0) >= maxMappings)
    throw new AppError('CONFLICT', {
      message: `There are ${maxMappings} mappings already, which is the maximum.`,
    });
}

async function projectOf(tx: Transaction, key: string): Promise<string> {
  const [row] = await tx.query<{ id: string }>(
    sql`SELECT id FROM projects WHERE key = ${key} AND deleted_at IS NULL`,
  );
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row.id;
}

async function removeMapping({ db, audit }: GroupMappingOptions, viewer: Viewer, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [gone] = await tx.query<{ provider: string; group: string }>(
      sql`DELETE FROM group_mappings WHERE id = ${id} RETURNING provider, group_name AS "group"`,
    );
    if (gone === undefined) throw new AppError('NOT_FOUND');
    audit.record(tx, { action: 'group_mapping.delete', actor: viewer, changes: gone });
  });
}
