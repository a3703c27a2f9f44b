// Creates API keys, for the caller or a service account, and replaces them by keys with another secret.
import { createHash, randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import { assertFresh, can, isScopeInProject, type Viewer } from '../../core/permissions.js';
import type { ApiKey } from '../../generated/prisma/client.js';
import type { Database, Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { Events } from '../../infra/redis/message-bus.js';
import type { Metrics } from '../../infra/telemetry/metrics.js';
import type { AuditService } from '../audit/audit.service.js';
import type { ProjectAccessService } from '../project/access.js';
import type { ProjectService } from '../project/project.service.js';
import type { ReportExpiringKeys } from '../webhook/webhook.events.js';
import type { CreateApiKeyInput, RotateApiKeyInput } from './api-key.input.js';

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
  /** Reports to webhooks that keys are about to end. */
  reportExpiringKeys: ReportExpiringKeys;
  log: Logger;
  /** Keys that one user may have; revoked and expired ones do not count. */
  maxPerUser: number;
}

const dayMinutes = 24 * 60;
const maxLifetimeMs = 366 * 86_400_000;

/** A key and its secret, which is not stored. */
export interface NewKey {
  apiKey: ApiKey;
  secret: string;
}

/** Whose key it is to be, and the only project that it may reach. */
interface Owner {
  id: string;
  projectId: string | null;
}

/**
 * Creates a key, for the viewer or, by an admin, for a service account.
 * @throws REAUTHENTICATION_REQUIRED after a sign-in of more than five minutes ago
 * @throws VALIDATION_FAILED for an expiry in the past or more than a year away, and for scopes that the project's keys cannot have
 * @throws NOT_FOUND for a project or a service account that the viewer may not see
 * @throws CONFLICT when the owner has as many keys as allowed
 */
export async function createKey(
  options: ApiKeyServiceOptions,
  viewer: Viewer,
  input: CreateApiKeyInput,
): Promise<NewKey> {
  const { db, now } = options;
  assertFresh(viewer, now());
  assertLifetime(input.expiresAt, now());
  const owner = await ownerOf(options, viewer, input.serviceAccountId ?? null);
  const projectId = await bindingOf(options, viewer, owner, input);
  const { name, scopes, expiresAt } = input;
  const made = secretOf(newId());
  await db.transaction(async (tx) => {
    await assertRoom(options, tx, owner.id, viewer.userId === owner.id);
    await insertKey(options, tx, viewer, { ...made, owner, name, scopes, projectId, expiresAt });
  });
  return { apiKey: await keyOf(options, made.id), secret: made.secret };
}

/**
 * Replaces a key by one with the same name, scopes and project and another secret; the old one ends after the overlap.
 * @throws REAUTHENTICATION_REQUIRED after a sign-in of more than five minutes ago
 * @throws VALIDATION_FAILED for an expiry in the past or more than a year away
 * @throws NOT_FOUND for a key that is neither the viewer's nor, for an admin, a service account's
 * @throws CONFLICT for a key that has ended or has been replaced
 */
export async function rotateKey(
  options: ApiKeyServiceOptions,
  viewer: Viewer,
  { id, overlapMinutes, expiresAt: wanted }: RotateApiKeyInput,
): Promise<NewKey> {
  const { db, events, audit, now } = options;
  assertFresh(viewer, now());
  if (wanted != null) assertLifetime(wanted, now());
  const made = secretOf(newId());
  await db.transaction(async (tx) => {
    const old = await lockKey(tx, viewer, id);
    const at = now();
    const endsAt = Date.parse(old.expiresAt);
    if (old.isEnded || old.isReplaced || endsAt <= at)
      throw new AppError('CONFLICT', {
        message: 'This key has ended or has been replaced: create a new one.',
      });
    const lastsMs = Math.min(endsAt - Date.parse(old.createdAt), maxLifetimeMs);
    const expiresAt = wanted ?? new Date(at + lastsMs);
    const { name, scopes, projectId } = old;
    await insertKey(options, tx, viewer, {
      ...made,
      owner: { id: old.userId, projectId },
      name,
      scopes,
      projectId,
      expiresAt,
    });
    const oldExpiresAt = new Date(Math.min(endsAt, at + (overlapMinutes ?? dayMinutes) * 60_000));
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

function assertLifetime(expiresAt: Date, nowMs: number): void {
  const lifetimeMs = expiresAt.getTime() - nowMs;
  if (lifetimeMs <= 0) throw invalid('input.expiresAt', 'must be in the future');
  if (lifetimeMs > maxLifetimeMs) throw invalid('input.expiresAt', 'must be at most a year from now');
}

function secretOf(id: string) {
  const prefix = `stk_${id.replaceAll('-', '')}`;
  const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
  return { id, prefix, secret };
}

const keyOf = ({ db }: ApiKeyServiceOptions, id: string) =>
  db.prisma.apiKey.findUniqueOrThrow({ where: { id } });

/** The viewer, or a service account: a key of another person would be a way into the account. @throws NOT_FOUND */
async function ownerOf(
  { db }: ApiKeyServiceOptions,
  viewer: Viewer,
  serviceAccountId: string | null,
): Promise<Owner> {
  if (serviceAccountId === null) return { id: viewer.userId, projectId: null };
  const account = can(viewer, 'user:update')
    ? await db.prisma.user.findUnique({ where: { id: serviceAccountId, kind: 'SERVICE', status: 'ACTIVE' } })
    : null;
  if (account === null)
    throw new AppError('NOT_FOUND', { message: 'There is no active service account with this id.' });
  return account;
}

/**
 * The project that a new key is bound to: the service account's, or the one that the caller chooses.
 * @throws NOT_FOUND
 * @throws VALIDATION_FAILED for another project than the account's, and for scopes on what belongs to no project
 */
async function bindingOf(
  { projects }: ApiKeyServiceOptions,
  viewer: Viewer,
  owner: Owner,
  { scopes, project: key }: CreateApiKeyInput,
): Promise<string | null> {
  if (key == null && owner.projectId === null) return null;
  const foreign = scopes.filter((scope) => !isScopeInProject(scope));
  if (foreign.length > 0)
    throw invalid('input.scopes', `names ${foreign.join(', ')}, which a key of one project cannot have`);
  const chosen = key == null ? owner.projectId : (await projects.getByKey(viewer, key)).id;
  if (owner.projectId !== null && chosen !== owner.projectId)
    throw invalid('input.project', 'is not the project of the service account');
  return chosen;
}

/** Locks the owner, so that racing creations meet here. @throws CONFLICT */
async function assertRoom(
  { maxPerUser, now }: ApiKeyServiceOptions,
  tx: Transaction,
  userId: string,
  isOwn: boolean,
): Promise<void> {
  await tx.query(sql`SELECT id FROM users WHERE id = ${userId} FOR UPDATE`);
  const [row] = await tx.query<{ count: number }>(sql`
    SELECT count(*)::int AS count FROM api_keys
    WHERE user_id = ${userId} AND revoked_at IS NULL AND expires_at > ${new Date(now())}`);
  if ((row?.count ?? 0) >= maxPerUser)
    throw new AppError('CONFLICT', {
      message: `${isOwn ? 'You have' : 'The service account has'} ${maxPerUser} API keys already, which is the maximum: revoke one first.`,
    });
}

interface KeyToStore {
  id: string;
  prefix: string;
  secret: string;
  owner: Owner;
  name: string;
  scopes: readonly string[];
  projectId: string | null;
  expiresAt: Date;
}

async function insertKey(
  { audit, now }: ApiKeyServiceOptions,
  tx: Transaction,
  viewer: Viewer,
  { id, prefix, secret, owner, name, scopes, projectId, expiresAt }: KeyToStore,
): Promise<void> {
  const hash = createHash('sha256').update(secret).digest();
  await tx.query(sql`
    INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, project_id, expires_at, created_at)
    VALUES (${id}, ${owner.id}, ${name}, ${prefix}, ${hash}, ${[...scopes]}, ${projectId}, ${expiresAt}, ${new Date(now())})`);
  audit.record(tx, {
    action: 'api_key.create',
    actor: viewer,
    targetType: 'ApiKey',
    targetId: id,
    changes: {
      name,
      scopes,
      ...(projectId !== null && { projectId }),
      ...(owner.id !== viewer.userId && { serviceAccountId: owner.id }),
      expiresAt: expiresAt.toISOString(),
    },
  });
}

interface LockedKey {
  userId: string;
  name: string;
  scopes: string[];
  projectId: string | null;
  createdAt: string;
  expiresAt: string;
  isEnded: boolean;
  isReplaced: boolean;
}

/** The viewer's key, or for an admin a service account's: the new secret of a person's key is for that person. @throws NOT_FOUND */
async function lockKey(tx: Transaction, viewer: Viewer, id: string): Promise<LockedKey> {
  const [key] = await tx.query<LockedKey & { isService: boolean }>(sql`
    SELECT k.user_id AS "userId", k.name, k.scopes, k.project_id AS "projectId", k.created_at AS "createdAt",
      k.expires_at AS "expiresAt", k.revoked_at IS NOT NULL AS "isEnded", k.replaced_by_id IS NOT NULL AS "isReplaced",
      u.kind = 'SERVICE' AS "isService"
    FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.id = ${id} FOR UPDATE OF k`);
  const isReachable =
    key?.userId === viewer.userId || (key?.isService === true && can(viewer, 'user:update'));
  if (key === undefined || !isReachable) throw new AppError('NOT_FOUND');
  return key;
}
