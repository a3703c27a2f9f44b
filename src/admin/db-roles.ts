// The command line that creates or updates the server's database role; infra/migrations/app-role.ts has its rights.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Env, loadConfig } from '../config/load.js';
import { ensureAppRole, roleOf } from '../infra/migrations/app-role.js';

const USAGE = `Usage: db:roles
Makes the role that DATABASE_URL names, with its password, as the owner that MIGRATION_DATABASE_URL names; or gives
the role that is there this password. Either way it may then read and write rows, and only add to the audit trail.`;

const SETTINGS_READ = [
  'MIGRATION_DATABASE_URL',
  'MIGRATION_DATABASE_URL_FILE',
  'DATABASE_URL',
  'DATABASE_URL_FILE',
];

/**
 * Makes or updates the role.
 * @param env names to text, usually the process's own
 * @param print takes the text, one or more lines
 * @returns the exit code: 0 when it is done, 1 when it failed, 2 when a setting is missing
 */
export async function makeRoles(env: Env, print: (text: string) => void): Promise<0 | 1 | 2> {
  try {
    const config = loadConfig(Object.fromEntries(SETTINGS_READ.map((name) => [name, env[name]])));
    const { migrationDatabaseUrl, databaseUrl } = config;
    if (migrationDatabaseUrl === undefined || databaseUrl === undefined) {
      print(USAGE);
      return 2;
    }
    const role = roleOf(databaseUrl);
    await ensureAppRole(migrationDatabaseUrl, role);
    print(`The role ${role.name} may do what the server needs.`);
    return 0;
  } catch (error) {
    print(`Failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await makeRoles(process.env, console.log);
}
