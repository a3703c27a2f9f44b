// SCIM tokens: creating, listing and revoking them. The secret is shown once; only its SHA-256 is stored.
import { createHash, randomBytes } from 'node:crypto';
import { scimOnly } from '../../../config/oidc-providers.js';
import { AppError, invalid } from '../../../core/errors.js';
import { newId } from '../../../core/ids.js';
import { assertFresh, type Viewer } from '../../../core/permissions.js';
import type { ScimToken } from '../../../generated/prisma/client.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { AuditService } from '../../audit/audit.service.js';
import type { GroupMappings } from '../../sso/group-mappings.js';
import type { CreateScimTokenInput } from '../scim.input.js';
import { createScimTokenCheck, type ScimTokenCheckOptions } from './token.checks.js';

/** Dependencies of keeping tokens. */
export interface ScimTokenOptions extends ScimTokenCheckOptions {
  audit: AuditService;
  groupMappings: GroupMappings;
}

/** Tokens that may be in force at once. */
export const maxTokens = 50;

/** A token and its secret, which is not stored. */
export interface NewScimToken {
  scimToken: ScimToken;
  secret: string | null;
}

/** Keeps and checks tokens. */
export type ScimTokenService = ReturnType<typeof createScimTokenService>;

/** Creates the service. */
export function createScimTokenService(options: ScimTokenOptions) {
  const { db } = options;
  return {
    /** See {@link createScimTokenCheck}. */
    check: createScimTokenCheck(options),

    /** The tokens: revoked ones last, newest first, as many as may be in force. */
    list: () =>
      db.prisma.scimToken.findMany({
        orderBy: [{ revokedAt: { sort: 'desc', nulls: 'first' } }, { id: 'desc' }],
        take: maxTokens,
      }),

    /**
     * Creates a token.
     * @throws REAUTHENTICATION_REQUIRED after a sign-in of more than five minutes ago
     * @throws VALIDATION_FAILED for an unknown provider and an expiry in the past
     * @throws CONFLICT beyond the limit
     */
    create: (viewer: Viewer, input: CreateScimTokenInput) => createToken(options, viewer, input),

    /** Revokes a token, at once and everywhere; users and groups of its directory stay. @throws NOT_FOUND */
    revoke: (viewer: Viewer, id: string) => revokeToken(options, viewer, id),
  };
}

async function createToken(
  { db, audit, groupMappings, now }: ScimTokenOptions,
  viewer: Viewer,
  { name, provider, mayAdopt, expiresAt }: CreateScimTokenInput,
): Promise<NewScimToken> {
  assertFresh(viewer, now());
  const of = provider ?? scimOnly;
  if (!groupMappings.hasProvider(of))
    throw invalid('input.provider', `is neither an identity provider in the settings nor "${scimOnly}"`);
  if (expiresAt != null && expiresAt.getTime() <= now())
    throw invalid('input.expiresAt', 'must be in the future');
  const id = newId();
  const prefix = `sts_${id.replaceAll('-', '')}`;
  const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
  const hash = createHash('sha256').update(secret).digest();
  const at = new Date(now());
  await db.transaction(async (tx) => {
    // Against other creations at the same time.
    await tx.query(sql`LOCK TABLE scim_tokens IN SHARE ROW EXCLUSIVE MODE`);
    const [row] = await tx.query<{ count: number }>(sql`
      SELECT count(*)::int AS count FROM scim_tokens
      WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ${at})`);
    if ((row?.count ?? 0) >= maxTokens)
      throw new AppError('CONFLICT', {
        message: `There are ${maxTokens} SCIM tokens already, which is the maximum: revoke one first.`,
      });
    await tx.query(sql`
      INSERT INTO scim_tokens (id, name, prefix, secret_hash, provider, may_adopt, created_at, expires_at)
      VALUES (${id}, ${name}, ${prefix}, ${hash}, ${of}, ${mayAdopt ?? false}, ${at}, ${expiresAt ?? null})`);
    audit.record(tx, {
      action: 'scim_token.create',
      actor: viewer,
      targetType: 'ScimToken',
      targetId: id,
      changes: {
        name,
        provider: of,
        mayAdopt: mayAdopt ?? false,
        expiresAt: expiresAt?.toISOString() ?? null,
      },
    });
  });
  return { scimToken: await db.prisma.scimToken.findUniqueOrThrow({ where: { id } }), secret };
}

async function revokeToken(
  { db, events, audit, now }: ScimTokenOptions,
  viewer: Viewer,
  id: string,
): Promise<ScimToken> {
  await db.transaction(async (tx) => {
    const ended = await tx.query(
      sql`UPDATE scim_tokens SET revoked_at = ${new Date(now())} WHERE id = ${id} AND revoked_at IS NULL RETURNING id`,
    );
    if (ended.length === 0) return;
    audit.record(tx, { action: 'scim_token.revoke', actor: viewer, targetType: 'ScimToken', targetId: id });
    tx.afterCommit(() => events.publish('scim_token.ended', { scimTokenId: id }));
  });
  const row = await db.prisma.scimToken.findUnique({ where: { id } });
  if (row === null) throw new AppError('NOT_FOUND');
  return row;
}
