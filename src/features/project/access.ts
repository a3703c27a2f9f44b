// Loads the projects that callers see, for sign-ins, API keys and open streams. The rules are in core/permissions.ts, their
// conditions in SQL in infra/postgres/project-access.ts.
import type { ProjectAccess } from '../../core/project-access.js';
import type { Timing } from '../../core/timeouts.js';
import { createCache } from '../../infra/cache.js';
import type { Database } from '../../infra/postgres/database.js';
import type { AccessRow } from '../../infra/postgres/project-access.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';

/** Dependencies of loading access. */
export interface ProjectAccessOptions {
  db: Database;
  events: Events;
  metrics: Metrics | undefined;
  timing: Timing;
}

interface SpecialProjects {
  privateIds: ReadonlySet<string>;
  deletedIds: ReadonlySet<string>;
  /** Rises with each change. */
  generation: number;
}

const none: SpecialProjects = { privateIds: new Set(), deletedIds: new Set(), generation: 0 };

/** Loads what callers see. */
export type ProjectAccessService = ReturnType<typeof createProjectAccess>;

/** Creates the loader. The lists of private and deleted projects are shared by all callers and believed for a second. */
export function createProjectAccess({ db, events, metrics, timing }: ProjectAccessOptions) {
  const cached = createCache<SpecialProjects>({
    name: 'private_projects',
    max: 1,
    ttlMs: timing.believeMs,
    metrics,
  });
  let last = none;
  const forget = (): void => cached.forget('all');
  events.subscribe('project.changed', forget);

  /** The same object as long as the projects are the same: answers that callers share depend on it. */
  const load = async (): Promise<SpecialProjects> => {
    const rows = await db.read<{ id: string; isDeleted: boolean }>(sql`
      SELECT id, deleted_at IS NOT NULL AS "isDeleted" FROM projects
      WHERE visibility = 'PRIVATE' OR deleted_at IS NOT NULL`);
    const idsOf = (isDeleted: boolean) =>
      new Set(rows.filter((row) => row.isDeleted === isDeleted).map(({ id }) => id));
    const [privateIds, deletedIds] = [idsOf(false), idsOf(true)];
    if (!isSame(privateIds, last.privateIds) || !isSame(deletedIds, last.deletedIds))
      last = { privateIds, deletedIds, generation: last.generation + 1 };
    return last;
  };

  return {
    /** Forgets which projects are private or deleted, for a reader that may have missed a message. */
    forget,

    /** Access of a caller; undefined where projects make no difference. */
    async of({
      role,
      memberships,
      hasPrivate,
      hasDeleted,
      boundTo,
    }: AccessRow): Promise<ProjectAccess | undefined> {
      const hasRoleEverywhere = role === 'ADMIN' || (memberships === null && !hasPrivate);
      if (boundTo == null && hasRoleEverywhere && !hasDeleted) return undefined;
      const { privateIds, deletedIds, generation } =
        hasPrivate || hasDeleted ? await cached('all', load) : none;
      const entries = Object.entries(memberships ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        boundTo: boundTo ?? undefined,
        memberships: new Map(entries),
        hasPrivate,
        privateIds,
        hasDeleted,
        deletedIds,
        key: JSON.stringify([boundTo ?? null, entries, generation]),
      };
    },
  };
}

function isSame(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return some.size === others.size && [...some].every((id) => others.has(id));
}
