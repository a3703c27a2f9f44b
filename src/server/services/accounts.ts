// Creates the services of accounts: users, their sessions, keys and second factors, and every way to sign in and out.
import { relyingPartyOf } from '../../config/relying-party.js';
import { defaultTiming } from '../../core/timeouts.js';
import { createApiKeyService } from '../../features/api-key/api-key.service.js';
import type { AuditService } from '../../features/audit/audit.service.js';
import { createAuthService } from '../../features/auth/auth.service.js';
import { createCredentialsService } from '../../features/auth/credentials.service.js';
import { createPasswordService } from '../../features/auth/password.service.js';
import { createSecondFactorService } from '../../features/auth/second-factor.service.js';
import { createSignInService } from '../../features/auth/sign-in.service.js';
import { createSignOutService } from '../../features/auth/sign-out.service.js';
import type { MailService } from '../../features/mail/mail.service.js';
import { createPasskeyService } from '../../features/passkey/passkey.service.js';
import type { ProjectAccessService } from '../../features/project/access.js';
import type { ProjectService } from '../../features/project/project.service.js';
import { createOpeningService } from '../../features/session/create-session.service.js';
import { createSessionService } from '../../features/session/session.service.js';
import type { SsoLogout } from '../../features/sso/sso.logout.js';
import {
  createPasswordLinkService,
  type PasswordLinkService,
} from '../../features/user/password-link.service.js';
import { createUserService } from '../../features/user/user.service.js';
import { reportExpiringKeys } from '../../features/webhook/webhook.events.js';
import type { Infra } from '../../infra/infra.js';
import { createPasswordRule } from '../../validation/password-rule.js';
import type { Limits } from '../limits.js';
import { createMails, createResets } from './mails.js';
import { createScim } from './scim.js';
import { createSingleSignOn } from './single-sign-on.js';
import { createWorkloads } from './workloads.js';

/** The services that accounts are built on. */
export interface AccountParts {
  audit: AuditService;
  access: ProjectAccessService;
  projects: ProjectService;
  limits: Limits;
}

/** Creates the services that manage accounts and authenticate requests. */
export function createAccountServices(infra: Infra, { audit, access, projects, limits }: AccountParts) {
  const { config, db, events, log, now } = infra;
  const links = createPasswordLinkService({ now });
  const mails = createMails(infra, links);
  const { sessions, opening } = createSessions(infra, { access, audit, mails });
  const users = createUsers(infra, { sessions, audit, projects, links, mails });
  const apiKeys = createApiKeys(infra, { audit, access, projects, mails });
  const secondFactors = createSecondFactorService({
    db,
    events,
    audit,
    now,
    issuer: 'SEC-TESTER',
    attempts: limits.secondFactors,
    key: config.secondFactorKey === undefined ? undefined : Buffer.from(config.secondFactorKey, 'base64'),
  });
  const passkeys = createPasskeyService({
    db,
    events,
    audit,
    log,
    secondFactors,
    party: relyingPartyOf(config),
    mayHavePassword: ruleOf(infra),
    providerIds: (config.oidcProviders ?? []).map(({ id }) => id),
    addresses: limits.passkeys,
    now,
  });
  const single = createSingleSignOn(infra, {
    limits,
    audit,
    sessions,
    users,
    projects,
    opening,
    issue: (opened) => auth.issue(opened),
    proveSecondFactor: (account, factor) => auth.proveSecondFactor(account, factor),
  });
  const { ssoLogout, groupMappings, grants } = single;
  const parts = {
    audit,
    sessions,
    opening,
    users,
    links,
    mails,
    apiKeys,
    secondFactors,
    passkeys,
    ssoLogout,
  };
  const auth = createAuthentication(infra, limits, parts);
  const workloads = createWorkloads(infra, { limits, audit, sessions, opening, apiKeys });
  const scim = createScim(infra, { limits, audit, users, groupMappings, grants });
  return { ...single, ...workloads, scim, sessions, users, apiKeys, secondFactors, passkeys, auth, mails };
}

