// Exchanges the token of a workload, of a CI job say, for a token of a service account (RFC 8693), where a trust rule allows it.
import type { JWTPayload } from 'jose';
import { AppError, invalid } from '../../core/errors.js';
import type { Tokens } from '../../infra/credentials/jwt.js';
import type { Issuers } from '../../infra/oidc/issuers.js';
import { useOnce } from '../../infra/oidc/used-tokens.js';
import { InvalidTokenError, verifyIssued } from '../../infra/oidc/verify.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { Events } from '../../infra/redis/message-bus.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { AuditService } from '../audit/audit.service.js';
import type { OpeningService } from '../session/create-session.service.js';
import { claimText, isMatch } from './claims.js';
import {
  audienceOf,
  described,
  maxAgeSeconds,
  nameOf,
  plain,
  secondsLeft,
  unprovedClaimsOf,
} from './subject-token.js';
import { maxTrusts, type TrustRow, trustColumns } from './trusts.js';
import type { ExchangeInput } from './workload.input.js';

/** Dependencies of exchanging tokens. */
export interface ExchangeOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  issuers: Issuers;
  /** Whether issuers may use http. */
  isPrivateAllowed: boolean;
  tokens: Tokens;
  opening: Pick<OpeningService, 'openForWorkload'>;
  /** Attempts by address. */
  addresses: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A token of a service account. */
export interface Exchanged {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
  scopes: readonly string[];
}

/** Exchanges tokens of workloads. */
export type TokenExchange = ReturnType<typeof createTokenExchange>;

/** Creates the service. */
export function createTokenExchange(options: ExchangeOptions) {
  return {
    /**
     * Opens a session of a service account, which is never refreshed, for a token that a trust rule accepts; each token once.
     * @throws SUBJECT_TOKEN_REFUSED for any other token; the audit trail has the reason
     * @throws VALIDATION_FAILED for scopes that the rule does not have, and for another audience than the token's
     * @throws UNAVAILABLE while the issuer does not answer
     * @throws RATE_LIMITED also for a rule with too many live tokens
     */
    async exchange(input: ExchangeInput): Promise<Exchanged> {
      const refund = await options.addresses.spend(currentRequest()?.ip);
      try {
        const exchanged = await exchange(options, input);
        await refund();
        return exchanged;
      } catch (error) {
        const { cause } = error as Error;
        const fault = error instanceof InvalidTokenError ? error : cause;
        if (error instanceof AppError && error.code === 'VALIDATION_FAILED')
          await recordRefusal(options, input.subjectToken, error.message);
        if (!(fault instanceof InvalidTokenError)) throw error;
        await recordRefusal(options, input.subjectToken, fault.message);
        throw new AppError('SUBJECT_TOKEN_REFUSED', { cause: fault });
      }
    },
  };
}

async function exchange(
  options: ExchangeOptions,
  { subjectToken, audience, scope }: ExchangeInput,
): Promise<Exchanged> {
  const { claims, rules } = await verify(options, subjectToken);
  if (audience != null && audience !== audienceOf(claims))
    throw invalid('audience', 'is not the audience of the subject token');
  const wanted = scope?.split(' ').filter((name) => name !== '') ?? [];
  const rule = choose(rules, claims, wanted);
  const issuedAt = Math.floor(options.now() / 1000);
  const expiresAt = issuedAt + rule.lifetimeSeconds;
  const { userId } = rule;
  const scopes = wanted.length === 0 ? rule.scopes : [...new Set(wanted)];
  const sessionId = await options.db.transaction((tx) =>
    openSession(options, tx, { rule, scopes, claims, expiresAt, name: nameOf(subjectToken, claims) }),
  );
  const accessToken = options.tokens.signWorkloadAccess({ userId, sessionId, issuedAt, expiresAt });
  return { accessToken, expiresIn: rule.lifetimeSeconds, scopes };
}

interface Grant {
  rule: TrustRow;
  scopes: readonly string[];
  claims: JWTPayload;
  /** Seconds since 1970. */
  expiresAt: number;
  /** The token's name among used ones. */
  name: string;
}

