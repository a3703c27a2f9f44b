// Audits refused access: the caller and the missing right. A flood of refusals fills no table.
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { entryLimit } from '../../infra/entry-limit.js';
import type { RequestContext } from '../../infra/telemetry/request-context.js';
import type { UserService } from '../user/user.service.js';
import type { AuditService } from './audit.service.js';

interface DenialOptions {
  audit: AuditService;
  users: UserService;
  log: Logger;
}

/** Shortest time between two events of one user at one place. */
const repeatAfterMs = 60_000;
/** Events that may wait for the database at a time; the log has the others. */
const maxPending = 100;

/** Returns a listener for refusals of the code FORBIDDEN; `where` is a field's path or a route. */
export function createDenialAudit({ audit, users, log }: DenialOptions) {
  const recent = new LRUCache<string, true>({ ...entryLimit(10_000), ttl: repeatAfterMs });
  let pending = 0;

  const record = async (userId: string, where: string): Promise<void> => {
    const [user] = await users.byIds([userId]);
    if (user == null) return;
    await audit.recordAlone({
      action: 'access.deny',
      outcome: 'DENIED',
      actor: { userId, email: user.email },
      changes: { where },
    });
  };

  return ({ userId }: RequestContext, where = 'request'): void => {
    if (userId === undefined || pending >= maxPending) return;
    const key = `${userId} ${where}`;
    if (recent.has(key)) return;
    recent.set(key, true);
    pending += 1;
    record(userId, where)
      .catch((error: unknown) => log.warn({ event: 'denial_not_audited', err: error }))
      .finally(() => {
        pending -= 1;
      });
  };
}
