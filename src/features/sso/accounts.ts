// Admits users whom an identity provider has proved: finds the account, gives what the groups give, and makes the code.
import type { Logger } from 'pino';
import type { OidcProvider } from '../../config/oidc-providers.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import { displayNameOf } from '../../validation/display-name.js';
import type { IdentityOwner, IdentityRefusal, ProvedIdentity } from '../user/user.identities.js';
import type { UserService } from '../user/user.service.js';
import type { Grants } from './grants.js';
import type { GroupMappings } from './group-mappings.js';
import { groupsOf, type Mapping } from './groups.js';
import type { Proved } from './provider.js';
import { type StartedSignIn, storeCode } from './states.js';

/** Dependencies of admitting users. */
export interface SsoAccountOptions {
  db: Database;
  log: Logger;
  users: UserService;
  grants: Grants;
  groupMappings: GroupMappings;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A one-time code, or why there is none. */
export type Admission = { code: string } | { refusal: IdentityRefusal };

/** The values that a one-time code is bound to. */
type CodeBinding = Pick<StartedSignIn, 'browserHash' | 'codeChallenge'>;

/** Admits proved users. */
export type SsoAccounts = ReturnType<typeof createSsoAccounts>;

/** Creates the admission. */
export function createSsoAccounts(options: SsoAccountOptions) {
  return {
    /** Mappings of a provider's groups: those of the settings and those of admins. */
    mappingsOf: (provider: OidcProvider): Promise<Mapping[]> => options.groupMappings.of(provider.id),

    /** Finds or makes the account, gives it what the groups give, and makes a one-time code; all of it or nothing. */
    async admit(
      provider: OidcProvider,
      mappings: readonly Mapping[],
      proved: Proved,
      started: CodeBinding,
    ): Promise<Admission> {
      const work = () =>
        options.db.transaction((tx) => admitIn(options, tx, provider, mappings, proved, started));
      return work().catch((error: unknown) => {
        // The same user's other first sign-in was faster: now there is an account to find.
        if (violates(error, 'user_identities_issuer_subject_key') || violates(error, 'users_email_key_key'))
          return work();
        throw error;
      });
    },
  };
}

async function admitIn(
  options: SsoAccountOptions,
  tx: Transaction,
  provider: OidcProvider,
  mappings: readonly Mapping[],
  proved: Proved,
  { browserHash, codeChallenge }: CodeBinding,
): Promise<Admission> {
  const found = await options.users.identities.find(tx, identityOf(provider, proved), provider);
  if (typeof found === 'string') return { refusal: found };
  await giveGrants(options, tx, provider, mappings, proved, found);
  const code = storeCode(tx, options.now(), {
    id: found.userId,
    provider: provider.id,
    identityId: found.identityId,
    providerSid: proved.providerSid,
    isMultiFactor: provider.trustSecondFactor || isMultiFactor(proved.claims.amr),
    idToken: proved.idToken,
    browserHash,
    codeChallenge,
  });
  return { code };
}

/** Whether the provider says that it asked for more than one factor (RFC 8176). */
const isMultiFactor = (amr: unknown): boolean => Array.isArray(amr) && amr.includes('mfa');

/** A proved user as accounts are looked up by. */
export function identityOf(
  provider: Pick<OidcProvider, 'id' | 'issuer'>,
  { claims, subject }: Pick<Proved, 'claims' | 'subject'>,
): ProvedIdentity {
  const name = typeof claims.name === 'string' ? displayNameOf(claims.name) : undefined;
  return {
    provider: provider.id,
    issuer: provider.issuer,
    subject,
    email: typeof claims.email === 'string' ? claims.email : undefined,
    isEmailVerified: claims.email_verified === true || claims.email_verified === 'true',
    name: name || undefined,
    directoryIds: [subject, ...entraIdsOf(provider, claims)],
  };
}

/** Entra's `sub` is another one for each application; its directory has the object id. */
function entraIdsOf({ issuer }: Pick<OidcProvider, 'issuer'>, { oid }: Proved['claims']): string[] {
  const isEntra = /^https:\/\/login\.(microsoftonline\.(com|us)|partner\.microsoftonline\.cn)\//.test(issuer);
  return isEntra && typeof oid === 'string' ? [oid] : [];
}

async function giveGrants(
  options: SsoAccountOptions,
  tx: Transaction,
  provider: OidcProvider,
  mappings: readonly Mapping[],
  { claims }: Proved,
  owner: IdentityOwner,
): Promise<void> {
  if (mappings.length === 0)
    return options.grants.give(tx, provider.id, mappings, groupsOf(claims, provider.groupsClaim), owner);
  // A directory's change of these groups is over, or waits here and then sees the role that they have given.
  const [locked] = await tx.query<Pick<IdentityOwner, 'role'>>(
    sql`SELECT role FROM users WHERE id = ${owner.userId} FOR NO KEY UPDATE`,
  );
  // A directory that pushes groups knows them better than a token, which may have none.
  const pushed = await options.grants.pushed(tx, provider.id, owner.userId);
  const groups = pushed ?? groupsOf(claims, provider.groupsClaim);
  if (groups.state !== 'GIVEN')
    options.log.warn(
      { event: 'identity_groups_missing', provider: provider.id, userId: owner.userId, state: groups.state },
      'the provider sent no groups',
    );
  await options.grants.give(tx, provider.id, mappings, groups, { ...owner, ...locked });
}
