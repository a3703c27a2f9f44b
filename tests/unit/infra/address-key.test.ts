// Which addresses share a limit.
import { expect, it } from '@jest/globals';
import { addressKey, addressRangeKey } from '../../../src/infra/rate-limiting/address-key.js';

it.each([
  ['203.0.113.7', '203.0.113.7', '203.0.113/24'],
  ['2001:db8::7', '2001:db8:0:0::/64', '2001:db8:0::/48'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['::1', '0:0:0:0::/64', '0:0:0::/48'],
  ['::203.0.113.7', '0:0:0:0::/64', '0:0:0::/48'],
  ['2001:db8:1:2:3:4:203.0.113.7', '2001:db8:1:2::/64', '2001:db8:1::/48'],
  [null, 'unknown', 'unknown'],
])('%s counts as %s, in the range %s', (address, key, range) => {
  expect([addressKey(address), addressRangeKey(address)]).toEqual([key, range]);
});
