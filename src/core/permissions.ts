// Roles, permissions and the one table that joins them. Rules about rows are in the services.

import { AppError } from './errors.js';
import type { ProjectAccess } from './project-access.js';

/** From most to least. */
export const roles = ['ADMIN', 'ANALYST', 'VIEWER'] as const;
export type Role = (typeof roles)[number];

const everyone: readonly Role[] = roles;
const workers: readonly Role[] = ['ADMIN', 'ANALYST'];
const admins: readonly Role[] = ['ADMIN'];

/** Permission → roles that have it, and what it allows. The only place where this is said. */
export const permissions = {
  'identity:read': { roles: everyone, allows: 'read the own id, name and role; every API key may' },
  'profile:read': { roles: everyone, allows: 'read the own profile' },
  'profile:update': { roles: everyone, allows: 'change the own password, second factor and passkeys' },
  'session:manage': { roles: everyone, allows: 'list and end the own sessions' },
  'api_key:manage': { roles: everyone, allows: 'create, list and revoke the own API keys' },
  'execution:read': { roles: everyone, allows: 'read executions and watch them live' },
  'execution:create': { roles: workers, allows: 'create and rerun executions' },
  'execution:run': {
    roles: workers,
    allows: 'claim, start, report, add results to, finish and cancel executions',
  },
  'execution:delete': { roles: workers, allows: 'delete executions' },
  'execution:hold': { roles: admins, allows: 'put executions under a legal hold and release them' },
  'result:read': { roles: everyone, allows: 'read results' },
  'project:read': { roles: everyone, allows: 'read projects' },
  'project:manage': {
    roles: admins,
    allows: 'create, change, archive and delete projects and set their members',
  },
  'finding:read': { roles: everyone, allows: 'read findings' },
  'finding:triage': { roles: workers, allows: 'triage findings' },
  'report:import': { roles: workers, allows: 'import reports of scanners' },
  'user:read': { roles: admins, allows: 'read all users with their sessions and keys' },
  'user:create': { roles: admins, allows: 'create users' },
  'user:update': { roles: admins, allows: 'change, activate and deactivate users and end their sessions' },
  'user:delete': { roles: admins, allows: 'delete users' },
  'sign_in:manage': { roles: admins, allows: 'map groups of identity providers to roles and projects' },
  'workload:manage': { roles: admins, allows: 'trust tokens of CI jobs and other workloads' },
  'webhook:manage': { roles: admins, allows: 'create, read, switch and delete webhooks' },
  'audit:read': { roles: admins, allows: 'read the audit trail' },
  'health:read': { roles: admins, allows: 'see versions and the use of the pool in health' },
} as const satisfies Record<string, { roles: readonly Role[]; allows: string }>;

export type Permission = keyof typeof permissions;

/** All permissions, in the table's order. */
export const permissionNames = Object.keys(permissions) as Permission[];

/**
 * The scopes that an API key may have: everything but the means to get hold of its owner's account, and the details of
 * health, which answers without a limit and so looks up no keys.
 */
export const keyScopes = permissionNames.filter(
  (name) =>
    ![
      ...[
        'identity:read',
        'profile:update',
        'session:manage',
        'api_key:manage',
        'sign_in:manage',
        'workload:manage',
        'health:read',
      ],
    ].includes(name),
);

/** Those of stored scopes that are still offered: any other grants nothing. */
export const validScopes = (names: readonly string[]): ReadonlySet<string> =>
  new Set(names.filter((name) => (keyScopes as string[]).includes(name)));

/** Permissions on what belongs to a project: a membership or a key's binding may give or take them there. */
const inProjects: ReadonlySet<Permission> = new Set<Permission>([
  'execution:read',
  'execution:create',
  'execution:run',
  'execution:delete',
  'execution:hold',
  'result:read',
  'project:read',
  'project:manage',
  'finding:read',
  'finding:triage',
  'report:import',
]);

/** Permissions outside the project of an API key that is bound to one: it may read whose it is. */
const besideProjects: ReadonlySet<Permission> = new Set<Permission>(['identity:read', 'profile:read']);

/** Whether an API key that is bound to a project may have this scope. */
export function isScopeInProject(permission: string): boolean {
  return inProjects.has(permission as Permission) || besideProjects.has(permission as Permission);
}

/** Permissions of callers who have a step to do first. */
const ownAccount: ReadonlySet<Permission> = new Set([
  'identity:read',
  'profile:read',
  'profile:update',
  'session:manage',
]);

