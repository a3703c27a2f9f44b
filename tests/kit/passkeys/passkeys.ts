// Enrols passkeys and signs in with them over REST, for the tests about them.
import type { RestAnswer, TestServer } from '../harness.js';
import { createPerson, type Person } from '../seed.js';
import { Authenticator, type Deviation } from './authenticator.js';

/** Where the test servers believe to be. */
export const site = { origin: 'https://sec.example.com', rpId: 'sec.example.com' } as const;

/** Settings of a server with passkeys at that place. */
export const siteEnv = { PUBLIC_URL: site.origin };

const base = '/api/v1/auth/passkeys';

/** Options of an enrolment in a session, with their state. */
export async function enrolmentOptions(server: TestServer, token: string) {
  const answer = await server.rest('POST', `${base}/enrolment/options`, { token });
  if (answer.status !== 200) throw new Error(`enrolment: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** An enrolment, whatever comes of it. */
export async function tryEnrol(
  server: TestServer,
  token: string,
  authenticator: Authenticator,
  deviation: Deviation = {},
): Promise<RestAnswer> {
  const { state, options } = await enrolmentOptions(server, token);
  return server.rest('POST', `${base}/enrolment/verify`, {
    token,
    body: { state, name: 'Key', response: authenticator.create(options, deviation) },
  });
}

/** A user with a passkey. */
export interface PasskeyOwner extends Person {
  authenticator: Authenticator;
  passkeyId: string;
  recoveryCodes: string[];
}

/** A new user who has enrolled this authenticator. */
export async function createOwner(
  server: TestServer,
  adminToken: string,
  authenticator: Authenticator = new Authenticator(site.origin),
): Promise<PasskeyOwner> {
  const person = await createPerson(server, adminToken, 'VIEWER');
  const { status, body } = await tryEnrol(server, person.token, authenticator);
  if (status !== 200) throw new Error(`enrolment: ${JSON.stringify(body)}`);
  return { ...person, authenticator, passkeyId: body.passkey.id, recoveryCodes: body.recoveryCodes };
}

/** Options of a sign-in, with their state. */
export async function loginOptions(server: TestServer) {
  return (await server.rest('POST', `${base}/login/options`)).body;
}

/** A proof for a sign-in that this server has begun. */
export async function proofOf(server: TestServer, authenticator: Authenticator, deviation: Deviation = {}) {
  const { state, options } = await loginOptions(server);
  return { state, response: authenticator.get(options, deviation) };
}

/** Sends a proof instead of a password, whatever comes of it. */
export function sendProof(
  server: TestServer,
  proof: object,
  more: { token?: string; headers?: Record<string, string> } = {},
): Promise<RestAnswer> {
  return server.rest('POST', `${base}/login/verify`, { body: proof, ...more });
}

/** A sign-in with a passkey alone, whatever comes of it. */
export async function tryPasskey(
  server: TestServer,
  authenticator: Authenticator,
  deviation: Deviation = {},
): Promise<RestAnswer> {
  return sendProof(server, await proofOf(server, authenticator, deviation));
}

/** What came of a sign-in: "signed in", or the error's code. */
export const outcomeOf = ({ status, body }: RestAnswer): string => (status === 200 ? 'signed in' : body.code);
