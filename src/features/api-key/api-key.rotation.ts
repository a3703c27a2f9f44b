// Rotates API keys: replaces a key by one with another secret, and ends the old one after an overlap.
import { AppError } from '../../core/errors.js';
import { assertFresh, can, type Viewer } from '../../core/permissions.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { RotateApiKeyInput } from './api-key.input.js';
import {
  type ApiKeyServiceOptions,
  assertLifetime,
  createSecret,
  insertKey,
  keyOf,
  lockOwner,
  maxLifetimeMs,
  type NewKey,
} from './api-key.storage.js';

const dayMinutes = 24 * 60;

/** Live keys of an owner during overlaps, in multiples of the limit: a full owner can rotate all of them, and no chain of rotations grows. */
const overlapFactor = 2;

/**
 * Replaces a key by one with the same name, scopes and project and another secret; the old one ends after the overlap.
 * @throws REAUTHENTICATION_REQUIRED after a sign-in of more than five minutes ago
 * @throws VALIDATION_FAILED for an expiry in the past or more than a year away
 * @throws NOT_FOUND for a key that is neither the viewer's nor, for an admin, a service account's
 * @throws CONFLICT for a key that has ended or has been replaced, and when replaced keys double the limit
 */
export async function rotateKey(
  options: ApiKeyServiceOptions,
  viewer: Viewer,
  { id, overlapMinutes, expiresAt: wanted }: RotateApiKeyInput,
): Promise<NewKey> {
  const { db, events, audit, now } = options;
  assertFresh(viewer, now());
  if (wanted != null) assertLifetime(wanted, now());
  const made = createSecret();
  await db.transaction(async (tx) => {
    const { userId } = await findKey(tx, viewer, id);
    await lockOwner(options, tx, viewer, userId, overlapFactor * options.maxPerUser);
    const at = now();
    const { name, scopes, projectId, createdAtMs, endsAtMs } = await lockLiveKey(tx, id, at);
    const expiresAt = wanted ?? new Date(at + Math.min(endsAtMs - createdAtMs, maxLifetimeMs));
    await insertKey(options, tx, viewer, { ...made, userId, name, scopes, projectId, expiresAt });
    const oldExpiresAt = new Date(Math.min(endsAtMs, at + (overlapMinutes ?? dayMinutes) * 60_000));
    await tx.query(sql`
      UPDATE api_keys SET expires_at = ${oldExpiresAt}, replaced_by_id = ${made.id} WHERE id = ${id}`);
    audit.record(tx, {
      action: 'api_key.rotate',
      actor: viewer,
      targetType: 'ApiKey',
      targetId: id,
      changes: { replacedBy: made.id, expiresAt: oldExpiresAt.toISOString() },
    });
    tx.afterCommit(() => events.publish('key.ended', { apiKeyId: id }));
  });
  return { apiKey: await keyOf(options, made.id), secret: made.secret };
}

/** The viewer's key, or for an admin a service account's: the new secret of a person's key is for that person. @throws NOT_FOUND */
async function findKey(tx: Transaction, viewer: Viewer, id: string): Promise<{ userId: string }> {
  const [key] = await tx.query<{ userId: string; isService: boolean }>(sql`
    SELECT k.user_id AS "userId", u.kind = 'SERVICE' AS "isService"
    FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.id = ${id}`);
  const isReachable =
    key?.userId === viewer.userId || (key?.isService === true && can(viewer, 'user:update'));
  if (key === undefined || !isReachable) throw new AppError('NOT_FOUND');
  return key;
}

interface LiveKey {
  name: string;
  scopes: string[];
  projectId: string | null;
  createdAtMs: number;
  endsAtMs: number;
}

/** Locks the key, after its owner: a deactivation takes the locks in this order. @throws CONFLICT */
async function lockLiveKey(tx: Transaction, id: string, atMs: number): Promise<LiveKey> {
  const [key] = await tx.query<Omit<LiveKey, 'createdAtMs' | 'endsAtMs'> & Record<'from' | 'to', string>>(sql`
    SELECT name, scopes, project_id AS "projectId", created_at AS "from", expires_at AS "to" FROM api_keys
    WHERE id = ${id} AND revoked_at IS NULL AND replaced_by_id IS NULL AND expires_at > ${new Date(atMs)} FOR UPDATE`);
  if (key === undefined)
    throw new AppError('CONFLICT', {
      message: 'This key has ended or has been replaced: create a new one.',
    });
  const { from, to, ...rest } = key;
  return { ...rest, createdAtMs: Date.parse(from), endsAtMs: Date.parse(to) };
}
