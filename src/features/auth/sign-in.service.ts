// Signs users in: from an e-mail address, a password and, where there is one, a second factor to a session; or from a passkey.
// Tokens are made by the auth service.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Tokens } from '../../infra/credentials/jwt.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import type { Database } from '../../infra/postgres/database.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { LoginThrottle } from '../../infra/rate-limiting/login-throttle.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { emailKeyOf } from '../../validation/email.js';
import type { PasswordRule } from '../../validation/password-rule.js';
import type { PasskeyLoginInput, PasskeyProof } from '../passkey/passkey.input.js';
import type { PasskeyService } from '../passkey/passkey.service.js';
import type { Opened, OpeningService } from '../session/create-session.service.js';
import type { LoginInput } from './auth.input.js';
import type { Credentials, CredentialsService } from './credentials.service.js';
import type { SecondFactorService } from './second-factor.service.js';

/** Dependencies of signing in. */
export interface SignInServiceOptions {
  db: Database;
  tokens: Pick<Tokens, 'verifyDevice'>;
  passwords: PasswordHasher;
  credentials: CredentialsService;
  opening: OpeningService;
  secondFactors: SecondFactorService;
  passkeys: Pick<PasskeyService, 'prove'>;
  mayHavePassword: PasswordRule;
  /** Failed attempts by account, or by device where the device is known. */
  accounts: LoginThrottle;
  /** Failed attempts by address. */
  addresses: AddressBudget;
}

/** A second factor: a code, or the answer of a passkey. */
export interface SecondFactorProof {
  code?: string | null | undefined;
  passkey?: PasskeyProof | null | undefined;
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
     * Opens a session for the answer of a passkey alone, within the limits of a password's sign-in.
     * @param viewer the signed-in caller, whose session ends
     * @throws INVALID_CREDENTIALS
     * @throws RATE_LIMITED
     */
    signInWithPasskey: (input: PasskeyLoginInput, viewer: Viewer | null) =>
      signInWithPasskey(options, input, viewer),

    /**
     * Takes the second factor of a user whom an identity provider has proved, within the limits on guessing.
     * @throws INVALID_CREDENTIALS
     */
    proveSecondFactor: (account: ProvedAccount, factor: SecondFactorProof) =>
      proveSecondFactor(options, account, factor),
  };
}

interface ProvedAccount {
  id: string;
  email: string;
}

async function proveSecondFactor(
  options: SignInServiceOptions,
  account: ProvedAccount,
  factor: SecondFactorProof,
): Promise<void> {
  const { accounts, credentials } = options;
  await accounts.attempt(
    emailKeyOf(account.email),
    async (isAllowed) => {
      if (isAllowed && (await takeFactor(options, account.id, factor))) return;
      await credentials.refuse('auth.login', account);
    },
    () => credentials.recordLock('sign_in', account),
  );
}

/** Takes a second factor, once; returns whether it is the user's. */
async function takeFactor(
  { db, secondFactors, passkeys }: SignInServiceOptions,
  userId: string,
  { code, passkey }: SecondFactorProof,
): Promise<boolean> {
  if (passkey != null) return (await passkeys.prove(passkey))?.userId === userId;
  return code != null && secondFactors.take(db, userId, code);
}

async function signIn(
  options: SignInServiceOptions,
  input: LoginInput,
  viewer: Viewer | null,
): Promise<SignedIn> {
  const { passwords, addresses, accounts, credentials } = options;
  passwords.assertCapacity();
  const refund = await addresses.spend(currentRequest()?.ip);
  const { key, isKnown } = await deviceOf(
    options,
    emailKeyOf(input.email),
    accountOf(input),
    input.deviceToken,
  );
  const opened = await accounts.attempt(
    key,
    (isAllowed) => passwords.inTurn(() => tryOnce(options, { input, viewer, isKnown }, isAllowed)),
    async () => credentials.recordLock('sign_in', await credentials.find(accountOf(input))),
  );
  return { ...opened, refund };
}

