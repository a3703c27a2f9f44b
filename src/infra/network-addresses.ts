// Decides which addresses the server may reach for admins, so that no URL of theirs leads it into the inner network.
import { lookup as lookupName } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** IANA's special-purpose blocks that are not globally reachable, and blocks that embed an IPv4 address. */
const blocked = new BlockList();
for (const [net, prefix] of [
  ...([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 3],
  ] as const),
])
  blocked.addSubnet(net, prefix, 'ipv4');
/** Only 2000::/3 is globally routed; these lie within it. */
for (const [net, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  blocked.addSubnet(net, prefix, 'ipv6');
const routed = new BlockList();
routed.addSubnet('2000::', 3, 'ipv6');

/** Whether an address lies outside of private, loopback, link-local and other special networks. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address.replace(/%.*$/, ''));
  if (family === 4) return !blocked.check(address, 'ipv4');
  return family === 6 && routed.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
}

/** The error for an address that must not be reached. */
export class PrivateAddressError extends Error {
  constructor() {
    super('the name resolves to a private address');
  }
}

/** Resolves a name to all of its addresses. */
export type ResolveName = (
  name: string,
  done: (error: Error | null, addresses: { address: string; family: number }[]) => void,
) => void;

const resolveAll: ResolveName = (name, done) => lookupName(name, { all: true, verbatim: true }, done);

/**
 * Makes a look-up for node:http that gives only public addresses: the checked address is the one that is connected to, so a
 * name that resolves to another one the second time gains nothing.
 */
export function checkedLookup(resolve: ResolveName = resolveAll): LookupFunction {
  return (name, options, callback) => {
    resolve(name, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address)))
        return callback(new PrivateAddressError(), []);
      if (options.all === true) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

/**
 * Says what is wrong with a URL that an admin gave; undefined when nothing is.
 * @param isPrivateAllowed whether http and private addresses are allowed
 */
export function faultOfUrl(text: string, isPrivateAllowed: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) return 'must be an https URL';
  if (url.username !== '' || url.password !== '') return 'must not contain a user or a password';
  if (url.hash !== '') return 'must not contain a fragment';
  if (isPrivateAllowed) return undefined;
  if (url.protocol !== 'https:') return 'must be an https URL';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isPrivate = isIP(host) !== 0 ? !isPublicAddress(host) : /(?:^|\.)localhost\.?$/.test(host);
  return isPrivate ? 'must not be a private, loopback or link-local address' : undefined;
}
