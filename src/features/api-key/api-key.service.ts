// API keys: listing, revoking and checking them, and the entry to the rest. The secret is shown once; only its SHA-256 is stored.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { ApiKey, Prisma } from '../../generated/prisma/client.js';
import { sql } from '../../infra/postgres/sql.js';
import { createApiKeyChecks } from './api-key.checks.js';
import { type Binding, bindToAccount, createKey } from './api-key.creation.js';
import { noticeExpiring, startExpiryNotices } from './api-key.expiry.js';
import type { CreateApiKeyInput, RotateApiKeyInput } from './api-key.input.js';
import { rotateKey } from './api-key.rotation.js';
import type { ApiKeyServiceOptions } from './api-key.storage.js';

/** Prisma's query of the keys of a user: revoked ones last, newest first, at most 50. Keys that work are not crowded out. */
export const newestKeys = {
  orderBy: [{ revokedAt: { sort: 'desc', nulls: 'first' } }, { id: 'desc' }],
  take: 50,
} satisfies Prisma.ApiKeyFindManyArgs;

/** Creates, rotates, lists, revokes and checks keys. */
export type ApiKeyService = ReturnType<typeof createApiKeyService>;

/** Creates the service. */
export function createApiKeyService(options: ApiKeyServiceOptions) {
  const { check, looksLikeKey } = createApiKeyChecks(options);
  return {
    check,
    looksLikeKey,

    /** See {@link createKey}. */
    create: (viewer: Viewer, input: CreateApiKeyInput) => createKey(options, viewer, input),
    /** See {@link bindToAccount}. */
    bindToAccount: (viewer: Viewer, binding: Binding) => bindToAccount(options, viewer, binding),
    /** See {@link rotateKey}. */
    rotate: (viewer: Viewer, input: RotateApiKeyInput) => rotateKey(options, viewer, input),
    /** See {@link noticeExpiring}. */
    noticeExpiring: () => noticeExpiring(options),
    /** See {@link startExpiryNotices}. */
    startExpiryNotices: () => startExpiryNotices(options),

    /**
     * Revokes a key, at once and everywhere: the caller's own, or any for an admin.
     * @throws NOT_FOUND also for keys that the viewer may not see
     */
    revoke: (viewer: Viewer, id: string) => revokeKey(options, viewer, id),
  };
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
