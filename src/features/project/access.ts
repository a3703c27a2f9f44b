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

/** What access is loaded with. */
export interface ProjectAccessOptions {
  db: Database;
  events: Events;
  metrics: Metrics | undefined;
  timing: Timing;
}

interface Privates {
  ids: ReadonlySet<string>;
  /** Rises with each change. */
  generation: number;
}

const none: Privates = { ids: new Set(), generation: 0 };

/** Loads what callers see. */
export type ProjectAccessService = ReturnType<typeof createProjectAccess>;

/** Creates the loader. The list of private projects is shared by all callers and believed for a second. */
export function createProjectAccess({ db, events, metrics, timing }: ProjectAccessOptions) {
  const cached = createCache<Privates>({
    name: 'private_projects',
    max: 1,
    ttlMs: timing.believeMs,
    metrics,
  });
  let last: Privates = { ids: new Set(), generation: 0 };
  const forget = (): void => cached.forget('all');
  events.subscribe('project.changed', forget);

  /** The same object as long as the projects are the same: answers that callers share depend on it. */
  const load = async (): Promise<Privates> => {
    const rows = await db.read<{ id: string }>(sql`SELECT id FROM projects WHERE visibility = 'PRIVATE'`);
    if (rows.length !== last.ids.size || rows.some(({ id }) => !last.ids.has(id)))
      last = { ids: new Set(rows.map(({ id }) => id)), generation: last.generation + 1 };
    return last;
  };

  return {
    /** Forgets the list of private projects, for a reader that may have missed a message. */
    forget,

    /** Access of a caller; undefined where projects make no difference. */
    async of({ role, memberships, hasPrivate, boundTo }: AccessRow): Promise<ProjectAccess | undefined> {
      if (boundTo == null && (role === 'ADMIN' || (memberships === null && !hasPrivate))) return undefined;
      const privates = hasPrivate ? await cached('all', load) : none;
      const entries = Object.entries(memberships ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        boundTo: boundTo ?? undefined,
        memberships: new Map(entries),
        hasPrivate,
        privateIds: privates.ids,
        key: JSON.stringify([boundTo ?? null, entries, privates.generation]),
      };
    },
  };
}
