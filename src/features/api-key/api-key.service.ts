// API keys: making, revoking and checking them. The secret is shown once; only its SHA-256 is kept.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError, invalid } from '../../core/errors.js';
import { isUuid, newId } from '../../core/ids.js';
import { assertFresh, keyScopes, type Role, type Viewer } from '../../core/permissions.js';
import { type ApiKey, Prisma } from '../../generated/prisma/client.js';
import { createCache } from '../../infra/cache.js';
import type { Database, SqlRow } from '../../infra/postgres/database.js';
import { columnsOf, fetchOfEach, sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { AuditService } from '../audit/audit.service.js';
import type { CreateApiKeyInput } from './api-key.input.js';

export type ApiKeyRow = SqlRow<ApiKey>;

interface ApiKeyServiceOptions {
  db: Database;
  events: Events;
  audit: AuditService;
  now: () => number;
  metrics: Metrics | undefined;
}

interface LiveKey {
  secretHash: Buffer;
  viewer: Viewer;
}

/** How long an instance believes what it knows of a key without having been told otherwise. */
const believedMs = 1000;
/** How often the last use of a key is written down, at most. */
const usedEveryMs = 60_000;
const maxLifetimeMs = 366 * 86_400_000;
const maxKeys = 100;
const columns = columnsOf(Prisma.ApiKeyScalarFieldEnum);
const keyPattern = /^stk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

const hashOf = (secret: string) => createHash('sha256').update(secret).digest();

export type ApiKeyService = ReturnType<typeof createApiKeyService>;

export function createApiKeyService({ db, events, audit, now, metrics }: ApiKeyServiceOptions) {
  const live = createCache<LiveKey | undefined>({
    name: 'api_key',
    max: 10_000,
    ttlMs: believedMs,
    metrics,
    tagsOf: ({ viewer }) => [viewer.userId],
  });
  const usedAt = new LRUCache<string, number>({ max: 10_000 });
  events.subscribe('key.ended', ({ apiKeyId }) => live.forget(apiKeyId));
  events.subscribe('user.changed', ({ userId }) => live.forgetTag(userId));

  async function load(id: string): Promise<LiveKey | undefined> {
    const [row] = await db.query<{
      secretHash: Buffer;
      scopes: string[];
      expiresAt: string;
      userId: string;
      email: string;
      name: string;
      role: Role;
    }>(sql`
      SELECT k.secret_hash AS "secretHash", k.scopes, k.expires_at AS "expiresAt", u.id AS "userId", u.email, u.name, u.role
      FROM api_keys k JOIN users u ON u.id = k.user_id
      WHERE k.id = ${id} AND k.revoked_at IS NULL AND u.status = 'ACTIVE'`);
    if (row === undefined) return undefined;
    const { secretHash, scopes, expiresAt, ...user } = row;
    // Scopes that are no longer offered count for nothing.
    const known = new Set(scopes.filter((name) => (keyScopes as string[]).includes(name)));
    const viewer = { ...user, apiKeyId: id, scopes: known, expiresAtMs: Date.parse(expiresAt) };
    return { secretHash, viewer };
  }

  /** Writes down the use, at most once a minute and beside the request; a lost note harms nobody. */
  function noteUse(id: string): void {
    const at = now();
    if (at - (usedAt.get(id) ?? 0) < usedEveryMs) return;
    usedAt.set(id, at);
    db.query(sql`UPDATE api_keys SET last_used_at = ${new Date(at)} WHERE id = ${id}`).catch(() =>
      usedAt.delete(id),
    );
  }

  return {
    /** Keys of each user, newest first; at most 100. */
    async listOfEach(userIds: readonly string[]): Promise<ApiKeyRow[][]> {
      const select = sql`
        SELECT ${columns} FROM api_keys WHERE user_id = parent.id ORDER BY api_keys.id DESC LIMIT ${maxKeys}`;
      const byUser = await fetchOfEach<ApiKeyRow>(db.query, userIds, select, (row) => row.userId);
      return userIds.map((id) => byUser.get(id) ?? []);
    },

    /**
     * Makes a key for the viewer.
     * @returns the key and its secret, which is not kept
     * @throws REAUTHENTICATION_REQUIRED after a sign-in that is not fresh
     * @throws VALIDATION_FAILED for an expiry that is past or more than a year away
     * @throws CONFLICT beyond 100 keys that are not revoked
     */
    async create(viewer: Viewer, input: CreateApiKeyInput): Promise<{ apiKey: ApiKey; secret: string }> {
      assertFresh(viewer, now());
      const lifetimeMs = input.expiresAt.getTime() - now();
      if (lifetimeMs <= 0) throw invalid('input.expiresAt', 'must be in the future');
      if (lifetimeMs > maxLifetimeMs) throw invalid('input.expiresAt', 'must be at most a year from now');
      const id = newId();
      const prefix = `stk_${id.replaceAll('-', '')}`;
      const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
      await db.transaction(async (tx) => {
        await tx.query(sql`SELECT id FROM users WHERE id = ${viewer.userId} FOR UPDATE`);
        const [row] = await tx.query<{ count: number }>(
          sql`SELECT count(*)::int AS count FROM api_keys WHERE user_id = ${viewer.userId} AND revoked_at IS NULL`,
        );
        if ((row?.count ?? 0) >= maxKeys)
          throw new AppError('CONFLICT', { message: 'Revoke a key first: 100 are the limit.' });
        await tx.query(sql`
          INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, expires_at, created_at)
          VALUES (${id}, ${viewer.userId}, ${input.name}, ${prefix}, ${hashOf(secret)}, ${input.scopes},
            ${input.expiresAt}, ${new Date(now())})`);
        audit.record(tx, {
          action: 'api_key.create',
          actor: viewer,
          targetType: 'ApiKey',
          targetId: id,
          changes: { name: input.name, scopes: input.scopes, expiresAt: input.expiresAt.toISOString() },
        });
      });
      return { apiKey: await db.prisma.apiKey.findUniqueOrThrow({ where: { id } }), secret };
    },

    /**
     * Revokes a key, at once and everywhere: one's own, or anyone's for an admin.
     * @throws NOT_FOUND also for keys that the viewer may not see
     */
    async revoke(viewer: Viewer, id: string): Promise<ApiKey> {
      const key = await db.prisma.apiKey.findUnique({ where: { id } });
      if (key === null || (key.userId !== viewer.userId && viewer.role !== 'ADMIN'))
        throw new AppError('NOT_FOUND');
      await db.transaction(async (tx) => {
        const ended = await tx.query(
          sql`UPDATE api_keys SET revoked_at = ${new Date(now())} WHERE id = ${id} AND revoked_at IS NULL RETURNING id`,
        );
        if (ended.length === 0) return;
        audit.record(tx, {
          action: 'api_key.revoke',
          actor: viewer,
          targetType: 'ApiKey',
          targetId: id,
        });
        tx.afterCommit(() => events.publish('key.ended', { apiKeyId: id }));
      });
      return db.prisma.apiKey.findUniqueOrThrow({ where: { id } });
    },

    /** Whether a bearer token is meant as an API key. */
    looksLikeKey: (token: string): boolean => token.startsWith('stk_'),

    /**
     * Who a key belongs to, with the role of this moment and the key's scopes.
     * @throws UNAUTHENTICATED for unknown, wrong and revoked keys alike
     * @throws TOKEN_EXPIRED
     */
    async check(token: string): Promise<Viewer> {
      const [, hex = '', secret] = keyPattern.exec(token) ?? [];
      const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      const key = secret !== undefined && isUuid(id) ? await live(id, () => load(id)) : undefined;
      if (key === undefined || !timingSafeEqual(key.secretHash, hashOf(token))) {
        throw new AppError('UNAUTHENTICATED', { message: 'The API key is not valid.' });
      }
      if (key.viewer.expiresAtMs <= now())
        throw new AppError('TOKEN_EXPIRED', { message: 'The API key has expired.' });
      noteUse(id);
      return key.viewer;
    },
  };
}
