// The audit trail: recording events in the transaction of what they report, and reading them for admins.

import type { Logger } from 'pino';
import { AppError } from '../../core/errors.js';
import { idFloor, newId } from '../../core/ids.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { AuditEvent, Prisma } from '../../generated/prisma/client.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { newestFirst } from '../../infra/postgres/prisma-page.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditEventFilter } from './audit.input.js';
import { wordOf } from './audit-actions.js';

/** An event to record. Actions are named entity.verb. */
export interface AuditEntry {
  action: string;
  /** SUCCESS by default. */
  outcome?: 'SUCCESS' | 'DENIED' | 'FAILURE';
  /** The user who acted; null for an unknown caller and for the system. */
  actor: { userId: string; email: string } | null;
  /** Name of an actor who is no user: "anonymous" by default. */
  actorLabel?: string;
  targetType?:
    | 'User'
    | 'Session'
    | 'ApiKey'
    | 'TestExecution'
    | 'Project'
    | 'Import'
    | 'Finding'
    | 'Webhook'
    | 'ScimToken'
    | 'ScimGroup';
  /** UUID of the row. */
  targetId?: string;
  changes?: Record<string, unknown>;
}

/** Dependencies of the trail. */
export interface AuditServiceOptions {
  db: Database;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

const order = 'AT';
const insertion = sql`INSERT INTO audit_events (id, at, action, outcome, actor_id, actor_label, target_type, target_id, ip, user_agent, correlation_id, changes)`;
const cursorOf = (row: { id: string }) => encodeCursor(order, { id: row.id });

/** Records and reads audit events. */
export type AuditService = ReturnType<typeof createAuditService>;

/** Creates the service. */
export function createAuditService({ db, log, now }: AuditServiceOptions) {
  const valuesAt = (entry: AuditEntry) => valuesOf(entry, new Date(now()));
  return {
    /**
     * Records an event in the caller's transaction: when the event cannot be written, the change does not happen. After
     * the commit it is logged.
     */
    record(tx: Transaction, entry: AuditEntry): void {
      tx.afterCommit(() => logEvent(log, entry));
      tx.finally(sql`${insertion} VALUES (${valuesAt(entry)})`);
    },

    /** As {@link record}, for what changes nothing: one statement is a transaction. */
    async recordAlone(entry: AuditEntry): Promise<void> {
      await db.query(sql`${insertion} VALUES (${valuesAt(entry)})`);
      logEvent(log, entry);
    },

    /**
     * As {@link record}, within a statement that changes something.
     * @param changed names the changed rows: without one, nothing is recorded
     * @returns the insertion, and a function to call after the commit
     */
    part: (entry: AuditEntry, changed: Sql): { insert: Sql; committed: () => void } => ({
      insert: sql`${insertion} SELECT ${valuesAt(entry)} FROM ${changed}`,
      committed: () => logEvent(log, entry),
    }),

    /** One keyset page, newest first. */
    list: (_viewer: Viewer, filter: AuditEventFilter, args: PageArgs) => listEvents(db, filter, args),

    /** @throws NOT_FOUND */
    async get(_viewer: Viewer, id: string): Promise<AuditEvent> {
      const row = await db.prisma.auditEvent.findUnique({ where: { id } });
      if (row === null) throw new AppError('NOT_FOUND');
      return row;
    },
  };
}

/** Logs an event with ids, but without addresses of people and without the values that changed. */
function logEvent(log: Logger, entry: AuditEntry): void {
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

/** The event with the request's correlation id, address and user agent; the casts are for a SELECT. */
function valuesOf(entry: AuditEntry, at: Date): Sql {
  const request = currentRequest();
  return sql`${newId()}::uuid, ${at}::timestamptz, ${entry.action}::text,
    ${entry.outcome ?? 'SUCCESS'}::audit_outcome, ${entry.actor?.userId ?? null}::uuid,
    ${entry.actor?.email ?? entry.actorLabel ?? 'anonymous'}::text, ${entry.targetType ?? null}::text,
    ${entry.targetId ?? null}::uuid, ${request?.ip ?? null}::text, ${request?.userAgent ?? null}::text,
    ${request?.correlationId ?? 'system'}::text,
    ${entry.changes === undefined ? null : JSON.stringify(entry.changes)}::jsonb`;
}

async function listEvents(db: Database, filter: AuditEventFilter, args: PageArgs): Promise<Page<AuditEvent>> {
  const request = parsePage(args, order);
  const matches = conditionsOf(filter);
  const rows = await db.prisma.auditEvent.findMany(newestFirst(matches, request));
  return toPage(request, rows, cursorOf, () => db.prisma.auditEvent.count({ where: matches }));
}

function conditionsOf({
  action,
  actorId,
  targetId,
  outcome,
  after,
  before,
}: AuditEventFilter): Prisma.AuditEventWhereInput {
  const id = {
    ...(after != null && { gte: idFloor(after.getTime()) }),
    ...(before != null && { lt: idFloor(before.getTime()) }),
  };
  return {
    ...(action != null && { action }),
    ...(actorId != null && { actorId }),
    ...(targetId != null && { targetId }),
    ...(outcome != null && { outcome }),
    ...((after != null || before != null) && { id }),
  };
}
