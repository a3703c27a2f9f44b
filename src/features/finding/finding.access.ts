// Which projects a viewer may see findings of. The one place where the feature asks.
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';

/** A project that the viewer may see. */
export interface VisibleProject {
  id: string;
  key: string;
}

/**
 * Projects that the viewer may see: all for admins; for others the INTERNAL ones and those that they are members of.
 * @param key only the project with this key
 */
export function visibleProjects(
  db: Database,
  viewer: Viewer,
  key?: string | null,
): Promise<VisibleProject[]> {
  const isMember = sql`EXISTS (SELECT FROM project_members AS member
    WHERE member.project_id = project.id AND member.user_id = ${viewer.userId}::uuid)`;
  return db.read<VisibleProject>(sql`
    SELECT id, key FROM projects AS project
    WHERE (${viewer.role} = 'ADMIN' OR visibility = 'INTERNAL' OR ${isMember})
      AND (${key ?? null}::text IS NULL OR key = ${key ?? null}::text)
    ORDER BY id`);
}
