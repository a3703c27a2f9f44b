// Which addresses share a limit: one party holds one IPv4 address, but at least 2^64 addresses of IPv6.
import { isIPv6 } from 'node:net';

/**
 * The key that every limit by address counts under: an IPv4 address itself, the /64 of an IPv6 address.
 * @param address in canonical form; null when it is not known
 */
export function addressKey(address: string | null | undefined): string {
  if (address == null) return 'unknown';
  return isIPv6(address) ? `${leadingGroups(address, 4)}::/64` : address;
}

/**
 * The key of the range around an address, for limits that several parties share: the /24 of an IPv4 address, the /48 of an
 * IPv6 address. Providers assign both to some 256 customers, or to one organization.
 */
export function addressRangeKey(address: string | null | undefined): string {
  if (address == null) return 'unknown';
  if (isIPv6(address)) return `${leadingGroups(address, 3)}::/48`;
  return `${address.split('.').slice(0, 3).join('.')}/24`;
}

/** The first groups of an IPv6 address, with the zeros that `::` stands for. */
function leadingGroups(address: string, count: number): string {
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? [];
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const length = after.at(-1)?.includes('.') === true ? 7 : 8; // the last 32 bits may be written as IPv4
  const zeros = Array<string>(Math.max(0, length - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, count);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
