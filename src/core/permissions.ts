// Who may do what: roles, permissions and the one table that joins them. Rules about rows stand in the services.

import { AppError } from './errors.js';

/** From most to least. */
export const roles = ['ADMIN', 'ANALYST', 'VIEWER'] as const;
export type Role = (typeof roles)[number];

const everyone: readonly Role[] = roles;
const workers: readonly Role[] = ['ADMIN', 'ANALYST'];
const admins: readonly Role[] = ['ADMIN'];

/** Permission → roles that have it, and what it allows. The only place where this is said. */
export const permissions = {
  'identity:read': { roles: everyone, allows: 'read one’s own id, name and role; every API key may' },
  'profile:read': { roles: everyone, allows: 'read one’s own profile' },
  'profile:update': { roles: everyone, allows: 'change one’s own password' },
  'session:manage': { roles: everyone, allows: 'list and end one’s own sessions' },
  'api_key:manage': { roles: everyone, allows: 'make, list and revoke one’s own API keys' },
  'execution:read': { roles: everyone, allows: 'read executions and watch them live' },
  'execution:create': { roles: workers, allows: 'create and rerun executions' },
  'execution:run': {
    roles: workers,
    allows: 'claim, start, report, add results to, finish and cancel executions',
  },
  'execution:delete': { roles: workers, allows: 'delete executions' },
  'result:read': { roles: everyone, allows: 'read results' },
  'project:read': { roles: everyone, allows: 'read projects' },
  'project:manage': { roles: admins, allows: 'create, change and archive projects and set their members' },
  'finding:read': { roles: everyone, allows: 'read findings' },
  'finding:triage': { roles: workers, allows: 'triage findings' },
  'report:import': { roles: workers, allows: 'import reports of scanners' },
  'user:read': { roles: admins, allows: 'read all users with their sessions and keys' },
  'user:create': { roles: admins, allows: 'create users' },
  'user:update': { roles: admins, allows: 'change, activate and deactivate users and end their sessions' },
  'user:delete': { roles: admins, allows: 'delete users' },
  'audit:read': { roles: admins, allows: 'read the audit trail' },
  'health:read': { roles: admins, allows: 'see versions and the use of the pool in health' },
} as const satisfies Record<string, { roles: readonly Role[]; allows: string }>;

export type Permission = keyof typeof permissions;

/** All permissions, in the table's order. */
export const permissionNames = Object.keys(permissions) as Permission[];

/**
 * What an API key may be limited to: everything but the means to get hold of its owner's account, and the details of
 * health, which answers without a limit and so looks up no keys.
 */
export const keyScopes = permissionNames.filter(
  (name) =>
    !['identity:read', 'profile:update', 'session:manage', 'api_key:manage', 'health:read'].includes(name),
);

/** What those may do who have something to do first. */
const ownAccount: ReadonlySet<Permission> = new Set([
  'identity:read',
  'profile:read',
  'profile:update',
  'session:manage',
]);

/** Who is asking, as of this request. Role and status come from the database, never from a token. */
export interface Viewer {
  userId: string;
  email: string;
  name: string;
  role: Role;
  /** The session of an access token; absent for an API key. */
  sessionId?: string;
  /** The API key; absent for a session. */
  apiKeyId?: string;
  /** The permissions that the API key is limited to. */
  scopes?: ReadonlySet<string>;
  /** What must be done before anything else; until then only the own account may be seen to. */
  mustFirst?: 'PASSWORD_CHANGE_REQUIRED' | 'SECOND_FACTOR_ENROLMENT_REQUIRED';
  /** When the user signed in, in milliseconds since 1970; absent for an API key. */
  signedInAtMs?: number;
  /** When the token or key ends, in milliseconds since 1970: open streams end then. */
  expiresAtMs: number;
}

const granted: Record<Role, ReadonlySet<string>> = {
  ADMIN: grantedTo('ADMIN'),
  ANALYST: grantedTo('ANALYST'),
  VIEWER: grantedTo('VIEWER'),
};

function grantedTo(role: Role): ReadonlySet<string> {
  return new Set(
    permissionNames.filter((name) => (permissions[name].roles as readonly Role[]).includes(role)),
  );
}

/** Whether the viewer's role holds the permission, and the key's scopes, if any. Nobody without a sign-in holds any. */
export function can(viewer: Viewer | null, permission: Permission): boolean {
  if (viewer === null || !granted[viewer.role].has(permission)) return false;
  if (viewer.mustFirst !== undefined && !ownAccount.has(permission)) return false;
  return viewer.scopes === undefined || viewer.scopes.has(permission) || permission === 'identity:read';
}

/**
 * The one authorization: whatever runs a field or a route calls it.
 * @throws UNAUTHENTICATED for an anonymous caller
 * @throws FORBIDDEN for a role or an API key without the permission; the message names a missing scope
 * @throws PASSWORD_CHANGE_REQUIRED
 * @throws SECOND_FACTOR_ENROLMENT_REQUIRED
 */
export function authorize(viewer: Viewer | null, permission: Permission): asserts viewer is Viewer {
  if (!can(viewer, permission)) throw denialOf(viewer, permission);
}

/** The error of a caller without a permission. */
export function denialOf(viewer: Viewer | null, permission?: Permission): AppError {
  if (viewer === null) return new AppError('UNAUTHENTICATED');
  if (viewer.mustFirst !== undefined) return new AppError(viewer.mustFirst);
  const isScopeMissing =
    permission !== undefined && viewer.scopes !== undefined && granted[viewer.role].has(permission);
  return isScopeMissing
    ? new AppError('FORBIDDEN', { message: `This API key lacks the scope ${permission}.` })
    : new AppError('FORBIDDEN');
}

/** How old a sign-in may be for what would give the account away. */
export const freshSignInSeconds = 5 * 60;

/**
 * A stolen session must not be turned into a lasting hold on the account.
 * @throws REAUTHENTICATION_REQUIRED when the viewer signed in more than five minutes ago
 * @throws FORBIDDEN for an API key, which never signs in
 */
export function assertFresh(viewer: Viewer, nowMs: number): void {
  if (viewer.signedInAtMs === undefined) throw new AppError('FORBIDDEN');
  if (nowMs - viewer.signedInAtMs > freshSignInSeconds * 1000)
    throw new AppError('REAUTHENTICATION_REQUIRED');
}

/** Whether the viewer may change this execution: an admin any, others what they created or have claimed. */
export function canChangeExecution(
  viewer: Viewer,
  execution: { createdById: string | null; claimedById: string | null },
): boolean {
  return (
    viewer.role === 'ADMIN' ||
    execution.createdById === viewer.userId ||
    execution.claimedById === viewer.userId
  );
}
