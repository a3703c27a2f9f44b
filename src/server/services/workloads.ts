// Creates the services of workload identity, for the composition root.
import type { ApiKeyService } from '../../features/api-key/api-key.service.js';
import type { AuditService } from '../../features/audit/audit.service.js';
import type { OpeningService } from '../../features/session/create-session.service.js';
import type { SessionService } from '../../features/session/session.service.js';
import { createTokenExchange } from '../../features/workload/exchange.service.js';
import { createWorkloadTrusts } from '../../features/workload/trusts.js';
import type { Infra } from '../../infra/infra.js';
import { createBoundedFetch } from '../../infra/oidc/bounded-fetch.js';
import { createIssuers } from '../../infra/oidc/issuers.js';
import type { Limits } from '../limits.js';

interface Needed {
  limits: Limits;
  audit: AuditService;
  sessions: SessionService;
  opening: OpeningService;
  apiKeys: ApiKeyService;
}

/** Creates them. Issuers come from admins, so inner networks are out of their reach unless a setting allows it. */
export function createWorkloads({ config, db, events, tokens, now }: Infra, needed: Needed) {
  const { limits, audit, sessions, opening, apiKeys } = needed;
  const isPrivateAllowed = config.arePrivateIssuersAllowed;
  const issuers = createIssuers({ fetch: createBoundedFetch(isPrivateAllowed), now });
  return {
    workloadTrusts: createWorkloadTrusts({ db, audit, sessions, apiKeys, isPrivateAllowed, now }),
    tokenExchange: createTokenExchange({
      db,
      events,
      audit,
      issuers,
      isPrivateAllowed,
      tokens,
      opening,
      addresses: limits.tokenExchanges,
      now,
    }),
  };
}