/** The caller as of this request. Role and status come from the database, never from a token. */
export interface Viewer {
  userId: string;
  email: string;
  name: string;
  role: Role;
  /** The session of an access token; absent for an API key. */
  sessionId?: string;
  /** The API key; absent for a session. */
  apiKeyId?: string;
  /** The permissions that the API key, or the token of a workload, is limited to. */
  scopes?: ReadonlySet<string>;
  /** Memberships and bindings; undefined where projects make no difference, so that reads need no condition. */
  projects?: ProjectAccess | undefined;
  /** The step that the caller has to do first; until then only the own account is open. */
  mustFirst?: 'PASSWORD_CHANGE_REQUIRED' | 'SECOND_FACTOR_ENROLMENT_REQUIRED';
  /** When the user signed in, in milliseconds since 1970; absent for an API key and for a workload. */
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

/**
 * Whether the caller holds the permission, by the own role or, for what belongs to projects, by the role in any project;
 * and the key's scopes, if any. {@link canIn} decides for one project. Nobody without a sign-in holds any.
 */
export function can(viewer: Viewer | null, permission: Permission): boolean {
  if (viewer === null || !isGranted(viewer, permission)) return false;
  return isUsable(viewer, permission);
}

/** Whether the caller holds a permission in this project. */
export function canIn(viewer: Viewer, permission: Permission, projectId: string): boolean {
  const role = roleIn(viewer, projectId);
  return role !== undefined && granted[role].has(permission) && isUsable(viewer, permission);
}

/**
 * The caller's role in a project: admins are admins everywhere, members have their membership's, others their own in
 * internal projects.
 * @returns undefined for a project that the caller may not see
 */
export function roleIn({ role, projects }: Viewer, projectId: string): Role | undefined {
  if (projects === undefined) return role;
  const { boundTo, memberships, privateIds, deletedIds } = projects;
  if (deletedIds.has(projectId)) return undefined;
  if (boundTo !== undefined && boundTo !== projectId) return undefined;
  if (role === 'ADMIN') return role;
  return memberships.get(projectId) ?? (privateIds.has(projectId) ? undefined : role);
}

/** Roles that hold a permission. */
export function rolesWith(permission: Permission): readonly Role[] {
  return permissions[permission].roles;
}

function isGranted(viewer: Viewer, permission: Permission): boolean {
  const { role, projects } = viewer;
  if (projects === undefined) return granted[role].has(permission);
  const isOfProjects = inProjects.has(permission);
  if (projects.boundTo !== undefined) {
    const there = isOfProjects ? roleIn(viewer, projects.boundTo) : role;
    return isScopeInProject(permission) && there !== undefined && granted[there].has(permission);
  }
  if (granted[role].has(permission)) return true;
  return isOfProjects && [...projects.memberships.values()].some((there) => granted[there].has(permission));
}

/** Whether neither the key's scopes nor something to do first keeps the caller from a permission. */
function isUsable({ mustFirst, scopes }: Viewer, permission: Permission): boolean {
  if (mustFirst !== undefined && !ownAccount.has(permission)) return false;
  return scopes === undefined || scopes.has(permission) || permission === 'identity:read';
}

/**
 * The one authorization: every runner of a field or a route calls it.
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
  if (permission === undefined || viewer.scopes === undefined) return new AppError('FORBIDDEN');
  if (isGranted(viewer, permission))
    return new AppError('FORBIDDEN', {
      message: `This ${nameOfToken(viewer)} lacks the scope ${permission}.`,
    });
  return viewer.projects?.boundTo !== undefined && granted[viewer.role].has(permission)
    ? new AppError('FORBIDDEN', {
        message: `This ${nameOfToken(viewer)} is bound to a project, where it has no such right.`,
      })
    : new AppError('FORBIDDEN');
}

const nameOfToken = ({ apiKeyId }: Viewer): string => (apiKeyId === undefined ? 'token' : 'API key');

/** Greatest age of a sign-in for changes that could give the account away. */
export const freshSignInSeconds = 5 * 60;

/**
 * A stolen session must not be turned into a lasting hold on the account.
 * @throws REAUTHENTICATION_REQUIRED when the viewer signed in more than five minutes ago
 * @throws FORBIDDEN for an API key or a workload, which never signs in
 */
export function assertFresh(viewer: Viewer, nowMs: number): void {
  if (viewer.signedInAtMs === undefined) throw new AppError('FORBIDDEN');
  if (nowMs - viewer.signedInAtMs > freshSignInSeconds * 1000)
    throw new AppError('REAUTHENTICATION_REQUIRED');
}

/** Whether the viewer may change this execution: an admin any, others what they created or have claimed, where they work. */
export function canChangeExecution(
  viewer: Viewer,
  execution: { createdById: string | null; claimedById: string | null; projectId: string },
): boolean {
  const role = roleIn(viewer, execution.projectId);
  if (role === undefined || !granted[role].has('execution:run')) return false;
  return (
    role === 'ADMIN' || execution.createdById === viewer.userId || execution.claimedById === viewer.userId
  );
}
