// Creates the services of single sign-on, for the composition root.
import type { AuditService } from '../../features/audit/audit.service.js';
import type { ProjectService } from '../../features/project/project.service.js';
import type { OpeningService } from '../../features/session/create-session.service.js';
import type { SessionService } from '../../features/session/session.service.js';
import { createSsoAccounts } from '../../features/sso/accounts.js';
import { createSsoDevice } from '../../features/sso/device/sso.device.js';
import { createGrants } from '../../features/sso/grants.js';
import { createGroupMappings } from '../../features/sso/group-mappings.js';
import { createSsoLogout } from '../../features/sso/sso.logout.js';
import { createSsoService, type SsoServiceOptions } from '../../features/sso/sso.service.js';
import type { UserService } from '../../features/user/user.service.js';
import type { Infra } from '../../infra/infra.js';
import { createBoundedFetch } from '../../infra/oidc/bounded-fetch.js';
import { createIssuers } from '../../infra/oidc/issuers.js';
import type { Limits } from '../limits.js';

interface Needed {
  limits: Limits;
  audit: AuditService;
  sessions: SessionService;
  users: UserService;
  projects: ProjectService;
  opening: OpeningService;
  issue: SsoServiceOptions['issue'];
  proveSecondFactor: SsoServiceOptions['proveSecondFactor'];
}

/** Creates them. Without OIDC_PROVIDERS they know no provider, and answer NOT_FOUND. */
export function createSingleSignOn({ config, db, log, tokens, now }: Infra, needed: Needed) {
  const { limits, audit, sessions, users, projects, opening, issue, proveSecondFactor } = needed;
  const providers = config.oidcProviders ?? [];
  const fetch = createBoundedFetch(true); // issuers come from the settings
  const asking = { fetch, issuers: createIssuers({ fetch, now }), now };
  const groupMappings = createGroupMappings({ db, audit, now, providers });
  const base = { ...asking, db, log, audit, providers, addresses: limits.singleSignOns };
  const grants = createGrants({ users, projects, log, breakGlassAdmin: config.breakGlassAdmin });
  const accounts = createSsoAccounts({ db, log, users, grants, groupMappings, now });
  const redeeming = { opening, issue, proveSecondFactor, verifyDevice: tokens.verifyDevice };
  const signingIn = { ...base, ...redeeming, accounts, corsOrigins: config.corsOrigins };
  return {
    groupMappings,
    grants,
    sso: createSsoService(signingIn),
    ssoDevice: createSsoDevice(signingIn),
    ssoLogout: createSsoLogout({ ...base, sessions }),
    signInWays: { hasPasswords: config.isPasswordSignInEnabled },
    publicPlace: { publicUrl: config.publicUrl, isProxied: config.trustProxyHops > 0 },
  };
}
