// The audit trail: recording inside the transaction of what is told, and reading for admins.
import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import { idFloor, newId } from '../../core/ids.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { AuditEvent, Prisma } from '../../generated/prisma/client.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditEventFilter } from './audit.input.js';
import { wordOf } from './audit-actions.js';

/** Something that happened. Action names are entity.verb. */
export interface AuditEntry {
  action: string;
  outcome?: 'SUCCESS' | 'DENIED' | 'FAILURE';
  /** Who did it; null for nobody known and for the system. */
  actor: { userId: string; email: string } | null;
  /** How the actor is called when there is none: "anonymous" unless given. */
  actorLabel?: string;
  targetType?: 'User' | 'Session' | 'ApiKey' | 'TestExecution';
  /** UUID of the row. */
  targetId?: string;
  changes?: Record<string, unknown>;
}

const order = 'AT';
const insertion = sql`INSERT INTO audit_events (id, at, action, outcome, actor_id, actor_label, target_type, target_id, ip, user_agent, correlation_id, changes)`;
const cursorOf = (row: { id: string }) => encodeCursor(order, { id: row.id });

export type AuditService = ReturnType<typeof createAuditService>;

export function createAuditService({ db, log, now }: { db: Database; log: Logger; now: () => number }) {
  /** The event as a line of the log: ids, but neither addresses of people nor what was changed to what. */
  function logEvent(entry: AuditEntry): void {
    const { action, outcome = 'SUCCESS', actor, targetType, targetId, changes } = entry;
    log[outcome === 'SUCCESS' ? 'info' : 'warn']({
      event: wordOf(action, outcome, changes),
      action,
      outcome,
      ...(actor !== null && { actorId: actor.userId }),
      ...(targetId !== undefined && { targetType, targetId }),
      ip: currentRequest()?.ip,
    });
  }

  /** The event with the request's correlation id, address and user agent; the types are for a SELECT. */
  function valuesOf(entry: AuditEntry): Sql {
    const request = currentRequest();
    return sql`${newId()}::uuid, ${new Date(now())}::timestamptz, ${entry.action}::text,
      ${entry.outcome ?? 'SUCCESS'}::audit_outcome, ${entry.actor?.userId ?? null}::uuid,
      ${entry.actor?.email ?? entry.actorLabel ?? 'anonymous'}::text, ${entry.targetType ?? null}::text,
      ${entry.targetId ?? null}::uuid, ${request?.ip ?? null}::text, ${request?.userAgent ?? null}::text,
      ${request?.correlationId ?? 'system'}::text,
      ${entry.changes === undefined ? null : JSON.stringify(entry.changes)}::jsonb`;
  }

  /** Writes the event in the caller's transaction: when it cannot be written, what it tells of does not happen. */
  function record(tx: Transaction, entry: AuditEntry): void {
    tx.afterCommit(() => logEvent(entry));
    tx.finally(sql`${insertion} VALUES (${valuesOf(entry)})`);
  }

  function conditions(filter: AuditEventFilter): Prisma.AuditEventWhereInput {
    return {
      ...(filter.action != null && { action: filter.action }),
      ...(filter.actorId != null && { actorId: filter.actorId }),
      ...(filter.targetId != null && { targetId: filter.targetId }),
      ...(filter.outcome != null && { outcome: filter.outcome }),
      ...((filter.after != null || filter.before != null) && {
        id: {
          ...(filter.after != null && { gte: idFloor(filter.after.getTime()) }),
          ...(filter.before != null && { lt: idFloor(filter.before.getTime()) }),
        },
      }),
    };
  }

  return {
    /** Once it is committed the event is logged too. */
    record,

    /** As {@link record}, for what changes nothing: one statement is a transaction. */
    async recordAlone(entry: AuditEntry): Promise<void> {
      await db.query(sql`${insertion} VALUES (${valuesOf(entry)})`);
      logEvent(entry);
    },

    /**
     * As {@link record}, within a statement that changes something.
     * @param changed names what that gives: without a row of it nothing is written
     * @returns the insertion, and what to call once it is committed
     */
    part: (entry: AuditEntry, changed: Sql): { insert: Sql; committed: () => void } => ({
      insert: sql`${insertion} SELECT ${valuesOf(entry)} FROM ${changed}`,
      committed: () => logEvent(entry),
    }),

    /** Newest first. */
    async list(_viewer: Viewer, filter: AuditEventFilter, args: PageArgs): Promise<Page<AuditEvent>> {
      const request = parsePage(args, order);
      const matches = conditions(filter);
      const rows = await db.prisma.auditEvent.findMany({
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
      return toPage(request, rows, cursorOf, () => db.prisma.auditEvent.count({ where: matches }));
    },

    /** @throws NOT_FOUND */
    async get(_viewer: Viewer, id: string): Promise<AuditEvent> {
      const row = await db.prisma.auditEvent.findUnique({ where: { id } });
      if (row === null) throw new AppError('NOT_FOUND');
      return row;
    },
  };
}
