// The zod shapes of settings, each with a message that names the expected value; settings.ts declares the settings.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { readDatabaseUrl } from './database-url.js';
import { readReplicaUrls } from './replica-url.js';

/** A private Ed25519 key (RFC 8037) that signs tokens; `kid` names it in the published key set. */
export type SigningJwk = {
  kty: 'OKP';
  crv: 'Ed25519';
  kid: string;
  /** The public half: 32 bytes in base64url. */
  x: string;
  /** The private half: 32 bytes in base64url. */
  d: string;
  alg?: 'EdDSA' | 'Ed25519';
  use?: 'sig';
};

/** @returns a shape that accepts decimal digits only, from min to max, and gives a number. */
export function wholeNumber(min: number, max: number, unit = '') {
  const expected = `a whole number from ${min} to ${max}${unit && ` (${unit})`}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: expected, abort: true })
    .transform(Number)
    .pipe(z.number().min(min, { error: expected }).max(max, { error: expected }));
}

/** @returns a shape that accepts a number of processes, or `auto` for one per core, and gives the number. */
export function workerCount() {
  const expected = 'auto, or a whole number from 1 to 64';
  return z
    .string()
    .regex(/^(auto|[1-9]\d?)$/, { error: expected, abort: true })
    .transform((given) => (given === 'auto' ? Math.min(availableParallelism(), 64) : Number(given)))
    .pipe(z.number().max(64, { error: expected }));
}

/** @returns a shape that accepts a number from 0 to 1 and gives it. */
export function share() {
  return z
    .string()
    .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, { error: 'a number from 0 to 1' })
    .transform(Number);
}

/** @returns a shape that accepts true/false, 1/0 and on/off in any case, and gives a boolean. */
export function flag() {
  return z.stringbool({
    truthy: ['true', '1', 'on'],
    falsy: ['false', '0', 'off'],
    error: 'true, false, 1, 0, on or off',
  });
}

/** @returns a shape that accepts one of the given words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(...words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

/** @returns a shape that accepts text matching the pattern, described by `expected`. */
export function text(pattern: RegExp, expected: string) {
  return z.string().regex(pattern, { error: expected });
}

/** @returns a shape that accepts a URL with one of the given schemes, as it was written. */
export function urlOf(...schemes: string[]) {
  const isWanted = (value: string) =>
    URL.canParse(value) && schemes.some((scheme) => new URL(value).protocol === `${scheme}:`);
  return z
    .string()
    .refine(isWanted, { error: `a URL that begins with ${schemes.map((s) => `${s}://`).join(' or ')}` });
}

/** @returns a shape that accepts a database URL in libpq's forms, as it was written; the fault never holds a password. */
export function databaseUrl() {
  return urlThat(readDatabaseUrl);
}

/** @returns a shape that accepts the URL of a standby in the same forms, as it was written. */
export function replicaUrl() {
  return urlThat(readReplicaUrls);
}

function urlThat(read: (url: string) => unknown) {
  return z.string().check(({ value, issues }) => {
    try {
      read(value);
    } catch (error) {
      issues.push({ code: 'custom', message: (error as Error).message, input: value });
    }
  });
}

/** @returns a shape that accepts an http or https URL without query, and gives it without a slash at its end. */
export function baseUrl() {
  const expected = 'an http or https URL without query and fragment, such as https://sec.example.com';
  const isBase = (value: string) =>
    /^https?:\/\/[^?#@]+$/.test(value) && URL.canParse(value) && !value.includes('*');
  return z
    .string()
    .refine(isBase, { error: expected, abort: true })
    .transform((value) => new URL(value).href.replace(/\/+$/, ''));
}

/** @returns a shape that accepts a path and gives it as an absolute one; `:` and the like do not work everywhere. */
export function path() {
  return z
    .string()
    .regex(/^([A-Za-z]:[\\/])?[^<>"|?*:\0]+$/, { error: 'a path without < > " | ? * or :', abort: true })
    .transform((value) => resolve(value));
}

/** @returns a shape that accepts a comma-separated list of exact web origins and gives them as a list. */
export function origins() {
  const expected = 'exact origins separated by commas, such as https://app.example.com (no path, no *)';
  const isOrigin = (value: string) =>
    /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;
  return z
    .string()
    .transform((value) =>
      [...new Set(value.split(',').map((part) => part.trim()))].filter((part) => part !== ''),
    )
    .refine((list) => list.every(isOrigin), { error: expected });
}

/** @returns a shape that accepts a domain name in lower case; an IP address is none. */
export function domain() {
  return text(
    /^(?=.{1,253}$)(?!\d+(?:\.\d+){3}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'a domain name in lower case, such as sec.example.com (no scheme, no port, no IP address)',
  );
}

/** @returns a shape that accepts some of the given words, separated by commas, and gives them as a list. */
export function words(...known: string[]) {
  return z
    .string()
    .transform((value) =>
      [...new Set(value.split(',').map((part) => part.trim()))].filter((part) => part !== ''),
    )
    .refine((list) => list.every((word) => known.includes(word)), {
      error: `some of ${known.join(', ')}, separated by commas`,
    });
}

// Faults of form abort, so that the pairs are compared only when each key is whole.
const raw32Bytes = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const signingKey = z.object(
  {
    kty: z.literal('OKP', { error: 'kty must be OKP' }),
    crv: z.literal('Ed25519', { error: 'crv must be Ed25519' }),
    kid: z
      .string({ error: 'kid is missing' })
      .regex(/^[\x21-\x7e]{1,128}$/, { error: 'kid must be 1 to 128 visible characters', abort: true }),
    x: z
      .string({ error: 'x is missing' })
      .regex(raw32Bytes, { error: 'x must be 32 bytes in base64url', abort: true }),
    d: z
      .string({ error: 'd is missing: the private key is needed' })
      .regex(raw32Bytes, { error: 'd must be 32 bytes in base64url', abort: true }),
    alg: z.enum(['EdDSA', 'Ed25519'], { error: 'alg must be EdDSA' }).optional(),
    use: z.literal('sig', { error: 'use must be sig' }).optional(),
  },
  { error: 'each key must be an object' },
);

/** @returns a shape that accepts Ed25519 private JWKs as JSON, a list or `{ "keys": [...] }`, and gives the list. */
export function signingKeys() {
  const expected = 'a JSON list of private Ed25519 JWKs, or {"keys": [...]}, at least one';
  return z
    .string()
    .transform((value, context) => {
      try {
        const parsed: unknown = JSON.parse(value);
        return Array.isArray(parsed) ? parsed : (parsed as { keys?: unknown } | null)?.keys;
      } catch {
        context.addIssue({ code: 'custom', message: `${expected}; this is not JSON` });
        return z.NEVER;
      }
    })
    .pipe(z.array(signingKey, { error: expected }).min(1, { error: expected }))
    .refine((keys) => new Set(keys.map((key) => key.kid)).size === keys.length, {
      error: `${expected}; each kid must be used once`,
    })
    .refine((keys) => keys.every(isPair), { error: `${expected}; x must be the public half of d` });
}

function isPair(key: SigningJwk): boolean {
  const { x, d } = key;
  const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
  return createPublicKey(privateKey).export({ format: 'jwk' }).x === x;
}
