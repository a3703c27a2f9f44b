// Response bodies of the auth routes: their shapes and their construction.
import { z } from 'zod';
import { toPublicId } from '../../core/ids.js';
import type { User } from '../../generated/prisma/client.js';
import { role, userStatus } from '../user/user.input.js';
import { statusOf } from '../user/user.status.js';
import type { AuthTokens } from './auth.service.js';

const moment = z.iso.datetime().max(24);
const seconds = z.int().min(0).max(2_147_483_647);
const token = z
  .string()
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .max(4096);

/** A user. */
export const userBody = z
  .strictObject({
    id: z
      .string()
      .regex(/^usr_[0-9a-f-]{36}$/)
      .max(40)
      .describe('Id of the user, the same as in GraphQL.'),
    email: z.string().max(254).meta({ format: 'email' }).describe('E-mail address for signing in.'),
    name: z.string().max(200).describe('Display name.'),
    role,
    status: userStatus,
    lastLoginAt: moment.nullable().describe('Time of the last sign-in.'),
    createdAt: moment.describe('Time of creation.'),
    updatedAt: moment.describe('Time of the last change.'),
  })
  .meta({ id: 'User', description: 'A user.' });

/** Tokens of a session. */
export const tokensBody = z
  .strictObject({
    accessToken: token.describe('Send it as Authorization: Bearer.'),
    refreshToken: token.describe('Exchange it for new tokens; each works once.'),
    tokenType: z.literal('Bearer').describe('Always the same (RFC 6750).'),
    expiresIn: seconds.describe('Seconds until the access token expires.'),
    refreshExpiresIn: seconds.describe('Seconds until the refresh token expires.'),
    deviceToken: token
      .nullable()
      .describe(
        'After a sign-in: send it with the next sign-in from this device; failed attempts of others then do not lock it out. Null after a refresh.',
      ),
    user: userBody,
  })
  .meta({ id: 'AuthTokens', description: 'Tokens of a session.' });

/** Outcome of signing out. */
export const logoutBody = z
  .strictObject({
    revokedSessions: z.int().min(0).max(2_147_483_647).describe('Number of ended sessions.'),
    providerLogoutUrl: z
      .string()
      .max(20_000)
      .optional()
      .describe(
        'URL at which the browser logs out of the identity provider too; only after a sign-in at a provider that has a logout.',
      ),
  })
  .meta({ id: 'LogoutResult', description: 'Outcome of ending sessions.' });

/** A JWK Set. */
export const acceptedBody = z
  .object({ isAccepted: z.literal(true).describe('Always true, whether or not there is such an account.') })
  .describe('The answer to any request for a new password.');

export const keysBody = z
  .strictObject({
    keys: z
      .array(
        z.strictObject({
          kty: z.literal('OKP').describe('Kind of key.'),
          crv: z.literal('Ed25519').describe('Curve of the key.'),
          x: z
            .string()
            .regex(/^[\w-]{43}$/)
            .max(43)
            .describe('The public key, base64url.'),
          kid: z.string().max(200).describe('Id of the key, as in the header of tokens.'),
          use: z.literal('sig').describe('What it is for.'),
          alg: z.literal('EdDSA').describe('Algorithm of the key.'),
        }),
      )
      .max(100)
      .describe('The first one signs, all verify.'),
  })
  .meta({ id: 'Keys', description: 'A JWK Set (RFC 7517).' });

/** The body of a user. */
export function toUserBody(user: User): z.input<typeof userBody> {
  const { id, email, name, role, lastLoginAt, createdAt, updatedAt } = user;
  return {
    id: toPublicId('User', id),
    email,
    name,
    role,
    status: statusOf(user),
    lastLoginAt: lastLoginAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/** The body of tokens. */
export const toTokensBody = ({ user, ...tokens }: AuthTokens): z.input<typeof tokensBody> => ({
  ...tokens,
  user: toUserBody(user),
});
