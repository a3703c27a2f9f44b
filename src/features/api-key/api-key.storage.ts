// Stores new API keys: only the SHA-256 of the secret, for an active owner who has room. Who may have one is decided before.
import { createHash, randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ProjectAccessService } from '../project/access.js';
import type { ProjectService } from '../project/project.service.js';
import type { ReportExpiringKeys } from '../webhook/webhook.events.js';

/** Dependencies of storing and checking keys. */
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
  /** Reports to webhooks that keys are about to end. */
  reportExpiringKeys: ReportExpiringKeys;
  log: Logger;
  /** Keys that one user may have; revoked and expired ones do not count. */
  maxPerUser: number;
}

/** Longest life of a key, in milliseconds. */
export const maxLifetimeMs = 366 * 86_400_000;

/** @throws VALIDATION_FAILED for an expiry in the past or more than a year away */
export function assertLifetime(expiresAt: Date, nowMs: number): void {
  const lifetimeMs = expiresAt.getTime() - nowMs;
  if (lifetimeMs <= 0) throw invalid('input.expiresAt', 'must be in the future');
  if (lifetimeMs > maxLifetimeMs) throw invalid('input.expiresAt', 'must be at most a year from now');
}

/** A key and its secret, which is not stored. */
export interface NewKey {
  apiKey: ApiKey;
  secret: string;
}

/** The id of a new key, its secret, and the secret's first characters. */
export function createSecret(): { id: string; prefix: string; secret: string } {
  const id = newId();
  const prefix = `stk_${id.replaceAll('-', '')}`;
  return { id, prefix, secret: `${prefix}_${randomBytes(32).toString('base64url')}` };
}

/** A key that was stored. */
export const keyOf = ({ db }: ApiKeyServiceOptions, id: string): Promise<ApiKey> =>
  db.prisma.apiKey.findUniqueOrThrow({ where: { id } });

/**
 * Locks the owner of a new key until the transaction ends: racing creations meet here, and a deactivation, which revokes the
 * owner's keys, misses none.
 * @param max live keys that the owner may have afterwards
 * @throws TOKEN_REVOKED, or NOT_FOUND for a service account, when the owner was deactivated or deleted meanwhile
 * @throws CONFLICT when the owner has as many keys as allowed
 */
export async function lockOwner(
  { now }: ApiKeyServiceOptions,
  tx: Transaction,
  viewer: Viewer,
  userId: string,
  max: number,
): Promise<void> {
  const isOwn = viewer.userId === userId;
  const [owner] = await tx.query<{ status: string }>(
    sql`SELECT status FROM users WHERE id = ${userId} FOR UPDATE`,
  );
  if (owner?.status !== 'ACTIVE') throw isOwn ? new AppError('TOKEN_REVOKED') : noServiceAccount();
  const [row] = await tx.query<{ count: number }>(sql`
    SELECT count(*)::int AS count FROM api_keys
    WHERE user_id = ${userId} AND revoked_at IS NULL AND expires_at > ${new Date(now())}`);
  if ((row?.count ?? 0) >= max)
    throw new AppError('CONFLICT', {
      message: `${isOwn ? 'You have' : 'The service account has'} ${max} API keys already, which is the maximum: revoke one first.`,
    });
}

/** NOT_FOUND for what is no service account, or none that is active. */
export function noServiceAccount(): AppError {
  return new AppError('NOT_FOUND', { message: 'There is no active service account with this id.' });
}

interface KeyToStore extends ReturnType<typeof createSecret> {
  userId: string;
  name: string;
  scopes: readonly string[];
  projectId: string | null;
  expiresAt: Date;
}

/** Stores a key, with its audit event. */
export async function insertKey(
  { audit, now }: ApiKeyServiceOptions,
  tx: Transaction,
  viewer: Viewer,
  { id, prefix, secret, userId, name, scopes, projectId, expiresAt }: KeyToStore,
): Promise<void> {
  const hash = createHash('sha256').update(secret).digest();
  await tx.query(sql`
    INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, project_id, expires_at, created_at)
    VALUES (${id}, ${userId}, ${name}, ${prefix}, ${hash}, ${[...scopes]}, ${projectId}, ${expiresAt}, ${new Date(now())})`);
  audit.record(tx, {
    action: 'api_key.create',
    actor: viewer,
    targetType: 'ApiKey',
    targetId: id,
    changes: {
      name,
      scopes,
      ...(projectId !== null && { projectId }),
      ...(userId !== viewer.userId && { serviceAccountId: userId }),
      expiresAt: expiresAt.toISOString(),
    },
  });
}
