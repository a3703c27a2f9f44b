// Reads the groups in a provider's claims, and decides which role and memberships they give. It changes nothing.
import { type Role, roles } from '../../core/permissions.js';
import { type ProjectRole, projectRoles } from '../../core/project-access.js';

/** Claims of an ID token and of the userinfo endpoint together. */
export type Claims = Readonly<Record<string, unknown>>;

/** The groups of a user, and whether the provider gave them at all. */
export interface Groups {
  names: ReadonlySet<string>;
  /** OVERAGE: the provider says that there are too many to send (Entra does beyond 200). */
  state: 'GIVEN' | 'ABSENT' | 'OVERAGE';
}

/** A group and what its members get: a role, or a role in one project. */
export interface Mapping {
  group: string;
  role: Role | null;
  /** Key of a project. */
  project: string | null;
  projectRole: ProjectRole | null;
}

/** Role and memberships that a user's groups grant. */
export interface Grants {
  /** Undefined where no mapping speaks of roles: then admins set them. */
  role: Role | undefined;
  /** Key of a project → role. */
  projects: ReadonlyMap<string, ProjectRole>;
}

const none: ReadonlySet<string> = new Set();

/**
 * The groups in claims.
 * @param path the name of the claim; or, where there is none of that name, a path with dots into objects
 */
export function groupsOf(claims: Claims, path: string): Groups {
  const value = valueAt(claims, path);
  if (typeof value === 'string') return { names: new Set([value]), state: 'GIVEN' };
  if (Array.isArray(value))
    return { names: new Set(value.filter((name) => typeof name === 'string')), state: 'GIVEN' };
  const names = claims._claim_names;
  const isElsewhere = typeof names === 'object' && names !== null && Object.hasOwn(names, path);
  return { names: none, state: isElsewhere || isTrue(claims.hasgroups) ? 'OVERAGE' : 'ABSENT' };
}

const isTrue = (claim: unknown): boolean => claim === true || claim === 'true';

function valueAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Claims)[part];
  }
  return value;
}

/**
 * The rights that groups grant: the greatest role of all that match, and VIEWER where none does. Absent groups give nothing, so that a
 * provider that stops to send them takes rights away rather than leaving them.
 */
export function grantsOf({ names }: Groups, mappings: readonly Mapping[]): Grants {
  const matching = mappings.filter(({ group }) => isMember(names, group));
  const given = matching.map(({ role }) => role);
  const projects = new Map<string, ProjectRole>();
  for (const { project, projectRole } of matching) {
    if (project === null || projectRole === null) continue;
    const before = projects.get(project);
    projects.set(
      project,
      projectRoles.find((role) => role === projectRole || role === before) ?? projectRole,
    );
  }
  const speaksOfRoles = mappings.some(({ role }) => role !== null);
  return {
    role: speaksOfRoles ? (roles.find((role) => given.includes(role)) ?? 'VIEWER') : undefined,
    projects,
  };
}

/**
 * Whether a group is among those of the user: exactly, but for the slash that Keycloak puts in front of full paths. The last
 * part of a path is not enough: anyone who may create groups somewhere could name one "admins" there.
 */
function isMember(names: ReadonlySet<string>, group: string): boolean {
  return names.has(group) || names.has(group.startsWith('/') ? group.slice(1) : `/${group}`);
}
