// Trust rules that admins keep: which workloads get tokens, for which service account, how far. exchange.ts applies them.
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { assertFresh, isScopeInProject, type Viewer } from '../../core/permissions.js';
import type { WorkloadTrust } from '../../generated/prisma/client.js';
import { faultOfUrl } from '../../infra/network-addresses.js';
import type { Database, SqlRow, Transaction } from '../../infra/postgres/database.js';
import { violates } from '../../infra/postgres/errors.js';
import { sql } from '../../infra/postgres/sql.js';
import type { ApiKeyService } from '../api-key/api-key.service.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SessionService } from '../session/session.service.js';
import { type ClaimPattern, tooWide } from './claims.js';
import type { CreateWorkloadTrustInput, UpdateWorkloadTrustInput } from './workload.input.js';

/** A trust rule as it is read; timestamps are RFC 3339. */
export type TrustRow = Omit<SqlRow<WorkloadTrust>, 'claims'> & { claims: ClaimPattern[] };

/** Dependencies of keeping rules. */
export interface TrustOptions {
  db: Database;
  audit: AuditService;
  sessions: SessionService;
  /** Checks the service account and project of a rule, as for a key. */
  apiKeys: Pick<ApiKeyService, 'bindToAccount'>;
  /** Whether issuers may use http and be in inner networks. */
  isPrivateAllowed: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Rules that admins may keep. */
export const maxTrusts = 200;
const defaultLifetimeSeconds = 900;

/** Columns of {@link TrustRow} for a statement whose rules are `t`. */
export const trustColumns = sql`
  t.id, t.name, t.issuer, t.audience, t.claims, t.user_id AS "userId", t.project_id AS "projectId", t.scopes,
  t.lifetime_seconds AS "lifetimeSeconds", t.is_enabled AS "isEnabled", t.created_at AS "createdAt",
  t.last_used_at AS "lastUsedAt"`;

/** Keeps rules. */
export type WorkloadTrusts = ReturnType<typeof createWorkloadTrusts>;

/** Creates the service. */
export function createWorkloadTrusts(options: TrustOptions) {
  return {
    /** All rules by name. */
    list: () =>
      options.db.query<TrustRow>(
        sql`SELECT ${trustColumns} FROM workload_trusts t ORDER BY t.name, t.id LIMIT ${maxTrusts}`,
      ),

    /**
     * Creates a rule.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws VALIDATION_FAILED for a rule that is too wide, an issuer that must not be asked, and scopes beyond the project
     * @throws NOT_FOUND for an unknown service account or project
     * @throws CONFLICT for a name that is taken, and beyond the limit
     */
    create: (viewer: Viewer, input: CreateWorkloadTrustInput) =>
      named(() => createTrust(options, viewer, input)),

    /**
     * Changes a rule, and ends the tokens that it has issued.
     * @throws as `create`
     */
    update: (viewer: Viewer, input: UpdateWorkloadTrustInput) =>
      named(() => updateTrust(options, viewer, input)),

    /** Deletes a rule, and ends the tokens that it has issued. @throws NOT_FOUND */
    remove: (viewer: Viewer, id: string) => removeTrust(options, viewer, id),
  };
}

/** @throws CONFLICT for a name that is taken */
function named<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    if (!violates(error, 'workload_trusts_name_key')) throw error;
    throw new AppError('CONFLICT', { message: 'Another trust rule has this name.' });
  });
}

async function createTrust(
  options: TrustOptions,
  viewer: Viewer,
  input: CreateWorkloadTrustInput,
): Promise<TrustRow> {
  const { db, audit, apiKeys, now } = options;
  const { name, issuer, audience, claims, serviceAccountId, project, scopes } = input;
  assertFresh(viewer, now());
  assertIssuer(issuer, options.isPrivateAllowed);
  assertNarrow({ issuer, audience, claims });
  const { id: userId, projectId } = await apiKeys.bindToAccount(viewer, {
    serviceAccountId,
    project,
    scopes,
  });
  const id = newId();
  const lifetimeSeconds = input.lifetimeSeconds ?? defaultLifetimeSeconds;
  return db.transaction(async (tx) => {
    // Against other additions at the same time.
    await tx.query(sql`LOCK TABLE workload_trusts IN SHARE ROW EXCLUSIVE MODE`);
    await assertRoom(tx);
    await tx.query(sql`
      INSERT INTO workload_trusts (id, name, issuer, audience, claims, user_id, project_id, scopes, lifetime_seconds, created_at)
      VALUES (${id}, ${name}, ${issuer}, ${audience}, ${JSON.stringify(claims)}::jsonb, ${userId}, ${projectId}, ${scopes},
        ${lifetimeSeconds}, ${new Date(now())})`);
    audit.record(tx, {
      action: 'workload_trust.create',
      actor: viewer,
      targetType: 'User',
      targetId: userId,
      changes: {
        name,
        issuer,
        audience,
        claims,
        scopes,
        lifetimeSeconds,
        ...(projectId !== null && { project }),
      },
    });
    return find(tx, id);
  });
}

