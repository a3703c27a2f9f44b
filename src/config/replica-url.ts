// Reads DATABASE_READ_URL: the forms of DATABASE_URL, as one URL for each host, since only one of them is used at a time.
import { readDatabaseUrl, urlOfHost } from './database-url.js';

const standbyAttributes = new Set(['any', 'standby', 'prefer-standby', 'read-only']);

/**
 * The URL of each host, in the order in which they are tried.
 * @throws Error that says what is wrong with it, without the password
 */
export function readReplicaUrls(url: string): string[] {
  const attributes = /[?&]target_session_attrs=([^&#]*)/.exec(url)?.[1];
  if (attributes !== undefined && !standbyAttributes.has(attributes))
    throw new Error('a URL with target_session_attrs of standby, prefer-standby, read-only or any');
  const address = readDatabaseUrl(url.replace(/([?&]target_session_attrs=)[^&#]*/, '$1any'));
  const options = address.options === '' ? '' : `&options=${encodeURIComponent(address.options)}`;
  return address.hosts.map((_host, index) => `${urlOfHost(address, index)}${options}`);
}
