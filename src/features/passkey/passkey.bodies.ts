// Response bodies of the routes of passkeys, with examples. None of the keys is real.
import { z } from 'zod';
import { toPublicId } from '../../core/ids.js';
import type { Passkey } from '../../generated/prisma/client.js';
import { maxPasskeys } from './passkey.options.js';

const moment = z.iso.datetime().max(24);
const base64url = (max: number) =>
  z
    .string()
    .regex(/^[\w-]+$/)
    .max(max);
const passkeyId = z
  .string()
  .regex(/^pky_[0-9a-f-]{36}$/)
  .max(40)
  .describe('Id of the passkey, the same as in GraphQL.');

/** A passkey. */
export const passkeyBody = z
  .strictObject({
    id: passkeyId,
    name: z.string().max(100).describe('Name that its owner gave it.'),
    isSynced: z.boolean().describe('Whether its authenticator copies it to other devices of the user.'),
    createdAt: moment.describe('Time of the enrolment.'),
    lastUsedAt: moment.nullable().describe('Time of the last sign-in with it.'),
  })
  .meta({ id: 'Passkey', description: 'A passkey of a user (WebAuthn).' });

/** The passkeys of the caller. */
export const passkeysBody = z
  .strictObject({
    passkeys: z.array(passkeyBody).max(maxPasskeys).describe('Passkeys, newest first.'),
  })
  .meta({ id: 'Passkeys', description: 'The passkeys of the caller.' });

/** A passkey that was enrolled. */
export const enrolledBody = z
  .strictObject({
    passkey: passkeyBody,
    recoveryCodes: z
      .array(z.string().max(40))
      .max(10)
      .describe(
        'Recovery codes, where it is the first second factor: each stands in for it once, after the password. Shown once.',
      ),
  })
  .meta({ id: 'EnrolledPasskey', description: 'A passkey that was enrolled.' });

/** A passkey that was removed. */
export const removedBody = z
  .strictObject({ deletedId: passkeyId })
  .meta({ id: 'RemovedPasskey', description: 'A passkey that was removed.' });

const state = base64url(43).describe(
  'Send it with the answer, and to nobody else: it binds the answer to this request.',
);
const challenge = base64url(86).describe('What the authenticator signs; works once, within five minutes.');
const timeout = z
  .int()
  .min(0)
  .max(2_147_483_647)
  .describe('Milliseconds that the browser waits for the user.');
const userVerification = z
  .literal('required')
  .describe('The authenticator asks for a PIN, a finger or a face.');
const publicKey = z.literal('public-key').describe('Always the same.');

/** Options of an enrolment. */
export const creationBody = z
  .strictObject({
    state,
    options: z
      .strictObject({
        challenge,
        rp: z
          .strictObject({
            id: z.string().max(253).describe('Domain of the server.'),
            name: z.string().max(100).describe('Name to show.'),
          })
          .describe('The server.'),
        user: z
          .strictObject({
            id: base64url(86).describe('Random; authenticators know the user by it.'),
            name: z.string().max(254).describe('E-mail address.'),
            displayName: z.string().max(200).describe('Display name.'),
          })
          .describe('The caller.'),
        pubKeyCredParams: z
          .array(
            z.strictObject({
              type: publicKey,
              alg: z.int().min(-65_535).max(65_535).describe('Algorithm (COSE).'),
            }),
          )
          .max(10)
          .describe('Algorithms that the server verifies, the preferred first.'),
        timeout,
        attestation: z.literal('none').describe('The server asks for no proof of the authenticator’s make.'),
        excludeCredentials: z
          .array(
            z.strictObject({
              type: publicKey,
              id: base64url(1364).describe('Id of the credential.'),
              transports: z.array(z.string().max(32)).max(10).describe('How browsers reach it.'),
            }),
          )
          .max(maxPasskeys)
          .describe('Credentials that the caller has already.'),
        authenticatorSelection: z
          .strictObject({
            residentKey: z.literal('required').describe('The authenticator keeps the credential.'),
            requireResidentKey: z.literal(true).describe('The same for older browsers.'),
            userVerification,
          })
          .describe('What the authenticator must be able to do.'),
      })
      .describe('Options for PublicKeyCredential.parseCreationOptionsFromJSON().'),
  })
  .meta({ id: 'PasskeyCreationOptions', description: 'What a browser makes a passkey with.' });

/** Options of a sign-in. */
export const requestBody = z
  .strictObject({
    state,
    options: z
      .strictObject({
        challenge,
        rpId: z.string().max(253).describe('Domain of the server.'),
        timeout,
        userVerification,
      })
      .describe('Options for PublicKeyCredential.parseRequestOptionsFromJSON().'),
  })
  .meta({ id: 'PasskeyRequestOptions', description: 'What a browser asks for a passkey with.' });

/** The body of a passkey. */
export const toPasskeyBody = ({ id, name, isSynced, createdAt, lastUsedAt }: Passkey) => ({
  id: toPublicId('Passkey', id),
  name,
  isSynced,
  createdAt: createdAt.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});