/**
 * The key that failures are counted by, and whether the account has signed in on the device before. Such a device has a budget of its
 * own (OWASP, device cookies), so that nobody elsewhere can lock the owner out; guesses on it are limited alike.
 */
async function deviceOf(
  { tokens, credentials }: SignInServiceOptions,
  key: string,
  owner: Sql,
  deviceToken: string | null | undefined,
): Promise<{ key: string; isKnown: boolean }> {
  const unknown = { key, isKnown: false };
  if (deviceToken == null) return unknown;
  const device = await tokens.verifyDevice(deviceToken);
  if (device === undefined) return unknown;
  const account = await credentials.find(owner);
  return account?.id === device.userId ? { key: `device ${device.deviceId}`, isKnown: true } : unknown;
}

const accountOf = ({ email }: LoginInput) => sql`email_key = ${emailKeyOf(email)}`;

/**
 * One attempt. A locked account takes as long as a wrong password, and no guess at it reaches its hash.
 * @throws INVALID_CREDENTIALS
 * @throws SECOND_FACTOR_REQUIRED only after the right password
 */
async function tryOnce(
  options: SignInServiceOptions,
  { input, viewer, isKnown }: { input: LoginInput; viewer: Viewer | null; isKnown: boolean },
  isAllowed: boolean,
): Promise<Opened> {
  const { passwords, credentials, opening, mayHavePassword } = options;
  const found = await credentials.find(accountOf(input));
  const isPasswordAllowed = found !== undefined && mayHavePassword(found);
  const hash = isAllowed && isPasswordAllowed ? (found?.passwordHash ?? undefined) : undefined;
  const isRight = await passwords.verify(hash, input.password);
  if (found?.passwordHash == null || !isRight || found.status !== 'ACTIVE')
    return credentials.refuse('auth.login', found);
  if (found.hasSecondFactor) {
    if (input.code == null && input.passkey == null) throw new AppError('SECOND_FACTOR_REQUIRED');
    if (!(await takeFactor(options, found.id, input))) return credentials.refuse('auth.login', found);
  }
  const rehashed = passwords.needsRehash(found.passwordHash)
    ? await passwords.hash(input.password)
    : found.passwordHash;
  const opened = await opening.open(found, rehashed, viewer, isKnown);
  return opened ?? credentials.refuse('auth.login', found);
}

const refused = 'The passkey was not accepted, or the account cannot sign in now.';

async function signInWithPasskey(
  options: SignInServiceOptions,
  input: PasskeyLoginInput,
  viewer: Viewer | null,
): Promise<SignedIn> {
  const { addresses, accounts, credentials } = options;
  const refund = await addresses.spend(currentRequest()?.ip);
  const owner = sql`id = (SELECT user_id FROM passkeys WHERE credential_id = ${input.response.id})`;
  const found = await credentials.find(owner);
  const account = found === undefined ? `passkey ${input.response.id}` : emailKeyOf(found.email);
  const { key, isKnown } = await deviceOf(options, account, owner, input.deviceToken);
  const opened = await accounts.attempt(
    key,
    (isAllowed) => tryPasskey(options, { input, viewer, isKnown }, isAllowed ? found : undefined),
    () => credentials.recordLock('sign_in', found),
  );
  return { ...opened, refund };
}

/**
 * One attempt. Where passwords are switched off, so are passkeys alone: the identity provider decides who gets in.
 * @throws INVALID_CREDENTIALS
 */
async function tryPasskey(
  { credentials, opening, passkeys, mayHavePassword }: SignInServiceOptions,
  { input, viewer, isKnown }: { input: PasskeyLoginInput; viewer: Viewer | null; isKnown: boolean },
  found: Credentials | undefined,
): Promise<Opened> {
  const proved = await passkeys.prove(input);
  const isAdmitted =
    found !== undefined && proved?.userId === found.id && found.status === 'ACTIVE' && mayHavePassword(found);
  const opened = isAdmitted
    ? await opening.openByPasskey({ id: found.id, email: found.email, passkeyId: proved.id }, viewer, isKnown)
    : undefined;
  return opened ?? credentials.refuse('auth.login', found, null, refused);
}
