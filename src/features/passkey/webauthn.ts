// WebAuthn Level 3: the options that browsers get, and the verification of what authenticators answer. It stores nothing.
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { RelyingParty } from '../../config/relying-party.js';
import { ceremonySeconds, challengeOf } from './ceremonies.js';
import type { AssertionResponse, EnrolmentResponse } from './passkey.input.js';

/** COSE algorithms of keys: Ed25519, ES256, RS256. None that a later Node.js adds, since instances share the passkeys. */
const algorithms = [-8, -7, -257];

/** A credential as browsers name it. */
export interface CredentialName {
  credentialId: string;
  transports: string[];
}

/** Options for `navigator.credentials.create()`. */
export function creationOptions(
  party: RelyingParty,
  challenge: string,
  user: { handle: string; email: string; name: string },
  existing: readonly CredentialName[],
) {
  return {
    challenge,
    rp: { id: party.id, name: 'SEC-TESTER' },
    user: { id: user.handle, name: user.email, displayName: user.name },
    pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key' as const, alg })),
    timeout: ceremonySeconds * 1000,
    attestation: 'none' as const,
    excludeCredentials: existing.map(({ credentialId: id, transports }) => ({
      type: 'public-key' as const,
      id,
      transports,
    })),
    // Discoverable: a sign-in then names no credentials, so that nobody learns whose there are.
    authenticatorSelection: {
      residentKey: 'required' as const,
      requireResidentKey: true,
      userVerification: 'required' as const,
    },
  };
}

/** Options for `navigator.credentials.get()`, the same for everybody. */
export const requestOptions = (party: RelyingParty, challenge: string) => ({
  challenge,
  rpId: party.id,
  timeout: ceremonySeconds * 1000,
  userVerification: 'required' as const,
});

/** A credential that an authenticator has made. */
export interface NewCredential {
  credentialId: string;
  publicKey: Uint8Array;
  counter: number;
  isSynced: boolean;
}

/** Contents of a verified answer. */
export interface VerifiedAssertion {
  counter: number;
  isSynced: boolean;
}

/** Why an answer is refused, for the log. */
export interface Refusal {
  refusal: string;
}

/** Verifies the answer to {@link creationOptions} (WebAuthn, section 7.1). */
export async function verifyEnrolment(
  party: RelyingParty,
  state: string,
  response: EnrolmentResponse,
): Promise<NewCredential | Refusal> {
  const verified = await attempt(async () => {
    const { verifyRegistrationResponse } = await library();
    assertOwnFrame(response.response.clientDataJSON);
    await assertUnattested(response.response.attestationObject);
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...response, clientExtensionResults: {} } as RegistrationResponseJSON, // its transports may be absent
      ...expectedOf(party, state),
      supportedAlgorithmIDs: algorithms,
    });
    return registrationInfo;
  });
  if ('refusal' in verified) return verified;
  const { credential, credentialBackedUp } = verified;
  const { id, publicKey, counter } = credential;
  return { credentialId: id, publicKey, counter, isSynced: credentialBackedUp };
}

/**
 * Verifies the answer to {@link requestOptions} (WebAuthn, section 7.2), except that its counter grows: that is one
 * conditional statement on the stored one.
 */
export async function verifyAssertion(
  party: RelyingParty,
  state: string,
  response: AssertionResponse,
  publicKey: Uint8Array,
): Promise<VerifiedAssertion | Refusal> {
  const verified = await attempt(async () => {
    const { verifyAuthenticationResponse } = await library();
    assertOwnFrame(response.response.clientDataJSON);
    const { verified: isSigned, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...response, clientExtensionResults: {} } as AuthenticationResponseJSON,
      ...expectedOf(party, state),
      credential: { id: response.id, publicKey: Uint8Array.from(publicKey), counter: 0 },
    });
    return isSigned ? authenticationInfo : undefined;
  });
  if ('refusal' in verified) return verified;
  const { newCounter, credentialBackedUp } = verified;
  return { counter: newCounter, isSynced: credentialBackedUp };
}

/** Megabytes of certificates and formats that only those keep in memory who use passkeys. */
const library = () => import('@simplewebauthn/server');
// biome-ignore lint/style/noRestrictedImports: a package of that name, not the layer
const helpers = () => import('@simplewebauthn/server/helpers');

const expectedOf = (party: RelyingParty, state: string) => ({
  expectedChallenge: challengeOf(state),
  expectedOrigin: [...party.origins],
  expectedRPID: party.id,
  requireUserVerification: true,
});

/** The library throws for most faults of an answer; for a wrong signature it says so. */
async function attempt<Info extends object>(
  verify: () => Promise<Info | undefined>,
): Promise<Info | Refusal> {
  try {
    return (await verify()) ?? { refusal: 'the signature is wrong' };
  } catch (error) {
    return { refusal: (error as Error).message };
  }
}

/** @throws Error for an answer that a page got in a frame of another site */
function assertOwnFrame(clientDataJSON: string): void {
  const { crossOrigin } = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8'));
  if (crossOrigin === true) throw new Error('the page was in a frame of another site');
}

/**
 * Browsers remove attestations that nobody asked for, but for the key's own signature. Certificates are not read at all.
 * @throws Error for an attestation
 */
async function assertUnattested(attestationObject: string): Promise<void> {
  const { decodeAttestationObject, isoBase64URL } = await helpers();
  const decoded = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject));
  const format = decoded.get('fmt');
  const isOwn = format === 'packed' && decoded.get('attStmt').get('x5c') === undefined;
  if (format !== 'none' && !isOwn) throw new Error(`an attestation that was not asked for: ${format}`);
}
