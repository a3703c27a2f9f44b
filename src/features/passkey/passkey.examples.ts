// Examples of passkeys over REST, for openapi.yaml. None of the keys is real.

const passkey = {
  id: 'pky_01945c3e-8a00-7000-8000-00000000000a',
  name: 'Work laptop',
  isSynced: false,
  createdAt: '2026-01-31T09:30:00.000Z',
  lastUsedAt: null,
};
const state = 'Zk1xZ0hPc0tqV3ZfUmVQb2NhbGxfbWVfSXNobWFlbA8';
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const credential = { id: 'AWJj3VxHY2VkZW50aWFs', rawId: 'AWJj3VxHY2VkZW50aWFs', type: 'public-key' as const };
const timeout = 300_000;

export const passkeyExamples = {
  passkey,
  enrolled: { passkey, recoveryCodes: ['abcd-efgh-ijkl-mnop'] },
  creation: {
    state,
    options: {
      challenge,
      rp: { id: 'sec.example.com', name: 'SEC-TESTER' },
      user: {
        id: '3yLSjXsCVGQ5AzgmYOkVdHj-GG7Oe5tWV1HGEwhMHXM',
        name: 'ana@example.com',
        displayName: 'Ana Ruiz',
      },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: 'public-key' as const, alg })),
      timeout,
      attestation: 'none' as const,
      excludeCredentials: [],
      authenticatorSelection: {
        residentKey: 'required' as const,
        requireResidentKey: true as const,
        userVerification: 'required' as const,
      },
    },
  },
  request: {
    state,
    options: { challenge, rpId: 'sec.example.com', timeout, userVerification: 'required' as const },
  },
  confirmation: {
    state,
    name: passkey.name,
    response: {
      ...credential,
      response: {
        clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0',
        attestationObject: 'o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YQ',
        transports: ['internal'],
      },
    },
  },
  proof: {
    state,
    response: {
      ...credential,
      response: {
        clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0',
        authenticatorData: 'SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ',
        signature: 'MEUCIQDPhS1yJkTbd0VGVpdYTsEEKHZK',
        userHandle: '3yLSjXsCVGQ5AzgmYOkVdHj-GG7Oe5tWV1HGEwhMHXM',
      },
    },
  },
};
