// The signature scheme of the tokens against Project Wycheproof's vectors: what jose and Node import and verify. How tokens are
// read is in tests/security/account/jwt.test.ts.
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { importJWK } from 'jose';

interface Vector {
  id: number;
  name: string;
  key: string;
  message: string;
  signature: string;
  isValid: boolean;
}

const { vectors } = JSON.parse(readFileSync('tests/fixtures/wycheproof/ed25519.json', 'utf8')) as {
  vectors: Vector[];
};
const bytes = (hex: string) => Buffer.from(hex, 'hex');

async function verifies({ key, message, signature }: Vector): Promise<boolean> {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes(key).toString('base64url') };
  const imported = (await importJWK(jwk, 'EdDSA')) as CryptoKey;
  return crypto.subtle.verify('Ed25519', imported, bytes(signature), bytes(message));
}

it('has valid and invalid vectors to try', () => {
  expect(vectors.filter(({ isValid }) => isValid).length).toBeGreaterThan(10);
  expect(vectors.filter(({ isValid }) => !isValid).length).toBeGreaterThan(50);
});

it.each(vectors)('$id, $name: valid is $isValid', async (vector) => {
  expect(await verifies(vector)).toBe(vector.isValid);
});
