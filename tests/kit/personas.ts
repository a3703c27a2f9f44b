// Callers by role, membership, visibility of the project and credential, and what each may do there by the rules: computed here
// independently of the server's own tables.
import type { TestServer } from './harness.js';
import { createBoundKey, createProject, setMember } from './projects.js';
import { createPerson, type Person } from './seed.js';

export type Role = 'ADMIN' | 'ANALYST' | 'VIEWER';
export type Membership = 'ANALYST' | 'VIEWER' | null;
/** How the caller signs in: a session, a key of this project, or a key of another one. */
export type Credential = 'session' | 'key of it' | 'key of another';

export interface Persona {
  name: string;
  role: Role;
  membership: Membership;
  visibility: 'INTERNAL' | 'PRIVATE';
  credential: Credential;
}

export const personas: Persona[] = (['ADMIN', 'ANALYST', 'VIEWER'] as const).flatMap((role) =>
  ([null, 'ANALYST', 'VIEWER'] as const).flatMap((membership) =>
    (['INTERNAL', 'PRIVATE'] as const).flatMap((visibility) =>
      (['session', 'key of it', 'key of another'] as const).map((credential) => ({
        name: `${role}, ${membership ?? 'no'} membership, ${visibility}, ${credential}`,
        ...{ role, membership, visibility, credential },
      })),
    ),
  ),
);

const ranks: Record<Role, number> = { VIEWER: 0, ANALYST: 1, ADMIN: 2 };
const has = (role: Role | null, least: Role) => role !== null && ranks[role] >= ranks[least];

/** The role that a persona has in the project; null where the project does not exist for it. */
function roleThere({ role, membership, visibility, credential }: Persona): Role | null {
  if (credential === 'key of another') return null;
  if (role === 'ADMIN') return role;
  return membership ?? (visibility === 'INTERNAL' ? role : null);
}

/** Whether the caller may use fields of this permission at all. */
export function passesField(persona: Persona, least: Role): boolean {
  if (persona.credential === 'key of it') return has(roleThere(persona), least);
  // The other project is an internal one without members.
  if (persona.credential === 'key of another' || has(persona.role, least)) return has(persona.role, least);
  return has(persona.membership, least);
}

/** What a caller gets: `ok`, or an error's code. */
export function expectedOf(persona: Persona, least: Role): string {
  if (!passesField(persona, least)) return 'FORBIDDEN';
  const there = roleThere(persona);
  if (there === null) return 'NOT_FOUND';
  return has(there, least) ? 'ok' : 'FORBIDDEN';
}

/** Whether lists show it. */
export const sees = (persona: Persona): boolean => roleThere(persona) !== null;

export interface Signed extends Persona {
  person: Person;
  token: string;
}

/** Signs a persona in, as member of a project of its visibility. */
export async function signIn(
  server: TestServer,
  adminToken: string,
  persona: Persona,
  keys: { here: string; another: string },
  scopes: string[],
): Promise<Signed> {
  const person = await createPerson(server, adminToken, persona.role);
  if (persona.membership !== null)
    await setMember(server, adminToken, keys.here, person.id, persona.membership);
  if (persona.credential === 'session') return { ...persona, person, token: person.token };
  const token = await createBoundKey(server, person.token, null, scopes);
  // Bound by hand, as the owner may not see the project.
  await server.sql(
    'UPDATE api_keys SET project_id = (SELECT id FROM projects WHERE key = $1) WHERE user_id = $2',
    [persona.credential === 'key of it' ? keys.here : keys.another, person.id.slice(4)],
  );
  return { ...persona, person, token };
}

/** The projects of the table: one of each visibility, and an internal one without members. */
export async function createProjects(server: TestServer, adminToken: string) {
  return {
    INTERNAL: await createProject(server, adminToken, { key: 'internal' }),
    PRIVATE: await createProject(server, adminToken, { key: 'private', visibility: 'PRIVATE' }),
    another: await createProject(server, adminToken, { key: 'another' }),
  };
}
