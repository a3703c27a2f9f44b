// Ends sessions together with those at the identity provider: back-channel logout, and the URL of the provider's own logout.
import type { JWTPayload } from 'jose';
import { buildEndSessionUrl } from 'openid-client';
import type { Logger } from 'pino';
import type { OidcProvider } from '../../config/oidc-providers.js';
import { AppError } from '../../core/errors.js';
import { useOnce } from '../../infra/oidc/used-tokens.js';
import {
  InvalidTokenError,
  isIdentifier,
  issuerToleranceSeconds,
  verifyIssued,
} from '../../infra/oidc/verify.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import { clientOf, type ProviderOptions } from './provider.js';

/** Dependencies of logouts. */
export interface SsoLogoutOptions extends ProviderOptions {
  db: Database;
  log: Logger;
  audit: AuditService;
  sessions: SessionService;
  providers: readonly OidcProvider[];
  addresses: AddressBudget;
}

/** Ends sessions with the provider's. */
export type SsoLogout = ReturnType<typeof createSsoLogout>;

/** Creates the service. */
export function createSsoLogout(options: SsoLogoutOptions) {
  return {
    /**
     * Ends the sessions that a logout token names (OpenID Connect Back-Channel Logout 1.0), and one-time codes of them.
     * @returns how many sessions ended
     * @throws NOT_FOUND for an unknown provider
     * @throws VALIDATION_FAILED for a token that is not valid, or was used before
     * @throws UNAVAILABLE when the provider's keys cannot be fetched
     * @throws RATE_LIMITED
     */
    endByToken: (providerId: string, token: string) => endByToken(options, providerId, token),

    /**
     * Where the user of an ended session logs out at the provider (OpenID Connect RP-Initiated Logout 1.0).
     * @returns null for a session without a provider, and for a provider without a logout
     */
    urlOf: (sessionId: string) => urlOf(options, sessionId),
  };
}

const eventOfLogout = 'http://schemas.openid.net/event/backchannel-logout';
/** A logout token is for one message at a time. */
const maxAgeSeconds = 120;

async function endByToken(options: SsoLogoutOptions, providerId: string, token: string): Promise<number> {
  const { db, audit, sessions, now } = options;
  const provider = options.providers.find(({ id }) => id === providerId);
  if (provider === undefined)
    throw new AppError('NOT_FOUND', { message: 'There is no such identity provider.' });
  const refund = await options.addresses.spend(currentRequest()?.ip);
  const claims = await verifyLogout(options, provider, token).catch((error: unknown) => {
    if (!(error instanceof InvalidTokenError)) throw error;
    options.log.warn({ event: 'logout_token_refused', provider: provider.id, reason: error.message });
    throw new AppError('VALIDATION_FAILED', { message: 'The logout token is not valid.' });
  });
  const { sub: subject, sid } = claims;
  const of = { issuer: provider.issuer, subject, providerSid: typeof sid === 'string' ? sid : undefined };
  const ended = await db.transaction(async (tx) => {
    const isFirst = await useOnce(
      tx,
      now(),
      `${provider.issuer} ${claims.jti}`,
      2 * issuerToleranceSeconds + maxAgeSeconds,
    );
    if (!isFirst) throw new AppError('VALIDATION_FAILED', { message: 'The logout token was used before.' });
    await tx.query(sql`
      DELETE FROM sign_in_codes USING user_identities i
      WHERE i.id = identity_id AND i.issuer = ${of.issuer} AND (${subject ?? null}::text IS NULL OR i.subject = ${subject ?? null}::text)
        AND (${of.providerSid ?? null}::text IS NULL OR provider_sid = ${of.providerSid ?? null}::text)`);
    const rows = await sessions.revokeOfIdentity(tx, of);
    audit.record(tx, {
      action: 'auth.provider_logout',
      actor: null,
      actorLabel: `identity provider ${provider.id}`,
      ...(rows[0] !== undefined && { targetType: 'User', targetId: rows[0].userId }),
      changes: { revokedSessions: rows.length },
    });
    return rows.length;
  });
  await refund();
  return ended;
}

async function verifyLogout(
  { issuers, now }: SsoLogoutOptions,
  provider: OidcProvider,
  token: string,
): Promise<JWTPayload> {
  const claims = await verifyIssued(token, {
    issuer: provider.issuer,
    audience: provider.clientId,
    keys: issuers.keysOf(provider),
    nowMs: now(),
    maxAgeSeconds,
  });
  const { events, sub, sid, jti } = claims as JWTPayload & { events?: Record<string, unknown> };
  if (typeof events !== 'object' || events === null || typeof events[eventOfLogout] !== 'object')
    throw new InvalidTokenError('no logout token');
  if (claims.nonce !== undefined) throw new InvalidTokenError('a logout token with a nonce');
  if (typeof jti !== 'string' || jti === '') throw new InvalidTokenError('wrong claim jti');
  if ((sub ?? sid) == null || ![sub, sid].every((claim) => claim == null || isIdentifier(claim)))
    throw new InvalidTokenError('wrong claims sub and sid');
  return claims;
}

async function urlOf(options: SsoLogoutOptions, sessionId: string): Promise<string | null> {
  const { db, providers, log } = options;
  // Of this logout and of those everywhere: the tokens of ended sessions are of no more use.
  const [row] = await db.query<{ provider: string; issuer: string; idToken: string | null }>(sql`
    WITH gone AS (
      DELETE FROM session_id_tokens t USING sessions s
      WHERE s.id = t.session_id AND s.revoked_at IS NOT NULL
        AND s.user_id = (SELECT user_id FROM sessions WHERE id = ${sessionId}) RETURNING t.session_id, t.id_token
    )
    SELECT i.provider, i.issuer, gone.id_token AS "idToken" FROM sessions s JOIN user_identities i ON i.id = s.identity_id
    LEFT JOIN gone ON gone.session_id = s.id WHERE s.id = ${sessionId}`);
  const provider = providers.find(({ id, issuer }) => id === row?.provider && issuer === row.issuer);
  if (row === undefined || provider === undefined) return null;
  const client = await clientOf(options, provider).catch((error: unknown) => {
    log.warn({ event: 'identity_provider_down', provider: provider.id, err: error });
  });
  if (client?.serverMetadata().end_session_endpoint === undefined) return null;
  const back = provider.postLogoutRedirectUri;
  return buildEndSessionUrl(client, {
    ...(row.idToken !== null && { id_token_hint: row.idToken }),
    ...(back !== undefined && { post_logout_redirect_uri: back }),
  }).href;
}
