// Checks API keys: who a key belongs to, cached for a second, and when it was last used.
import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../core/errors.js';
import { isUuid } from '../../core/ids.js';
import { type Role, type Viewer, validScopes } from '../../core/permissions.js';
import { createCache } from '../../infra/cache.js';
import type { Database } from '../../infra/postgres/database.js';
import { type AccessRow, accessColumns } from '../../infra/postgres/project-access.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import { createUseNotes } from '../../infra/use-notes.js';
import type { ProjectAccessService } from '../project/access.js';

interface LiveKey {
  secretHash: Buffer;
  viewer: Viewer;
}

interface CheckOptions {
  db: Database;
  events: Events;
  now: () => number;
  metrics: Metrics | undefined;
  /** Loads what a key's owner, or a bound key, sees of projects. */
  access: ProjectAccessService;
}

/** How long an instance trusts a cached key that nobody has announced as ended. */
const trustedMs = 1000;
const keyPattern = /^stk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

/** Creates the checks. */
export function createApiKeyChecks({ db, events, now, metrics, access }: CheckOptions) {
  const live = createCache<LiveKey | undefined>({
    name: 'api_key',
    max: 10_000,
    ttlMs: trustedMs,
    metrics,
    tagsOf: ({ viewer }) => [viewer.userId],
  });
  events.subscribe('key.ended', ({ apiKeyId }) => live.forget(apiKeyId));
  events.subscribe('user.changed', ({ userId }) => live.forgetTag(userId));
  events.subscribe('project.changed', () => live.clear());

  const noteUse = createUseNotes(
    { db, now },
    10_000,
    (id, at) => sql`UPDATE api_keys SET last_used_at = ${at} WHERE id = ${id}`,
  );

  return {
    /** Whether a bearer token has the form of an API key. */
    looksLikeKey: (token: string): boolean => token.startsWith('stk_'),

    /**
     * The owner of a key, with the current role and the key's scopes.
     * @throws UNAUTHENTICATED for unknown, wrong and revoked keys alike
     * @throws TOKEN_EXPIRED
     */
    async check(token: string): Promise<Viewer> {
      const [, hex = '', secret] = keyPattern.exec(token) ?? [];
      const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      const key =
        secret !== undefined && isUuid(id) ? await live(id, () => loadKey(db, access, id)) : undefined;
      const hash = createHash('sha256').update(token).digest();
      if (key === undefined || !timingSafeEqual(key.secretHash, hash))
        throw new AppError('UNAUTHENTICATED', { message: 'The API key is not valid.' });
      if (key.viewer.expiresAtMs <= now())
        throw new AppError('TOKEN_EXPIRED', { message: 'The API key has expired.' });
      noteUse(id);
      return key.viewer;
    },
  };
}

interface KeyRow extends AccessRow {
  secretHash: Buffer;
  scopes: string[];
  expiresAt: string;
  userId: string;
  email: string;
  name: string;
  role: Role;
}

async function loadKey(db: Database, access: ProjectAccessService, id: string): Promise<LiveKey | undefined> {
  const [row] = await db.query<KeyRow>(sql`
    SELECT k.secret_hash AS "secretHash", k.scopes, k.expires_at AS "expiresAt", k.project_id AS "boundTo",
      u.id AS "userId", u.email, u.name, u.role, ${accessColumns}
    FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.id = ${id} AND k.revoked_at IS NULL AND u.status = 'ACTIVE'`);
  if (row === undefined) return undefined;
  const { secretHash, scopes, expiresAt, memberships, hasPrivate, hasDeleted, boundTo, ...user } = row;
  const projects = await access.of(row);
  const expiresAtMs = Date.parse(expiresAt);
  const viewer = { ...user, apiKeyId: id, scopes: validScopes(scopes), expiresAtMs, projects };
  return { secretHash, viewer };
}
