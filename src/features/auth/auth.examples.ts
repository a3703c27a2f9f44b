// Examples of sign-in over REST, for openapi.yaml. None of the tokens is real.

const user = {
  id: 'usr_01945c3e-8a00-7000-8000-000000000001',
  email: 'ana@example.com',
  name: 'Ana Ruiz',
  role: 'ANALYST',
  status: 'ACTIVE',
  lastLoginAt: '2026-01-31T09:30:00.000Z',
  createdAt: '2026-01-05T08:00:00.000Z',
  updatedAt: '2026-01-31T09:30:00.000Z',
};

const password = 'plum violin 4482 meadow crane';

export const authExamples = {
  credentials: { email: user.email, password },
  refresh: { refreshToken: 'header.claims-of-refresh.signature' },
  change: { currentPassword: password, newPassword: 'walnut ferry 6204 lagoon tile' },
  choice: { token: 'the-token-of-your-invitation', newPassword: password },
  user,
  tokens: {
    accessToken: 'header.claims-of-access.signature',
    refreshToken: 'header.claims-of-refresh.signature',
    tokenType: 'Bearer',
    expiresIn: 900,
    refreshExpiresIn: 604_800,
    deviceToken: 'header.claims-of-device.signature',
    user,
  },
  keys: {
    keys: [
      {
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'EdDSA',
        use: 'sig',
        kid: 'example',
        x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
      },
    ],
  },
};
