// Renames and removes passkeys. A user's only way to sign in stays until there is another.
import { AppError } from '../../core/errors.js';
import { toPublicId } from '../../core/ids.js';
import { assertFresh, can, type Viewer } from '../../core/permissions.js';
import type { Passkey } from '../../generated/prisma/client.js';
import type { Transaction } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { PasskeyServiceOptions } from './passkey.options.js';

/** See {@link PasskeyService}. @throws NOT_FOUND */
export async function renamePasskey(
  { db, audit }: PasskeyServiceOptions,
  viewer: Viewer,
  id: string,
  name: string,
): Promise<Passkey> {
  await db.transaction(async (tx) => {
    const [before] = await tx.query<{ name: string }>(
      sql`SELECT name FROM passkeys WHERE id = ${id} AND user_id = ${viewer.userId} FOR UPDATE`,
    );
    if (before === undefined) throw new AppError('NOT_FOUND');
    await tx.query(sql`UPDATE passkeys SET name = ${name} WHERE id = ${id}`);
    audit.record(tx, {
      action: 'passkey.rename',
      actor: viewer,
      targetType: 'User',
      targetId: viewer.userId,
      changes: { passkey: toPublicId('Passkey', id), name: { from: before.name, to: name } },
    });
  });
  return db.prisma.passkey.findUniqueOrThrow({ where: { id } });
}

interface Owner {
  userId: string;
  email: string;
  role: string;
  name: string;
  hasPassword: boolean;
  hasIdentity: boolean;
  hasOther: boolean;
}

/** See {@link PasskeyService}. @throws REAUTHENTICATION_REQUIRED, NOT_FOUND, CONFLICT */
export async function removePasskey(
  options: PasskeyServiceOptions,
  viewer: Viewer,
  id: string,
): Promise<void> {
  const { db, audit, events, now, secondFactors } = options;
  assertFresh(viewer, now());
  await db.transaction(async (tx) => {
    const owner = await lockOwner(options, tx, id);
    const isOwn = owner?.userId === viewer.userId;
    if (owner === undefined || !(isOwn || can(viewer, 'user:update'))) throw new AppError('NOT_FOUND');
    if (isOwn) assertOtherWay(options, owner);
    const removed = await tx.query(sql`DELETE FROM passkeys WHERE id = ${id} RETURNING id`);
    if (removed.length === 0) throw new AppError('NOT_FOUND');
    await secondFactors.dropRecoveryCodes(tx, owner.userId);
    audit.record(tx, {
      action: 'passkey.remove',
      actor: viewer,
      targetType: 'User',
      targetId: owner.userId,
      changes: { passkey: toPublicId('Passkey', id), name: owner.name },
    });
    tx.afterCommit(() => events.publish('user.changed', { userId: owner.userId }));
  });
}

/** The owner of a passkey, locked: of two removals at the same time the second sees what the first has left. */
async function lockOwner(
  { providerIds }: PasskeyServiceOptions,
  tx: Transaction,
  id: string,
): Promise<Owner | undefined> {
  await tx.query(
    sql`SELECT id FROM users WHERE id = (SELECT user_id FROM passkeys WHERE id = ${id}) FOR UPDATE`,
  );
  const [owner] = await tx.query<Owner>(sql`
    SELECT u.id AS "userId", u.email, u.role, k.name, u.password_hash IS NOT NULL AS "hasPassword",
      EXISTS (SELECT FROM user_identities i WHERE i.user_id = u.id AND i.provider = ANY(${[...providerIds]}::text[]))
        AS "hasIdentity",
      EXISTS (SELECT FROM passkeys o WHERE o.user_id = u.id AND o.id <> k.id) AS "hasOther"
    FROM passkeys k JOIN users u ON u.id = k.user_id WHERE k.id = ${id}`);
  return owner;
}

/** @throws CONFLICT for the only way to sign in */
function assertOtherWay({ mayHavePassword }: PasskeyServiceOptions, owner: Owner): void {
  const { hasPassword, hasIdentity, hasOther } = owner;
  // Users who may not sign in with a password lose no way to sign in: their passkeys are only second factors.
  if (hasPassword || hasIdentity || hasOther || !mayHavePassword(owner)) return;
  throw new AppError('CONFLICT', {
    message:
      'This passkey is your only way to sign in: enrol another one first, or ask an admin to remove it.',
  });
}
