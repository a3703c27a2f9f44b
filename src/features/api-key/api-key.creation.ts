// Creates API keys, for the caller or a service account: decides whose a key is and which project it is bound to.
import { invalid } from '../../core/errors.js';
import { assertFresh, can, isScopeInProject, type Viewer } from '../../core/permissions.js';
import type { CreateApiKeyInput } from './api-key.input.js';
import {
  type ApiKeyServiceOptions,
  assertLifetime,
  createSecret,
  insertKey,
  keyOf,
  lockOwner,
  type NewKey,
  noServiceAccount,
} from './api-key.storage.js';

/** The owner of a new key, and the only project that it may reach. */
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
  const { db, now, maxPerUser } = options;
  assertFresh(viewer, now());
  assertLifetime(input.expiresAt, now());
  const owner = await ownerOf(options, viewer, input.serviceAccountId ?? null);
  const projectId = await bindingOf(options, viewer, owner, input);
  const { name, scopes, expiresAt } = input;
  const made = createSecret();
  await db.transaction(async (tx) => {
    await lockOwner(options, tx, viewer, owner.id, maxPerUser);
    await insertKey(options, tx, viewer, { ...made, userId: owner.id, name, scopes, projectId, expiresAt });
  });
  return { apiKey: await keyOf(options, made.id), secret: made.secret };
}

/** A service account, and the only project that something made for it reaches. */
export interface Binding {
  serviceAccountId: string;
  scopes: string[];
  /** Key of a project. */
  project?: string | null | undefined;
}

/**
 * The account and the project of what admins make for a service account, by the rules of its keys.
 * @throws NOT_FOUND, VALIDATION_FAILED as {@link createKey}
 */
export async function bindToAccount(
  options: ApiKeyServiceOptions,
  viewer: Viewer,
  binding: Binding,
): Promise<Owner> {
  const { id, projectId } = await ownerOf(options, viewer, binding.serviceAccountId);
  return { id, projectId: await bindingOf(options, viewer, { id, projectId }, binding) };
}

/** The viewer, or a service account: a key of another person would be a way into the account. @throws NOT_FOUND */
async function ownerOf(
  { db }: ApiKeyServiceOptions,
  viewer: Viewer,
  serviceAccountId: string | null,
): Promise<Owner> {
  if (serviceAccountId === null) return { id: viewer.userId, projectId: null };
  const account = can(viewer, 'user:update')
    ? await db.prisma.user.findUnique({
        where: {
          id: serviceAccountId,
          kind: 'SERVICE',
          status: 'ACTIVE',
          // With a deleted project the account is about to go.
          NOT: { project: { deletedAt: { not: null } } },
        },
      })
    : null;
  if (account === null) throw noServiceAccount();
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
  { scopes, project: key }: Pick<CreateApiKeyInput, 'scopes' | 'project'>,
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
