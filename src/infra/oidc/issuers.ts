// Discovers, checks and caches the metadata and keys that issuers of tokens publish. A new key is found at once.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { LRUCache } from 'lru-cache';
import { allowInsecureRequests, customFetch, discovery, type ServerMetadata } from 'openid-client';
import { AppError } from '../../core/errors.js';
import { type BoundedFetch, issuerTimeoutMs } from './bounded-fetch.js';

/** Where an issuer is, and whether it may be reached by http. */
export interface IssuerOptions {
  issuer: string;
  allowInsecure: boolean;
}

interface Dependencies {
  fetch: BoundedFetch;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Metadata is believed for an hour. */
const metadataMs = 60 * 60_000;
/** Keys are believed for five minutes: a key that the issuer has withdrawn verifies nothing after that. */
const keysMs = 5 * 60_000;
/** An unknown key id has the keys fetched again, but not more often than this: anyone can invent key ids. */
const refetchMs = 5000;
/** After a failure, callers get it again for so long instead of waiting for the issuer. */
const failureMs = 3000;
const maxIssuers = 1000;

/** Discovers issuers and finds their keys. */
export type Issuers = ReturnType<typeof createIssuers>;

/** Creates the cache of a process. */
export function createIssuers({ fetch, now }: Dependencies) {
  const metadata = createShared<ServerMetadata>(now, metadataMs);
  const keySets = createShared<KeySet>(now, keysMs);

  /**
   * The metadata of an issuer.
   * @throws UNAVAILABLE when it cannot be reached, or says something else than it must
   */
  const discover = ({ issuer, allowInsecure }: IssuerOptions): Promise<ServerMetadata> =>
    metadata.get(issuer, () => fetchMetadata(fetch, issuer, allowInsecure));

  return {
    discover,

    /** A resolver for jose: the key that a token of this issuer names. Keys and addresses in the token itself count for nothing. */
    keysOf(options: IssuerOptions): JWTVerifyGetKey {
      return async (header, token) => {
        const { jwks_uri: uri } = await discover(options);
        const load = () => fetchKeys(fetch, uri as string);
        const keys = await keySets.get(uri as string, load);
        try {
          return await keys(header, token);
        } catch (error) {
          if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
          const renewed = await keySets.renew(uri as string, load);
          return renewed(header, token);
        }
      };
    },
  };
}

async function fetchMetadata(
  fetch: BoundedFetch,
  issuer: string,
  allowInsecure: boolean,
): Promise<ServerMetadata> {
  const config = await discovery(new URL(issuer), 'discovery', undefined, undefined, {
    [customFetch]: fetch,
    timeout: issuerTimeoutMs / 1000,
    ...(allowInsecure && { execute: [allowInsecureRequests] }),
  });
  const found = config.serverMetadata();
  if (found.issuer !== issuer) throw new Error('the metadata names another issuer');
  const endpoints = [
    found.jwks_uri,
    found.authorization_endpoint,
    found.token_endpoint,
    found.end_session_endpoint,
    found.device_authorization_endpoint,
  ];
  const isWrong = (url: string | undefined) =>
    url !== undefined &&
    !(URL.canParse(url) && (url.startsWith('https:') || (allowInsecure && url.startsWith('http:'))));
  if (found.jwks_uri == null || endpoints.some(isWrong))
    throw new Error('the metadata has an endpoint that is no https URL');
  return JSON.parse(JSON.stringify(found)) as ServerMetadata;
}

/** The keys of an issuer; each is imported once. */
type KeySet = ReturnType<typeof createLocalJWKSet>;

async function fetchKeys(fetch: BoundedFetch, uri: string): Promise<KeySet> {
  const response = await fetch(uri, { headers: { accept: 'application/json' } });
  if (response.status !== 200) throw new Error(`the keys came with status ${response.status}`);
  return createLocalJWKSet((await response.json()) as JSONWebKeySet);
}

interface Entry<Value> {
  value: Promise<Value>;
  at: number;
  failed: boolean;
  /** The last attempt to load it again, and when that began. */
  renewal: Promise<Value>;
  renewedAt: number;
}

/** A cache whose callers share one load; a failure is cached for a moment, as UNAVAILABLE. */
function createShared<Value>(now: () => number, ttlMs: number) {
  const entries = new LRUCache<string, Entry<Value>>({ max: maxIssuers });

  function get(key: string, load: () => Promise<Value>): Promise<Value> {
    const found = entries.get(key);
    if (found !== undefined && now() - found.at < (found.failed ? failureMs : ttlMs)) return found.value;
    const value = load().catch(unreachable);
    const entry: Entry<Value> = { value, at: now(), failed: false, renewal: value, renewedAt: now() };
    value.catch(() => {
      entry.failed = true;
    });
    entries.set(key, entry);
    return value;
  }

  return {
    get,

    /**
     * Loads a value again, for the caller who misses something in it; others go on with what is there, also when the load fails.
     * So nobody who invents key ids can take the keys away from everybody.
     */
    renew(key: string, load: () => Promise<Value>): Promise<Value> {
      const found = entries.get(key);
      if (found === undefined) return get(key, load);
      if (now() - found.renewedAt < refetchMs) return found.renewal;
      found.renewedAt = now();
      found.renewal = load().then((loaded) => {
        found.value = Promise.resolve(loaded);
        found.at = now();
        return loaded;
      }, unreachable);
      return found.renewal;
    },
  };
}

function unreachable(cause: unknown): never {
  throw new AppError('UNAVAILABLE', {
    message: 'The issuer of the token or identity provider gave no valid answer; try again shortly.',
    retryAfterSeconds: 5,
    cause,
  });
}
