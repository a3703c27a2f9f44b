// Shapes of the input of passkeys, for GraphQL and REST. Their names are those of WebAuthn Level 3, as browsers' toJSON() has them.
import { z } from 'zod';
import { idOf, line, objectOf, text } from '../../validation/fields.js';

/** A binary value in base64url without padding. */
const base64url = (max: number) =>
  z
    .string()
    .max(max, `must have at most ${max} characters`)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url without padding');

/** WebAuthn limits ids of credentials to 1023 bytes. */
const credentialId = base64url(1364).describe('Id of the credential.');
const clientDataJSON = base64url(8192).describe('What the browser says of the ceremony.');

/** Members of both kinds of answers. Browsers add more over time, which are not read. */
const credential = {
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key').describe('Always the same.'),
};

const enrolmentResponse = z
  .object({
    ...credential,
    response: z
      .object({
        clientDataJSON,
        attestationObject: base64url(16_384).describe('The new key, with the authenticator’s data.'),
        transports: z
          .array(
            z
              .string()
              .max(32)
              .regex(/^[a-z-]+$/, 'must be the name of a transport'),
          )
          .max(10)
          .optional()
          .describe('How browsers reach the authenticator.'),
      })
      .describe('The authenticator’s part.'),
  })
  .meta({ graphql: 'JSON', description: 'Answer of navigator.credentials.create(), by its toJSON().' });
/** The answer of an authenticator that has made a key. */
export type EnrolmentResponse = z.output<typeof enrolmentResponse>;

const assertionResponse = z
  .object({
    ...credential,
    response: z
      .object({
        clientDataJSON,
        authenticatorData: base64url(8192).describe('The authenticator’s data.'),
        signature: base64url(2048).describe('Signature over both.'),
        userHandle: base64url(86).nullish().describe('What the authenticator knows the user by.'),
      })
      .describe('The authenticator’s part.'),
  })
  .meta({ graphql: 'JSON', description: 'Answer of navigator.credentials.get(), by its toJSON().' });
/** The answer of an authenticator that has signed. */
export type AssertionResponse = z.output<typeof assertionResponse>;

const state = text(100)
  .min(1, 'must not be empty')
  .describe('The state that came with the options; works once, within five minutes.');

const name = line(1, 100).describe('Name by which its owner knows it, such as the device.');

export const confirmPasskeyInput = objectOf(
  'The answer of an authenticator to the options of an enrolment.',
  { state, name, response: enrolmentResponse },
);
export type ConfirmPasskeyInput = z.output<typeof confirmPasskeyInput>;

/** Proof by a passkey: instead of a password, or as the second factor. */
export const passkeyProof = z.strictObject({ state, response: assertionResponse }).meta({
  graphql: 'PasskeyProofInput',
  description: 'The answer of a passkey to the options of a sign-in.',
});
export type PasskeyProof = z.output<typeof passkeyProof>;

export const passkeyLoginInput = objectOf('The answer of a passkey to the options of a sign-in.', {
  state,
  response: assertionResponse,
  deviceToken: text(4096)
    .nullish()
    .describe(
      'Token of the last sign-in on this device. With it, failed attempts of others do not lock the account here.',
    ),
});
export type PasskeyLoginInput = z.output<typeof passkeyLoginInput>;

const passkeyId = idOf('Passkey').describe('Id of the passkey.');
export const passkeyParams = z.strictObject({ id: passkeyId });
export const renameInput = objectOf('A new name.', { name });
export const renamePasskeyInput = objectOf('A new name for a passkey.', { id: passkeyId, name });
