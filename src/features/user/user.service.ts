// Users: reading them, and the one door to changing them. Signing in is the auth service's matter.

import { AppError } from '../../core/errors.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import { can, type Viewer } from '../../core/permissions.js';
import type { Timing } from '../../core/timeouts.js';
import type { Prisma, User } from '../../generated/prisma/client.js';
import { createCache } from '../../infra/cache.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import { createUserChanges, type UserChangeOptions } from './user.changes.js';
import type { UserFilter } from './user.input.js';

const order = 'CREATED_AT';
const cursorOf = (row: { id: string }) => encodeCursor(order, { id: row.id });

export type UserService = ReturnType<typeof createUserService>;

export function createUserService(
  options: UserChangeOptions & { metrics: Metrics | undefined; timing: Timing },
) {
  const { db, events, metrics, timing } = options;
  const known = createCache<User>({ name: 'user', max: 5000, ttlMs: timing.believeProfileMs, metrics });
  for (const topic of ['user.changed', 'user.signed_in'] as const)
    events.subscribe(topic, ({ userId }) => known.forget(userId));

  /** Users by id, in the order asked; null where there is none. Kept for a while. */
  async function byIds(ids: readonly string[]): Promise<(User | null)[]> {
    const found = await known.many(ids, async (missing) => {
      const rows = await db.prisma.user.findMany({ where: { id: { in: missing } } });
      return new Map(rows.map((row) => [row.id, row]));
    });
    return ids.map((id) => found.get(id) ?? null);
  }

  function conditions(filter: UserFilter): Prisma.UserWhereInput {
    return {
      ...(filter.role != null && { role: filter.role }),
      ...(filter.status != null && { status: filter.status }),
      ...(filter.search != null && {
        OR: [
          { name: { contains: likeText(filter.search), mode: 'insensitive' } },
          { email: { contains: likeText(filter.search), mode: 'insensitive' } },
        ],
      }),
    };
  }

  return {
    ...createUserChanges(options),
    byIds,

    /** One that was looked up within the last ten seconds; undefined for any other. */
    recall: (id: string): User | undefined => known.peek(id),

    /**
     * One user: oneself, or any for those who may read users; others are not there.
     * @throws NOT_FOUND
     */
    async get(viewer: Viewer, id: string): Promise<User> {
      const row = id === viewer.userId || can(viewer, 'user:read') ? (await byIds([id]))[0] : null;
      if (row == null) throw new AppError('NOT_FOUND');
      return row;
    },

    /** Newest first. */
    async list(_viewer: Viewer, filter: UserFilter, args: PageArgs): Promise<Page<User>> {
      const request = parsePage(args, order);
      const matches = conditions(filter);
      const rows = await db.prisma.user.findMany({
        where: {
          AND: [
            matches,
            request.after === null ? {} : { id: { lt: request.after.id } },
            request.before === null ? {} : { id: { gt: request.before.id } },
          ],
        },
        orderBy: { id: request.isBackward ? 'asc' : 'desc' },
        take: request.limit + 1,
      });
      return toPage(request, rows, cursorOf, () => db.prisma.user.count({ where: matches }));
    },

    /** Whether there is no user at all: a new installation. */
    async isEmpty(): Promise<boolean> {
      return (await db.prisma.user.findFirst({ select: { id: true } })) === null;
    },
  };
}

/** Prisma's `contains` leaves LIKE's wildcards in the text alive. */
function likeText(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
