// Makes or updates the database role that the server runs as: it reads and writes rows and changes no table.
// The audit trail it can only add to. DATABASE_URL(_FILE) is the owner's, APP_DATABASE_URL(_FILE) names role and password.
import { readFileSync } from 'node:fs';
import pg from 'pg';

const { escapeIdentifier, escapeLiteral } = pg;
const given = (name) => process.env[name] ?? readFileSync(required(`${name}_FILE`), 'utf8').trim();

function required(name) {
  const value = process.env[name];
  if (value) return value;
  console.error(`${name.replace(/_FILE$/, '')} (or ${name}) is missing`);
  return process.exit(2);
}

const app = new URL(given('APP_DATABASE_URL'));
const role = escapeIdentifier(decodeURIComponent(app.username));
const password = escapeLiteral(decodeURIComponent(app.password));
const client = new pg.Client({ connectionString: given('DATABASE_URL'), connectionTimeoutMillis: 10_000 });

try {
  await client.connect();
  await client.query('BEGIN');
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [
    decodeURIComponent(app.username),
  ]);
  await client.query(
    `${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${password}`,
  );
  await client.query(`
    GRANT USAGE ON SCHEMA public TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
    REVOKE ALL ON _prisma_migrations FROM ${role};
    GRANT SELECT ON _prisma_migrations TO ${role};
    REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM ${role}`);
  await client.query('COMMIT');
  console.log(`The role ${role} may read and write rows.`);
} catch (error) {
  console.error(`The role ${role} could not be made: ${error.message}`);
  process.exitCode = 1;
} finally {
  await client.end().catch(() => {});
}
