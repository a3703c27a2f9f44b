// Creates the services of the audit trail: recording entries, and sealing them against later changes.
import { createAuditService } from '../../features/audit/audit.service.js';
import { createAuditHeadKeeper } from '../../features/audit/audit-head.js';
import { createSealService } from '../../features/audit/seal.service.js';
import type { Infra } from '../../infra/infra.js';

/** Creates the audit service and the seals on its entries. */
export function createAuditTrail({ config, db, log, now }: Infra) {
  const { auditHeadFile: file, auditHeadWebhook: webhook } = config;
  return {
    audit: createAuditService({ db, log, now }),
    seals: createSealService({
      db,
      log,
      now,
      everySeconds: config.auditSealEverySeconds,
      key: config.auditSealKey,
      keepHead: createAuditHeadKeeper({ log, file, webhook }),
    }),
  };
}
