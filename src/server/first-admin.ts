// Creates the first admin of an installation that has no users.
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/load.js';
import type { Services } from './services.js';

/** The first admin, with the password when the server generated it. */
export interface FirstAdmin {
  email: string;
  generatedPassword?: string;
}

/**
 * Creates the admin from ADMIN_EMAIL and ADMIN_PASSWORD, or with a generated password for the embedded database.
 * @returns undefined when there are users
 * @throws Error when there are none and the settings of an external database name no admin
 */
export async function createFirstAdmin(
  { users }: Pick<Services, 'users'>,
  { adminEmail, adminPassword, databaseUrl }: Config,
): Promise<FirstAdmin | undefined> {
  if (!(await users.isEmpty())) return undefined;
  if (databaseUrl !== undefined && (adminEmail === undefined || adminPassword === undefined)) {
    throw new Error('There are no users yet: set ADMIN_EMAIL and ADMIN_PASSWORD to make the first admin.');
  }
  const email = adminEmail ?? 'admin@localhost.test';
  const create = (password: string) =>
    users.create(null, { email, name: 'Administrator', role: 'ADMIN', password });
  if (adminPassword !== undefined) {
    await create(adminPassword);
    return { email };
  }
  const generatedPassword = randomBytes(18).toString('base64url');
  await create(generatedPassword);
  return { email, generatedPassword };
}