async function updateTrust(
  options: TrustOptions,
  viewer: Viewer,
  { id, ...given }: UpdateWorkloadTrustInput,
): Promise<TrustRow> {
  const { db, audit, sessions, now } = options;
  assertFresh(viewer, now());
  return db.transaction(async (tx) => {
    const before = await lock(tx, id);
    const changes = Object.fromEntries(Object.entries(given).filter(([, value]) => value != null));
    const after: TrustRow = { ...before, ...changes };
    assertNarrow(after);
    assertScopes(after);
    await tx.query(sql`
      UPDATE workload_trusts SET name = ${after.name}, audience = ${after.audience},
        claims = ${JSON.stringify(after.claims)}::jsonb, scopes = ${after.scopes},
        lifetime_seconds = ${after.lifetimeSeconds}, is_enabled = ${after.isEnabled} WHERE id = ${id}`);
    const ended = await sessions.revokeByTrust(tx, id);
    audit.record(tx, {
      action: 'workload_trust.update',
      actor: viewer,
      targetType: 'User',
      targetId: before.userId,
      changes: { rule: before.name, ...changes, revokedSessions: ended.length },
    });
    return find(tx, id);
  });
}

async function removeTrust({ db, audit, sessions }: TrustOptions, viewer: Viewer, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    const { name, issuer, audience, claims, userId } = await lock(tx, id);
    const ended = await sessions.revokeByTrust(tx, id);
    await tx.query(sql`DELETE FROM workload_trusts WHERE id = ${id}`);
    audit.record(tx, {
      action: 'workload_trust.delete',
      actor: viewer,
      targetType: 'User',
      targetId: userId,
      changes: { name, issuer, audience, claims, revokedSessions: ended.length },
    });
  });
}

/** Locks a rule: a session that it opens at this moment is there before the lock, or not at all. @throws NOT_FOUND */
async function lock(tx: Transaction, id: string): Promise<TrustRow> {
  const [row] = await tx.query<TrustRow>(
    sql`SELECT ${trustColumns} FROM workload_trusts t WHERE t.id = ${id} FOR UPDATE`,
  );
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}

async function find(tx: Transaction, id: string): Promise<TrustRow> {
  const [row] = await tx.query<TrustRow>(
    sql`SELECT ${trustColumns} FROM workload_trusts t WHERE t.id = ${id}`,
  );
  return row as TrustRow;
}

/** @throws VALIDATION_FAILED */
function assertIssuer(issuer: string, isPrivateAllowed: boolean): void {
  const fault = faultOfUrl(issuer, isPrivateAllowed);
  if (fault !== undefined) throw invalid('input.issuer', fault);
  if (issuer.includes('?')) throw invalid('input.issuer', 'must not contain a query');
}

/** Tokens with this audience are what GitHub issues to every action that asks for none. */
const defaultOfGitHub = /^https:\/\/github\.com(?:\/|$)/i;

/** @throws VALIDATION_FAILED for patterns that let in too much, and for an audience that a platform gives by itself */
function assertNarrow({ issuer, audience, claims }: Pick<TrustRow, 'issuer' | 'audience' | 'claims'>): void {
  const isDefault = defaultOfGitHub.test(audience) || withoutSlash(audience) === withoutSlash(issuer);
  if (isDefault)
    throw invalid('input.audience', 'is one that the platform gives to tokens for itself: name this server');
  const fault = tooWide(claims);
  if (fault === undefined) return;
  throw invalid(
    fault.index === undefined ? 'input.claims' : `input.claims.${fault.index}.pattern`,
    fault.message,
  );
}

const withoutSlash = (url: string): string => url.replace(/\/$/, '');

/** @throws VALIDATION_FAILED */
function assertScopes({ scopes, projectId }: Pick<TrustRow, 'scopes' | 'projectId'>): void {
  const foreign = projectId === null ? [] : scopes.filter((scope) => !isScopeInProject(scope));
  if (foreign.length > 0)
    throw invalid('input.scopes', `names ${foreign.join(', ')}, which a token of one project cannot have`);
}

/** @throws CONFLICT */
async function assertRoom(tx: Transaction): Promise<void> {
  const [row] = await tx.query<{ count: number }>(sql`SELECT count(*)::int AS count FROM workload_trusts`);
  if ((row?.count ?? 0) >= maxTrusts)
    throw new AppError('CONFLICT', { message: `There are ${maxTrusts} trust rules, which is the maximum.` });
}
