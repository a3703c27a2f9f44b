// Creates the database role that the server runs as: it reads and writes rows, changes no table, and only adds to the audit trail.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import { readDatabaseUrl } from '../../config/database-url.js';
import { openClient } from '../postgres/connection/open.js';

/** The server's role on the embedded database and on test databases. */
export const APP_ROLE = 'sec_tester_app';

/** The rights on a table that is not named below. */
const DEFAULT_GRANT = 'SELECT, INSERT, UPDATE, DELETE';
/** Tables with fewer rights. Only the database assigns the numbers of audit events. */
const GRANTS: Readonly<Record<string, string>> = {
  _prisma_migrations: 'SELECT',
  audit_events:
    'SELECT, INSERT (id, at, action, outcome, actor_id, actor_label, target_type, target_id, ip, user_agent, correlation_id, changes)',
  audit_seals: 'SELECT, INSERT',
  execution_events: 'SELECT, INSERT',
};

/** Columns that the database numbers as the server inserts. */
const NUMBERED = [
  'audit_seals_number',
  'scan_series_id',
  'scan_branches_id',
  'result_texts_id',
  'finding_counts_id',
  'open_counts_id',
  'due_counts_id',
  'trend_counts_id',
  'webhook_deliveries_number',
];

/** Name and password of a role, as a connection string carries them. */
export function roleOf(databaseUrl: string): { name: string; password: string } {
  const { user: name, password } = readDatabaseUrl(databaseUrl);
  return { name, password };
}

/** The connection string of the same database for another role. */
export function urlAs(databaseUrl: string, { name, password }: { name: string; password: string }): string {
  const url = new URL(databaseUrl);
  url.username = encodeURIComponent(name);
  url.password = encodeURIComponent(password);
  return url.href;
}

/**
 * Creates the role, or gives the existing one this password, and grants it exactly the rights that the server needs. Call it
 * again after each migration.
 * @param ownerUrl connects as the owner of the tables, with the right to create roles
 * @throws Error of the driver, or when the role is the owner itself or a superuser
 */
export async function ensureAppRole(
  ownerUrl: string,
  role: { name: string; password: string },
): Promise<void> {
  await inTransaction(ownerUrl, async (client) => {
    // Without the lock, two at once would both create it.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('app role'))`);
    const known = await client.query<{ rolsuper: boolean }>(
      'SELECT rolsuper FROM pg_roles WHERE rolname = $1',
      [role.name],
    );
    assertOther(ownerUrl, role.name, known.rows[0]?.rolsuper === true);
    const attributes = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
    // A verifier instead of the password, because statements may be logged.
    await client.query(
      `${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${pg.escapeIdentifier(role.name)} ${known.rowCount ? 'LOGIN' : attributes} PASSWORD '${scramVerifier(role.password)}'`,
    );
    await grant(client, role.name);
  });
}

/**
 * Grants a role the rights that the server needs on the present tables.
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
    throw new Error(`The server's role must differ from the owner's (${name || 'no name given'})`);
  if (isSuperuser) throw new Error(`The role ${name} is a superuser: use another one for the server`);
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
      `GRANT USAGE ON SEQUENCE ${NUMBERED.map((table) => `${table}_seq`).join(', ')} TO ${role}`,
      ...grants,
    ].join(';\n'),
  );
}

/** The form in which PostgreSQL stores a password (RFC 5802, as in pg_authid.rolpassword). */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const iterations = 4096;
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}

async function inTransaction<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient(url);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } finally {
    await client.end().catch(() => undefined);
  }
}