/** All of it or nothing: a token counts as used exactly when it has opened a session. */
async function openSession(
  { opening, events, audit, now }: ExchangeOptions,
  tx: Transaction,
  { rule, scopes, claims, expiresAt, name }: Grant,
): Promise<string> {
  const at = now();
  const account = await lockAccount(tx, rule, at);
  if (account === undefined || !(await lockRule(tx, rule, at))) throw refused('the rule has just changed');
  if (!(await useOnce(tx, at, name, secondsLeft(claims, at)))) throw refused('the token was used before');
  const { id: trustId, userId } = rule;
  const id = await opening.openForWorkload(tx, at, {
    userId,
    trustId,
    scopes,
    expiresAtMs: expiresAt * 1000,
  });
  if (id === undefined)
    throw new AppError('RATE_LIMITED', {
      message: 'The trust rule has too many live tokens.',
      retryAfterSeconds: 60,
    });
  audit.record(tx, {
    action: 'auth.token_exchange',
    actor: { userId, email: account.email },
    targetType: 'Session',
    targetId: id,
    changes: { rule: rule.name, scopes, ...described(claims, rule.claims) },
  });
  tx.afterCommit(() => events.publish('user.signed_in', { userId }));
  return id;
}

/** A refusal within a transaction, whose other errors count as faults of the database. */
const refused = (reason: string) =>
  new AppError('SUBJECT_TOKEN_REFUSED', { cause: new InvalidTokenError(reason) });

/**
 * The claims of a valid token, and the rules of its issuer. No other issuer is ever asked for its keys.
 * @throws InvalidTokenError
 * @throws UNAVAILABLE
 */
async function verify(
  { db, issuers, isPrivateAllowed, now }: ExchangeOptions,
  token: string,
): Promise<{ claims: JWTPayload; rules: TrustRow[] }> {
  const { iss: issuer, ...unproved } = unprovedClaimsOf(token);
  const audience = audienceOf(unproved);
  const rules = typeof issuer === 'string' ? await rulesOf(db, issuer) : [];
  if (typeof issuer !== 'string' || rules.length === 0)
    throw new InvalidTokenError('no enabled rule names the issuer');
  if (audience === undefined || !rules.some((rule) => rule.audience === audience))
    throw new InvalidTokenError('no rule of the issuer names the audience, or the token has several');
  const keys = issuers.keysOf({ issuer, allowInsecure: isPrivateAllowed });
  const claims = await verifyIssued(token, { issuer, audience, keys, nowMs: now(), maxAgeSeconds });
  return { claims, rules };
}

/** Enabled rules of an issuer whose account is active and whose project is there, oldest first. */
function rulesOf(db: Database, issuer: string): Promise<TrustRow[]> {
  return db.query<TrustRow>(sql`
    SELECT ${trustColumns} FROM workload_trusts t JOIN users u ON u.id = t.user_id
    LEFT JOIN projects p ON p.id = COALESCE(t.project_id, u.project_id)
    WHERE t.issuer = ${issuer} AND t.is_enabled AND u.status = 'ACTIVE' AND p.deleted_at IS NULL
    ORDER BY t.id LIMIT ${maxTrusts}`);
}

/**
 * The oldest rule that accepts the token and has the wanted scopes.
 * @throws InvalidTokenError, VALIDATION_FAILED
 */
function choose(rules: readonly TrustRow[], claims: JWTPayload, wanted: readonly string[]): TrustRow {
  const accepting = rules.filter(
    (rule) => rule.audience === audienceOf(claims) && isMatch(rule.claims, claims),
  );
  if (accepting.length === 0) throw new InvalidTokenError('no rule matches the claims');
  const found = accepting.find(({ scopes }) => wanted.every((name) => scopes.includes(name)));
  if (found === undefined) throw invalid('scope', 'names a permission that the trust rule does not give');
  return found;
}

async function lockAccount(tx: Transaction, { userId }: TrustRow, atMs: number) {
  const [account] = await tx.query<{ email: string }>(sql`
    UPDATE users SET last_login_at = ${new Date(atMs)} WHERE id = ${userId} AND status = 'ACTIVE' RETURNING email`);
  return account;
}

/** Notes the rule's use, while it is still what it was. */
async function lockRule(tx: Transaction, rule: TrustRow, atMs: number): Promise<boolean> {
  const [locked] = await tx.query(sql`
    UPDATE workload_trusts SET last_used_at = ${new Date(atMs)}
    WHERE id = ${rule.id} AND is_enabled AND audience = ${rule.audience} AND claims = ${JSON.stringify(rule.claims)}::jsonb
      AND scopes = ${rule.scopes} AND lifetime_seconds = ${rule.lifetimeSeconds} RETURNING id`);
  return locked !== undefined;
}

function recordRefusal({ audit }: ExchangeOptions, token: string, reason: string): Promise<void> {
  let unproved: JWTPayload = {};
  try {
    unproved = unprovedClaimsOf(token);
  } catch {
    // The reason says so.
  }
  return audit.recordAlone({
    action: 'auth.token_exchange',
    outcome: 'FAILURE',
    actor: null,
    actorLabel: 'unknown workload',
    changes: {
      reason,
      unproved: { issuer: plain(claimText(unproved, 'iss')), subject: plain(claimText(unproved, 'sub')) },
    },
  });
}
