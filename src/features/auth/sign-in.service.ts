// Signs users in: from an e-mail address, a password and a code where there is a second factor to a session. Tokens are made
// by the auth service.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Tokens } from '../../infra/credentials/jwt.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { LoginThrottle } from '../../infra/rate-limiting/login-throttle.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { emailKeyOf } from '../../validation/email.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import type { Opened, OpeningService } from '../session/create-session.service.js';
import type { LoginInput } from './auth.input.js';
import type { CredentialsService } from './credentials.service.js';
import type { SecondFactorService } from './second-factor.service.js';

/** What signing in stands on. */
export interface SignInServiceOptions {
  db: Database;
  tokens: Pick<Tokens, 'verifyDevice'>;
  passwords: PasswordHasher;
  credentials: CredentialsService;
  opening: OpeningService;
  secondFactors: SecondFactorService;
  mayHavePassword: PasswordRule;
  /** Failed attempts by account, or by device where the device is known. */
  accounts: LoginThrottle;
  /** Failed attempts by address. */
  addresses: AddressBudget;
}

/** A session, its user, and how to give the attempt back to its address. */
export type SignedIn = Opened & { refund: () => Promise<void> };

/** Signs users in. */
export type SignInService = ReturnType<typeof createSignInService>;

/** Creates the service. */
export function createSignInService(options: SignInServiceOptions) {
  return {
    /** Whether another sign-in may wait. */
    hasCapacity: options.passwords.hasCapacity,

    /**
     * Opens a session for the right credentials, within the limits on guessing.
     * @param viewer the signed-in caller, whose session ends
     * @throws INVALID_CREDENTIALS
     * @throws SECOND_FACTOR_REQUIRED
     * @throws RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    signIn: (input: LoginInput, viewer: Viewer | null) => signIn(options, input, viewer),

    /**
     * Takes a code of the second factor of a user whom an identity provider has proved, within the limits on guessing.
     * @throws INVALID_CREDENTIALS
     */
    proveSecondFactor: (account: ProvedAccount, code: string) => proveSecondFactor(options, account, code),
  };
}

interface ProvedAccount {
  id: string;
  email: string;
}

async function proveSecondFactor(
  { db, accounts, credentials, secondFactors }: SignInServiceOptions,
  account: ProvedAccount,
  code: string,
): Promise<void> {
  await accounts.attempt(
    emailKeyOf(account.email),
    async (isAllowed) => {
      if (isAllowed && (await secondFactors.take(db, account.id, code))) return;
      await credentials.refuse('auth.login', account);
    },
    () => credentials.recordLock('sign_in', account),
  );
}

async function signIn(
  options: SignInServiceOptions,
  input: LoginInput,
  viewer: Viewer | null,
): Promise<SignedIn> {
  const { passwords, addresses, accounts, credentials } = options;
  passwords.assertCapacity();
  const refund = await addresses.spend(currentRequest()?.ip);
  const opened = await accounts.attempt(
    await throttleKeyOf(options, input),
    (isAllowed) => passwords.inTurn(() => tryOnce(options, input, viewer, isAllowed)),
    async () => credentials.recordLock('sign_in', await credentials.find(accountOf(input))),
  );
  return { ...opened, refund };
}

/**
 * What failures are counted by. A device that the account has signed in on before has a budget of its own (OWASP, device
 * cookies), so that nobody elsewhere can lock the owner out; guesses on it are limited alike.
 */
async function throttleKeyOf(
  { tokens, credentials }: SignInServiceOptions,
  input: LoginInput,
): Promise<string> {
  const key = emailKeyOf(input.email);
  if (input.deviceToken == null) return key;
  const device = await tokens.verifyDevice(input.deviceToken);
  if (device === undefined) return key;
  const account = await credentials.find(accountOf(input));
  return account?.id === device.userId ? `device ${device.deviceId}` : key;
}

const accountOf = ({ email }: LoginInput) => sql`email_key = ${emailKeyOf(email)}`;

/**
 * One attempt. A locked account takes as long as a wrong password, and no guess at it reaches its hash.
 * @throws INVALID_CREDENTIALS
 * @throws SECOND_FACTOR_REQUIRED only after the right password
 */
async function tryOnce(
  { db, passwords, credentials, opening, secondFactors, mayHavePassword }: SignInServiceOptions,
  input: LoginInput,
  viewer: Viewer | null,
  isAllowed: boolean,
): Promise<Opened> {
  const found = await credentials.find(accountOf(input));
  const isPasswordAllowed = found !== undefined && mayHavePassword(found);
  const hash = isAllowed && isPasswordAllowed ? (found?.passwordHash ?? undefined) : undefined;
  const isRight = await passwords.verify(hash, input.password);
  if (found?.passwordHash == null || !isRight || found.status !== 'ACTIVE')
    return credentials.refuse('auth.login', found);
  if (found.hasSecondFactor) {
    if (input.code == null) throw new AppError('SECOND_FACTOR_REQUIRED');
    if (!(await secondFactors.take(db, found.id, input.code))) return credentials.refuse('auth.login', found);
  }
  const rehashed = passwords.needsRehash(found.passwordHash)
    ? await passwords.hash(input.password)
    : found.passwordHash;
  return (await opening.open(found, rehashed, viewer)) ?? credentials.refuse('auth.login', found);
}
