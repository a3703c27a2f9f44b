// Where a database is at this moment, and how it takes settings: learnt from each connection, for all later ones of the process.
import { type DatabaseAddress, readDatabaseUrl, urlOfHost } from '../../../config/database-url.js';

/** The database of a URL, as the process knows it. */
export interface Target {
  address: DatabaseAddress;
  /** The host to connect to next. */
  hostIndex: () => number;
  /** Lets later connections try the next host, unless they do so already. */
  moveOn: (from: number) => void;
  /** pg's URL of the present host. */
  url: () => string;
  /** Which settings a connection may carry from its start; proxies refuse some. */
  startUp: 'all' | 'tracked' | 'none';
  /** Whether a proxy lends connections of PostgreSQL by the transaction, so that sessions keep no settings. */
  isShared: boolean;
}

const targets = new Map<string, Target>();

/**
 * The target of a URL; there is one for each.
 * @throws Error of a URL that is not valid
 */
export function targetOf(url: string): Target {
  const known = targets.get(url);
  if (known !== undefined) return known;
  const address = readDatabaseUrl(url);
  let current = 0;
  const target: Target = {
    address,
    hostIndex: () => current,
    moveOn(from) {
      if (from === current) current = (current + 1) % address.hosts.length;
    },
    url: () => urlOfHost(address, current),
    startUp: 'all',
    isShared: false,
  };
  targets.set(url, target);
  return target;
}

/** The parameters of an attempt to connect, to compare with later ones. */
export type Attempt = Pick<Target, 'startUp'> & { hostIndex: number };

/** Notes how the next connection is tried. */
export const attemptAt = (target: Target): Attempt => ({
  startUp: target.startUp,
  hostIndex: target.hostIndex(),
});

/** Takes note of what a refused connection shows. @returns whether another attempt may succeed */
export function learnFrom(target: Target, error: unknown, { startUp, hostIndex }: Attempt): boolean {
  const message = error instanceof Error ? error.message : '';
  if (/unsupported startup parameter/i.test(message) && startUp !== 'none') {
    if (startUp === target.startUp) target.startUp = startUp === 'all' ? 'tracked' : 'none';
    return true;
  }
  if (target.address.hosts.length === 1 || (error as { isHopeless?: boolean }).isHopeless === true)
    return false;
  target.moveOn(hostIndex);
  return true;
}
