// The ids by which a directory may know the user whom a token proves.
import { expect, it } from '@jest/globals';
import { identityOf } from '../../../src/features/sso/accounts.js';

const idsOf = (issuer: string, claims: Record<string, unknown>) =>
  identityOf({ id: 'main', issuer }, { subject: 'pairwise', claims }).directoryIds;
const entra = 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0';

it('are the subject and, of Entra, the object id: its subject is another one for each application', () => {
  expect(idsOf(entra, { oid: 'object' })).toEqual(['pairwise', 'object']);
  expect(idsOf('https://login.microsoftonline.us/tenant/v2.0', { oid: 'object' })).toEqual([
    'pairwise',
    'object',
  ]);
});

it('are the subject alone where another issuer sends an oid, or one that is no text', () => {
  for (const issuer of [
    'https://id.example.com',
    'https://login.microsoftonline.com.evil.test/tenant/v2.0',
    'https://evil.test/https://login.microsoftonline.com/',
    'http://login.microsoftonline.com/tenant/v2.0',
  ])
    expect(idsOf(issuer, { oid: 'object' })).toEqual(['pairwise']);
  expect(idsOf(entra, { oid: ['object'] })).toEqual(['pairwise']);
});
