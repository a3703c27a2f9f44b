// API keys: creating, revoking and checking them. The secret is shown once; only its SHA-256 is stored.
import { createHash, randomBytes } from 'node:crypto';
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { assertFresh, isScopeInProject, type Viewer } from '../../core/permissions.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ProjectAccessService } from '../project/access.js';
import type { ProjectService } from '../project/project.service.js';
import { createApiKeyChecks } from './api-key.checks.js';
import type { CreateApiKeyInput } from './api-key.input.js';

/** What keys are stored and checked with. */
export interface ApiKeyServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  /** Milliseconds since 1970. */
  now: () => number;
  metrics: Metrics | undefined;
  /** Loads what a key's owner, or a bound key, sees of projects. */
  access: ProjectAccessService;
  projects: ProjectService;
  /** Keys that one user may have; revoked and expired ones do not count. */
  maxPerUser: number;
}

const maxLifetimeMs = 366 * 86_400_000;
/** Prisma's query of the keys of a user: newest first, at most 50. */
export const newestKeys = { orderBy: { id: 'desc' }, take: 50 } as const;

/** Creates, lists, revokes and checks keys. */
export type ApiKeyService = ReturnType<typeof createApiKeyService>;

/** Creates the service. */
export function createApiKeyService(options: ApiKeyServiceOptions) {
  const { check, looksLikeKey } = createApiKeyChecks(options);
  return {
    check,
    looksLikeKey,

    /**
     * Creates a key for the viewer.
     * @returns the key and its secret, which is not stored
     * @throws REAUTHENTICATION_REQUIRED after a sign-in of more than five minutes ago
     * @throws VALIDATION_FAILED for an expiry in the past or more than a year away
     * @throws NOT_FOUND for a project that the viewer may not see
     * @throws CONFLICT when the user has as many keys as allowed
     */
    create: (viewer: Viewer, input: CreateApiKeyInput) => createKey(options, viewer, input),

    /**
     * Revokes a key, at once and everywhere: the caller's own, or any for an admin.
     * @throws NOT_FOUND also for keys that the viewer may not see
     */
    revoke: (viewer: Viewer, id: string) => revokeKey(options, viewer, id),
  };
}

async function createKey(
  options: ApiKeyServiceOptions,
  viewer: Viewer,
  { name, scopes, project, expiresAt }: CreateApiKeyInput,
): Promise<{ apiKey: ApiKey; secret: string }> {
  const { db, audit, now } = options;
  assertFresh(viewer, now());
  const lifetimeMs = expiresAt.getTime() - now();
  if (lifetimeMs <= 0) throw invalid('input.expiresAt', 'must be in the future');
  if (lifetimeMs > maxLifetimeMs) throw invalid('input.expiresAt', 'must be at most a year from now');
  const projectId = project == null ? null : await bindingOf(options, viewer, scopes, project);
  const id = newId();
  const prefix = `stk_${id.replaceAll('-', '')}`;
  const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
  const secretHash = createHash('sha256').update(secret).digest();
  await db.transaction(async (tx) => {
    await assertRoom(options, tx, viewer.userId);
    await tx.query(sql`
      INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, project_id, expires_at, created_at)
      VALUES (${id}, ${viewer.userId}, ${name}, ${prefix}, ${secretHash}, ${scopes}, ${projectId}, ${expiresAt},
        ${new Date(now())})`);
    audit.record(tx, {
      action: 'api_key.create',
      actor: viewer,
      targetType: 'ApiKey',
      targetId: id,
      changes: { name, scopes, ...(project != null && { project }), expiresAt: expiresAt.toISOString() },
    });
  });
  return { apiKey: await db.prisma.apiKey.findUniqueOrThrow({ where: { id } }), secret };
}

/**
 * The project that a new key is bound to.
 * @throws NOT_FOUND
 * @throws VALIDATION_FAILED for scopes on what belongs to no project
 */
async function bindingOf(
  { projects }: ApiKeyServiceOptions,
  viewer: Viewer,
  scopes: readonly string[],
  key: string,
): Promise<string> {
  const foreign = scopes.filter((scope) => !isScopeInProject(scope));
  if (foreign.length > 0)
    throw invalid('input.scopes', `names ${foreign.join(', ')}, which a key of one project cannot have`);
  return (await projects.getByKey(viewer, key)).id;
}

/** Locks the user, so that racing creations meet here. @throws CONFLICT */
async function assertRoom(
  { maxPerUser, now }: ApiKeyServiceOptions,
  tx: Transaction,
  userId: string,
): Promise<void> {
  await tx.query(sql`SELECT id FROM users WHERE id = ${userId} FOR UPDATE`);
  const [row] = await tx.query<{ count: number }>(sql`
    SELECT count(*)::int AS count FROM api_keys
    WHERE user_id = ${userId} AND revoked_at IS NULL AND expires_at > ${new Date(now())}`);
  if ((row?.count ?? 0) >= maxPerUser)
    throw new AppError('CONFLICT', {
      message: `You have ${maxPerUser} API keys, the most that are allowed: revoke one first.`,
    });
}

async function revokeKey(
  { db, events, audit, now }: ApiKeyServiceOptions,
  viewer: Viewer,
  id: string,
): Promise<ApiKey> {
  const key = await db.prisma.apiKey.findUnique({ where: { id } });
  if (key === null || (key.userId !== viewer.userId && viewer.role !== 'ADMIN'))
    throw new AppError('NOT_FOUND');
  await db.transaction(async (tx) => {
    const ended = await tx.query(
      sql`UPDATE api_keys SET revoked_at = ${new Date(now())} WHERE id = ${id} AND revoked_at IS NULL RETURNING id`,
    );
    if (ended.length === 0) return;
    audit.record(tx, { action: 'api_key.revoke', actor: viewer, targetType: 'ApiKey', targetId: id });
    tx.afterCommit(() => events.publish('key.ended', { apiKeyId: id }));
  });
  return db.prisma.apiKey.findUniqueOrThrow({ where: { id } });
}
