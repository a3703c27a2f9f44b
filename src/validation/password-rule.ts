// Decides who may have a password where passwords are switched off: one admin, for the day on which the identity provider is lost.
import { emailKeyOf } from './email.js';

/** A user, as far as the rule looks. */
interface Owner {
  email: string;
  role: string;
}

/** Whether a user may sign in with a password and choose one. */
export type PasswordRule = (owner: Owner) => boolean;

/**
 * Creates the rule.
 * @param breakGlassAdmin e-mail address of the admin who keeps a password; only as long as the user is an admin
 */
export function createPasswordRule(isEnabled: boolean, breakGlassAdmin: string | undefined): PasswordRule {
  if (isEnabled) return () => true;
  const key = breakGlassAdmin === undefined ? undefined : emailKeyOf(breakGlassAdmin);
  return ({ email, role }) => role === 'ADMIN' && emailKeyOf(email) === key;
}
