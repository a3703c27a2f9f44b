// Decides whose projects' findings a viewer may see: the feature's one check of access.
import type { Viewer } from '../../core/permissions.js';
import type { Reads } from '../../infra/postgres/database.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { sql, where } from '../../infra/postgres/sql.js';

/** A project that the viewer may see. */
export interface VisibleProject {
  id: string;
  key: string;
}

/**
 * Projects that the viewer may see.
 * @param key only the project with this key
 */
export function visibleProjects(db: Reads, viewer: Viewer, key?: string | null): Promise<VisibleProject[]> {
  const named = key == null ? [] : [sql`key = ${key}`];
  const isSeen = where([...named, ...conditionOn(viewer, sql`id`, 'finding:read')]);
  return db.read<VisibleProject>(sql`SELECT id, key FROM projects ${isSeen} ORDER BY id`);
}
