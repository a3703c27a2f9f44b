// Signing in: from an e-mail and a password, and a code where there is a second factor, to a session. Tokens are made by
// the auth service.

import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { PasswordHasher } from '../../infra/credentials/password-hasher.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import type { AddressBudget } from '../../infra/rate-limiting/address-limiter.js';
import type { AttemptLock } from '../../infra/rate-limiting/login-throttle.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { Opened, OpeningService } from '../session/create-session.service.js';
import type { LoginInput } from './auth.input.js';
import type { CredentialsService } from './credentials.service.js';
import type { SecondFactorService } from './second-factor.service.js';

interface SignInServiceOptions {
  db: Database;
  passwords: PasswordHasher;
  credentials: CredentialsService;
  opening: OpeningService;
  secondFactors: SecondFactorService;
  /** By account; while it is locked the answer is that to a wrong password. */
  accounts: AttemptLock;
  /** By address. */
  addresses: AddressBudget;
}

export type SignInService = ReturnType<typeof createSignInService>;

export function createSignInService(options: SignInServiceOptions) {
  const { db, passwords, credentials, opening, secondFactors } = options;

  /**
   * A new session for the right credentials. A locked account takes as long as a wrong password and no guess at it
   * reaches its hash.
   * @throws INVALID_CREDENTIALS
   * @throws SECOND_FACTOR_REQUIRED only after the right password
   */
  async function tryOnce(input: LoginInput, viewer: Viewer | null, isAllowed: boolean): Promise<Opened> {
    const found = await credentials.find(sql`lower(email) = lower(${input.email})`);
    const fits = await passwords.verify(
      isAllowed ? (found?.passwordHash ?? undefined) : undefined,
      input.password,
    );
    if (found?.passwordHash == null || !fits || found.status !== 'ACTIVE')
      return credentials.refuse('auth.login', found);
    if (found.hasSecondFactor) {
      if (input.code == null) throw new AppError('SECOND_FACTOR_REQUIRED');
      if (!(await secondFactors.take(db, found.id, input.code)))
        return credentials.refuse('auth.login', found);
    }
    const rehashed = passwords.needsRehash(found.passwordHash)
      ? await passwords.hash(input.password)
      : found.passwordHash;
    return (await opening.open(found, rehashed, viewer)) ?? credentials.refuse('auth.login', found);
  }

  return {
    hasCapacity: passwords.hasCapacity,

    /**
     * A session for the right credentials, within the limits on guessing.
     * @param viewer who is signed in already: that session ends
     * @returns the session and its user, and how to give the attempt back to its address
     * @throws INVALID_CREDENTIALS
     * @throws SECOND_FACTOR_REQUIRED
     * @throws RATE_LIMITED
     * @throws UNAVAILABLE when too many sign-ins wait
     */
    async signIn(
      input: LoginInput,
      viewer: Viewer | null,
    ): Promise<Opened & { refund: () => Promise<void> }> {
      passwords.assertCapacity();
      const refund = await options.addresses.spend(currentRequest()?.ip);
      const opened = await options.accounts.attempt(
        input.email.toLowerCase(),
        (isAllowed) => passwords.inTurn(() => tryOnce(input, viewer, isAllowed)),
        async () =>
          credentials.recordLock(
            'sign_in',
            await credentials.find(sql`lower(email) = lower(${input.email})`),
          ),
      );
      return { ...opened, refund };
    },
  };
}
