// Warns operators of settings that are valid but risky; nothing here stops a start.
import type { Config } from './load.js';
import { relyingPartyOf } from './relying-party.js';
import { type Setting, settings } from './settings.js';
import type { Env } from './sources.js';

/** Setting → its warning, for values that are risky in production. */
const inProduction: readonly [keyof typeof settings, (config: Config) => boolean, string][] = [
  ['isGraphiqlEnabled', (config) => config.isGraphiqlEnabled, 'is on: anonymous callers get GraphiQL'],
  [
    'isIntrospectionEnabled',
    (config) => config.isIntrospectionEnabled,
    'is on: anonymous callers can read the schema',
  ],
  ['logLevel', ({ logLevel }) => /^(debug|trace)$/.test(logLevel), 'is for debugging'],
  [
    'databaseUrl',
    ({ databaseUrl }) => databaseUrl === undefined,
    'is not set: the data is on this machine alone',
  ],
  ['redisUrl', ({ redisUrl }) => redisUrl === undefined, 'is not set: limits hold per instance'],
  [
    'auditSealKey',
    ({ auditSealKey }) => auditSealKey === undefined,
    'is not set: the owner of the database can forge seals',
  ],
  [
    'passkeyDomain',
    (config) => relyingPartyOf(config).id === 'localhost',
    'is not set, and PUBLIC_URL names no domain: passkeys work on localhost only',
  ],
  ['rateLimitPerMinute', (config) => config.rateLimitPerMinute === 0, 'is 0: users have no limit'],
  [
    'rateLimitAnonymousPerMinute',
    (config) => config.rateLimitAnonymousPerMinute === 0,
    'is 0: anonymous callers have no limit',
  ],
];

/** @returns one line for each warning: risky settings in production, and probably misspelt names */
export function noticesOf(config: Config, env: Env): string[] {
  const open = inProduction
    .filter(([, isSo]) => config.isProduction && isSo(config))
    .map(([key, , words]) => `${settings[key].name} ${words}`);
  return [...open, ...misspelt(env)];
}

function misspelt(env: Env): string[] {
  const known = Object.values<Setting>(settings).flatMap(({ name, secret }) =>
    secret ? [name, `${name}_FILE`] : [name],
  );
  return Object.keys(env)
    .filter((name) => name.length > 5 && !known.includes(name))
    .flatMap((name) => {
      const similar = known.find((other) => isNear(name, other));
      return similar === undefined ? [] : [`${name} is unknown; did you mean ${similar}?`];
    });
}

/** One letter added, lost or changed, or two neighbours swapped. */
function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1) return false;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  const [a, b] = [one.slice(start), other.slice(start)];
  const isSwapped = a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
  return isSwapped || a.slice(1) === b.slice(1) || a.slice(1) === b || a === b.slice(1);
}