function createSessions(
  infra: Infra,
  { access, audit, mails }: { access: ProjectAccessService; audit: AuditService; mails: MailService },
) {
  const { config, db, events, metrics, now, timing = defaultTiming } = infra;
  const bounds = { idleTtlSeconds: config.refreshIdleTtlSeconds, maxPerUser: config.sessionsMaxPerUser };
  const sessions = createSessionService({
    ...bounds,
    db,
    events,
    now,
    metrics,
    timing,
    access,
    rolesWithSecondFactor: config.secondFactorRoles,
  });
  const opening = createOpeningService({
    ...bounds,
    db,
    events,
    audit,
    sessions,
    mails,
    now,
    ttlSeconds: config.sessionTtlSeconds,
    maxAtOnce: config.loginMaxFailures,
  });
  return { sessions, opening };
}

type Sessions = ReturnType<typeof createSessions>;

interface UserParts {
  sessions: Sessions['sessions'];
  audit: AuditService;
  projects: ProjectService;
  links: PasswordLinkService;
  mails: MailService;
}

function createUsers(infra: Infra, parts: UserParts) {
  const { config, db, events, passwords, metrics, now, timing = defaultTiming } = infra;
  return createUserService({
    ...parts,
    db,
    events,
    passwords,
    now,
    metrics,
    timing,
    passwordMinLength: config.passwordMinLength,
    isPasswordChangeRequired: config.isPasswordChangeRequired,
    mayHavePassword: ruleOf(infra),
  });
}

const ruleOf = ({ config }: Infra) =>
  createPasswordRule(config.isPasswordSignInEnabled, config.breakGlassAdmin);

type AuthenticationParts = Sessions &
  Pick<UserParts, 'audit' | 'links' | 'mails'> & {
    users: ReturnType<typeof createUsers>;
    apiKeys: ReturnType<typeof createApiKeyService>;
    secondFactors: ReturnType<typeof createSecondFactorService>;
    passkeys: ReturnType<typeof createPasskeyService>;
    ssoLogout: SsoLogout;
  };

function createApiKeys(
  { config, db, events, log, metrics, now }: Infra,
  { mails, ...parts }: Omit<AccountParts, 'limits'> & { mails: MailService },
) {
  return createApiKeyService({
    ...parts,
    db,
    events,
    now,
    metrics,
    reportExpiringKeys: async (tx, keyIds, at) => {
      await reportExpiringKeys(tx, keyIds, at);
      await mails.reportExpiringKeys(tx, keyIds, at);
    },
    log,
    maxPerUser: config.apiKeysMaxPerUser,
  });
}

function createAuthentication(infra: Infra, limits: Limits, parts: AuthenticationParts) {
  const { config, db, events, tokens, passwords, now } = infra;
  const { audit, sessions, opening, users, links, mails, apiKeys, secondFactors, passkeys, ssoLogout } =
    parts;
  const credentials = createCredentialsService({ db, audit, mails, now });
  const signIns = createSignInService({
    db,
    tokens,
    passwords,
    credentials,
    opening,
    secondFactors,
    passkeys,
    mayHavePassword: ruleOf(infra),
    accounts: limits.accounts,
    addresses: limits.addresses,
  });
  const passwordChanges = createPasswordService({
    db,
    events,
    passwords,
    audit,
    credentials,
    sessions,
    users,
    links,
    now,
    passwordMinLength: config.passwordMinLength,
    mayHavePassword: ruleOf(infra),
    attempts: limits.passwordChanges,
    accounts: limits.accounts,
    addresses: limits.addresses,
  });
  return createAuthService({
    db,
    tokens,
    audit,
    sessions,
    users,
    apiKeys,
    signIns,
    signOuts: createSignOutService({ db, audit, sessions, users, logoutUrlOf: ssoLogout.urlOf }),
    passwordChanges,
    requestReset: createResets(infra, { ...parts, credentials, limits, mayHavePassword: ruleOf(infra) }),
    now,
    refreshes: limits.refreshes,
    accessTokenTtlSeconds: config.accessTokenTtlSeconds,
  });
}
