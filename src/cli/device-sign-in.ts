// Signs in at an identity provider for the command login: with a browser here, or by a code for another device (RFC 8628).
import { setTimeout as sleep } from 'node:timers/promises';
import { choose, createPkce, providersOf, redeemCode, signInWithBrowser } from './browser-sign-in.js';
import type { Context } from './context.js';
import { failure, isFailure } from './failure.js';
import { problemOf, send } from './http.js';
import { plain } from './output.js';
import type { Tokens } from './session.js';

interface Codes {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | null;
  expiresIn: number;
  interval: number;
}

/** Seconds that a poll waits longer when the provider asks for it (RFC 8628, 3.5). */
const slowDownBy = 5;

/**
 * Signs in with a browser here or, where that is wanted, on another device. Over SSH, where a browser cannot come back, by another
 * device if the provider has codes.
 * @param wanted id of the provider; needed only where the server has several
 * @throws Failure
 */
export async function signInAtProvider(
  context: Context,
  wanted: string | undefined,
  isOnOtherDevice: boolean | undefined,
): Promise<Tokens> {
  if (isOnOtherDevice) return signInWithDevice(context, wanted);
  if (!context.surroundings.env.SSH_CONNECTION) return signInWithBrowser(context, wanted);
  return signInWithDevice(context, wanted).catch((error: unknown) => {
    if (isFailure(error) && error.code === 'NOT_FOUND') return signInWithBrowser(context, wanted);
    throw error;
  });
}

/**
 * Signs in on another device.
 * @param wanted id of the provider; needed only where the server has several
 * @throws Failure when the user refuses, nobody signs in in time, or the provider has no device codes
 */
async function signInWithDevice(context: Context, wanted: string | undefined): Promise<Tokens> {
  const { server, printer } = context;
  const { id } = choose(await providersOf(server), wanted);
  const path = `api/v1/auth/oidc/${id}/device`;
  const started = await send(server, path, {}, { isRepeatable: true });
  if (started.status !== 200) throw problemOf(started);
  const codes = started.body as Codes;
  printer.note(
    `Open ${plain(codes.verificationUri)} on any device and enter the code ${plain(codes.userCode)}`,
  );
  if (codes.verificationUriComplete !== null) printer.note(`Or open ${plain(codes.verificationUriComplete)}`);
  const { verifier, codeChallenge } = createPkce();
  const until = Date.now() + codes.expiresIn * 1000;
  for (let interval = codes.interval; Date.now() < until; ) {
    await sleep(interval * 1000);
    const answer = await send(server, `${path}/poll`, { deviceCode: codes.deviceCode, codeChallenge }).catch(
      (error: unknown) => {
        // A poll that gets lost is asked again.
        if (isFailure(error) && error.code === 'UNREACHABLE') return undefined;
        throw error;
      },
    );
    if (answer === undefined || answer.status === 503 || answer.status === 429) {
      interval += slowDownBy;
      continue;
    }
    if (answer.status !== 200) throw problemOf(answer);
    const { state, code } = answer.body as { state: string; code?: string };
    if (code !== undefined) return redeemCode(context, code, verifier);
    if (state === 'SLOW_DOWN') interval += slowDownBy;
  }
  throw failure('Nobody has signed in before the code expired', { code: 'UNAUTHENTICATED' });
}
