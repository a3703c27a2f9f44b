// The projects that a caller may reach: memberships, private projects and the binding of an API key. permissions.ts uses it.

/** Roles that a member has in a project. */
export const projectRoles = ['ANALYST', 'VIEWER'] as const;
export type ProjectRole = (typeof projectRoles)[number];

/** The project that everything belongs to unless it names another. */
export const defaultProject = { id: '00000000-0000-7000-8000-000000000001', key: 'default' } as const;

/** Where projects make a difference for a caller. */
export interface ProjectAccess {
  /** The only project that the API key sees and changes; undefined for all that its owner sees. */
  boundTo: string | undefined;
  /** Project → role of the caller there. */
  memberships: ReadonlyMap<string, ProjectRole>;
  /** Whether there are private projects; known as exactly as the sign-in itself. */
  hasPrivate: boolean;
  /** Private projects, which only members and admins see. */
  privateIds: ReadonlySet<string>;
  /** Whether there are deleted projects, which nobody sees; known as exactly as `hasPrivate`. */
  hasDeleted: boolean;
  /** Deleted projects whose rows are being removed. */
  deletedIds: ReadonlySet<string>;
  /** Callers of the same role and scopes who have the same key see the same. */
  key: string;
}
