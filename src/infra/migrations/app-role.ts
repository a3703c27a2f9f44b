// The database role that the server runs as: it reads and writes rows, changes no table, and only adds to the audit trail.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';

/** The role of the server on the embedded database and on those made for tests. */
export const APP_ROLE = 'sec_tester_app';

/** What the role may do with a table that is not named below. */
const DEFAULT_GRANT = 'SELECT, INSERT, UPDATE, DELETE';
/** Tables with less. Numbers of events are given by the database alone. */
const GRANTS: Readonly<Record<string, string>> = {
  _prisma_migrations: 'SELECT',
  audit_events:
    'SELECT, INSERT (id, at, action, outcome, actor_id, actor_label, target_type, target_id, ip, user_agent, correlation_id, changes)',
  audit_seals: 'SELECT, INSERT',
  execution_events: 'SELECT, INSERT',
};

/** Name and password of a role, as a connection string carries them. */
export function roleOf(databaseUrl: string): { name: string; password: string } {
  const { username, password } = new URL(databaseUrl);
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** The same database by the same server, as another role. */
export function urlAs(databaseUrl: string, { name, password }: { name: string; password: string }): string {
  const url = new URL(databaseUrl);
  url.username = encodeURIComponent(name);
  url.password = encodeURIComponent(password);
  return url.href;
}

/**
 * Makes the role, or gives the existing one this password, and lets it do what the server needs; to be repeated
 * after each migration. It takes away what the role had beyond that.
 * @param ownerUrl as the owner of the tables, with the right to make roles
 * @throws Error of the driver, or when the role is the owner itself or a superuser
 */
export async function ensureAppRole(
  ownerUrl: string,
  role: { name: string; password: string },
): Promise<void> {
  await inTransaction(ownerUrl, async (client) => {
    // Two at once would both make it.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('app role'))`);
    const known = await client.query<{ rolsuper: boolean }>(
      'SELECT rolsuper FROM pg_roles WHERE rolname = $1',
      [role.name],
    );
    assertOther(ownerUrl, role.name, known.rows[0]?.rolsuper === true);
    const attributes = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
    // A verifier instead of the password: statements may be logged.
    await client.query(
      `${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${pg.escapeIdentifier(role.name)} ${known.rowCount ? 'LOGIN' : attributes} PASSWORD '${scramVerifier(role.password)}'`,
    );
    await grant(client, role.name);
  });
}

/**
 * Grants a role what the server needs, on the tables of this moment.
 * @returns false when there is no such role
 */
export async function grantToAppRole(ownerUrl: string, name: string): Promise<boolean> {
  assertOther(ownerUrl, name, false);
  return inTransaction(ownerUrl, async (client) => {
    const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
    if (known.rowCount === 1) await grant(client, name);
    return known.rowCount === 1;
  });
}

function assertOther(ownerUrl: string, name: string, isSuperuser: boolean): void {
  if (name === '' || name === roleOf(ownerUrl).name)
    throw new Error(`The server's role must be another than the owner's (${name || 'no name given'})`);
  if (isSuperuser) throw new Error(`The role ${name} is a superuser: give the server another one`);
}

async function grant(client: pg.Client, name: string): Promise<void> {
  const role = pg.escapeIdentifier(name);
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`,
  );
  const grants = rows.map(
    (table) =>
      `GRANT ${GRANTS[table.name] ?? DEFAULT_GRANT} ON ${pg.escapeIdentifier(table.name)} TO ${role}`,
  );
  await client.query(
    [
      `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${role}`,
      `REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ${role}`,
      `REVOKE CREATE ON SCHEMA public FROM ${role}`,
      `GRANT USAGE ON SCHEMA public TO ${role}`,
      `GRANT USAGE ON SEQUENCE audit_seals_number_seq TO ${role}`,
      ...grants,
    ].join(';\n'),
  );
}

/** What PostgreSQL keeps of a password (RFC 5802, as pg_authid.rolpassword). */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const iterations = 4096;
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}

async function inTransaction<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } finally {
    await client.end().catch(() => undefined);
  }
}
