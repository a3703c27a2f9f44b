// Signing in on another device over REST, for command lines on machines without a browser.
import { z } from 'zod';
import { defineRoute, type Route } from '../../../rest/route.js';
import { devicePollInput, providerParams } from '../sso.input.js';
import type { SsoDevice } from './sso.device.js';

const text = (max: number) => z.string().max(max);
const seconds = z.int().min(0).max(2_147_483_647);

const codesBody = z
  .strictObject({
    deviceCode: text(4096).describe('Secret to poll with.'),
    userCode: text(200).describe('Code that the user types at the provider.'),
    verificationUri: text(2000).describe('Address of the provider that the user opens on any device.'),
    verificationUriComplete: text(4000).nullable().describe('The same address with the code in it.'),
    expiresIn: seconds.describe('Seconds until the codes expire.'),
    interval: seconds.describe('Shortest time between two polls, in seconds.'),
  })
  .meta({ id: 'DeviceCodes', description: 'Codes of a sign-in on another device (RFC 8628).' });

const pollBody = z
  .strictObject({
    state: z
      .enum(['PENDING', 'SLOW_DOWN', 'DONE'])
      .describe('Whether the user has signed in. After SLOW_DOWN wait five seconds longer between polls.'),
    code: text(200).optional().describe('When DONE: the one-time code for auth/oidc/token.'),
  })
  .meta({ id: 'DevicePoll', description: 'What the provider says of a sign-in on another device.' });

/** Routes under /api/v1/auth/oidc/{provider}/device. */
export function ssoDeviceRoutes({ ssoDevice }: { ssoDevice: SsoDevice }): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/oidc/{provider}/device',
      operationId: 'startDeviceSignIn',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Start a sign-in on another device',
      description:
        'Gets codes from the identity provider (RFC 8628): the user opens the address on a phone or another computer and types the code, while the caller polls. The body may be left out.',
      params: providerParams,
      body: z.strictObject({}).describe('Nothing.'),
      bodyExample: {},
      isBodyOptional: true,
      responses: {
        200: {
          description: 'The codes.',
          schema: codesBody,
          example: {
            deviceCode: 'a-device-code',
            userCode: 'WDJB-MJHT',
            verificationUri: 'https://id.example.com/device',
            verificationUriComplete: 'https://id.example.com/device?user_code=WDJB-MJHT',
            expiresIn: 600,
            interval: 5,
          },
        },
      },
      errors: ['VALIDATION_FAILED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ params }) => ({ body: await ssoDevice.start(params.provider) }),
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/auth/oidc/{provider}/device/poll',
      operationId: 'pollDeviceSignIn',
      tag: 'Authentication',
      permission: 'public',
      summary: 'Ask about a sign-in on another device',
      description:
        'Asks the identity provider once whether the user has signed in. When DONE, exchange the code with its PKCE verifier at auth/oidc/token.',
      params: providerParams,
      body: devicePollInput,
      bodyExample: {
        deviceCode: 'a-device-code',
        codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      },
      responses: { 200: { description: 'The state.', schema: pollBody, example: { state: 'PENDING' } } },
      errors: ['VALIDATION_FAILED', 'UNAUTHENTICATED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
      handle: async ({ params, body }) => ({
        body: await ssoDevice.poll(params.provider, body.deviceCode, body.codeChallenge),
      }),
    }),
  ];
}
