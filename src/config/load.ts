// Turns the environment into one checked, frozen configuration; settings.ts declares the settings.
import type { z } from 'zod';
import { isWithin, relyingPartyOf } from './relying-party.js';
import type { SigningJwk } from './schemas.js';
import { type Environment, type Setting, settings as table } from './settings.js';
import { type Env, givenText, quoted, type SettingSource, sourceOf } from './sources.js';

/** Every setting by its key in the configuration. */
export const settings = table;

type Table = typeof table;
type Key = keyof Table;
type KeyWithDefault = { [K in Key]: Table[K] extends { default: unknown } ? K : never }[Key];
type ValueOf<K extends Key> = z.output<Table[K]['schema']>;
type Values = { [K in KeyWithDefault]: ValueOf<K> } & { [K in Exclude<Key, KeyWithDefault>]?: ValueOf<K> };
type Argon2Key = 'argon2MemoryKib' | 'argon2Iterations' | 'argon2Parallelism';

/**
 * The settings in force. Units are in the names; keys without a default may be absent. Everything in it is frozen.
 * Without `databaseUrl` the database is the embedded one, without `redisUrl` shared things live in the process.
 */
export type Config = Readonly<
  Omit<Values, Argon2Key> & {
    isProduction: boolean;
    /** Cost of one Argon2id hash (RFC 9106). */
    argon2: Readonly<{ memoryKib: number; iterations: number; parallelism: number }>;
  }
>;

export type { Env, SigningJwk };

/** A setting as documentation shows it; `default` is words, `example` is text the environment takes. */
export type SettingDescription = {
  name: string;
  group: string;
  description: string;
  default: string;
  example: string;
  secret: boolean;
};

/** A setting in force; `value` is `set` or `unset` for secrets. */
export type ExplainedSetting = { name: string; value: string; source: SettingSource };

/**
 * Reads, checks and freezes the configuration.
 *
 * @param env names to text, usually the process's own; an empty text counts as unset, unknown names are ignored
 * @returns the configuration, frozen all the way down
 * @throws Error listing every fault, one per line as `NAME: what is wrong and what is expected`; it never holds
 *   the value of a secret
 */
export function loadConfig(env: Env): Config {
  const faults: string[] = [];
  const environment = environmentOf(env);
  const read = (setting: Setting) => {
    try {
      return readSetting(setting, env, environment);
    } catch (fault) {
      faults.push(`${setting.name}: ${(fault as Error).message}`);
      return undefined;
    }
  };
  const entries = Object.entries<Setting>(table).map(([key, setting]) => [key, read(setting)]);
  const values = Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Values;
  // A setting that is wrong is not missing too.
  const isNamed = (fault: string) => faults.some((other) => other.split(':')[0] === fault.split(':')[0]);
  faults.push(
    ...faultsBetween(values, isGiven(env, table.jwtSigningKeys)).filter((fault) => !isNamed(fault)),
  );
  if (faults.length === 0) faults.push(...faultsOfPasskeys(values));
  if (faults.length > 0) throw new Error(faults.join('\n'));

  const { argon2MemoryKib, argon2Iterations, argon2Parallelism, ...rest } = values;
  return deepFreeze({
    ...rest,
    isProduction: rest.environment === 'production',
    argon2: { memoryKib: argon2MemoryKib, iterations: argon2Iterations, parallelism: argon2Parallelism },
  });
}

/** @returns every setting with its words and default, in the order people read them. */
export function describeSettings(): SettingDescription[] {
  return Object.values<Setting>(table).map((setting) => ({
    name: setting.name,
    group: setting.group,
    description: setting.description,
    default: defaultInWords(setting),
    example: defaultText(setting, 'development') ?? '',
    secret: setting.secret === true,
  }));
}

/**
 * Tells what is in force and where it came from, without secrets.
 *
 * @param config what {@link loadConfig} made of `env`
 * @param env the environment that was read
 * @returns one row per setting, in the order people read them
 */
export function explainConfig(config: Config, env: Env): ExplainedSetting[] {
  const { memoryKib, iterations, parallelism } = config.argon2;
  const values: Record<string, unknown> = {
    ...config,
    argon2MemoryKib: memoryKib,
    argon2Iterations: iterations,
    argon2Parallelism: parallelism,
  };
  return Object.entries<Setting>(table).map(([key, setting]) => ({
    name: setting.name,
    value: shown(values[key], setting),
    source: sourceOf(setting, env),
  }));
}

function environmentOf(env: Env): Environment {
  const parsed = table.environment.schema.safeParse(env.NODE_ENV?.trim());
  return parsed.success ? parsed.data : 'development';
}

function readSetting(setting: Setting, env: Env, environment: Environment): unknown {
  const given = givenText(setting, env);
  const text = given ?? defaultText(setting, environment);
  if (text === undefined) return undefined;
  const parsed = setting.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const expected = [...new Set(parsed.error.issues.map(inWords))].join('; ');
  const wrong = setting.secret ? 'the value given (not shown) is wrong' : `${quoted(text)} is wrong`;
  throw new Error(`${wrong}, expected ${expected}`);
}

function inWords(issue: z.core.$ZodIssue): string {
  const [index] = issue.path;
  return typeof index === 'number' ? `key ${index + 1}: ${issue.message}` : issue.message;
}

function faultsBetween(values: Values, isKeysGiven: boolean): string[] {
  const faults: string[] = [];
  const { environment, sessionTtlSeconds, refreshIdleTtlSeconds, argon2MemoryKib, argon2Iterations } = values;
  if (sessionTtlSeconds < refreshIdleTtlSeconds) {
    faults.push(
      `SESSION_TTL_SECONDS: "${sessionTtlSeconds}" is too short, expected at least REFRESH_IDLE_TTL_SECONDS (${refreshIdleTtlSeconds})`,
    );
  }
  const isTest = environment === 'test';
  const memoryFloor = Math.max(isTest ? 8 : 19_456, 8 * (values.argon2Parallelism ?? 1));
  if (argon2MemoryKib < memoryFloor) {
    faults.push(
      `ARGON2_MEMORY_KIB: "${argon2MemoryKib}" is too weak, expected at least ${memoryFloor} (KiB)`,
    );
  }
  if (!isTest && argon2Iterations < 2) {
    faults.push(`ARGON2_ITERATIONS: "${argon2Iterations}" is too weak, expected at least 2 (passes)`);
  }
  if (environment === 'production' && values.databaseUrl !== undefined && !isKeysGiven) {
    faults.push(
      'JWT_SIGNING_KEYS: not set, expected private Ed25519 JWKs: production with DATABASE_URL needs keys that last',
    );
  }
  if (values.databaseReadUrl !== undefined && values.databaseUrl === undefined)
    faults.push(
      'DATABASE_URL: not set, expected it with DATABASE_READ_URL: the embedded database has no standby',
    );
  if (environment === 'production' && values.oidcProviders !== undefined && values.publicUrl === undefined)
    faults.push('PUBLIC_URL: not set, expected it with OIDC_PROVIDERS: providers send browsers back to it');
  faults.push(...faultsOfMail(values));
  if (!values.isPasswordSignInEnabled && (values.oidcProviders?.length ?? 0) === 0)
    faults.push('PASSWORD_SIGN_IN: "false" locks everybody out, expected OIDC_PROVIDERS with it');
  if (!values.isPasswordSignInEnabled && values.breakGlassAdmin === undefined)
    faults.push('BREAK_GLASS_ADMIN: not set, expected it where PASSWORD_SIGN_IN is false');
  if (environment === 'production' && values.isMetricsEnabled && values.metricsToken === undefined) {
    faults.push(
      'METRICS_TOKEN: not set, expected it with METRICS: in production /metrics is not for everyone',
    );
  }
  return faults;
}

function faultsOfMail({ smtpUrl, smtpPassword, smtpFrom, publicUrl, passwordLinkUrl }: Values): string[] {
  if (smtpUrl === undefined) return [];
  const faults: string[] = [];
  if (smtpFrom === undefined) faults.push('SMTP_FROM: not set, expected the sender of mails with SMTP_URL');
  if (publicUrl === undefined && passwordLinkUrl === undefined)
    faults.push(
      'PUBLIC_URL: not set, expected it or PASSWORD_LINK_URL with SMTP_URL: links in mails lead there',
    );
  if (smtpPassword !== undefined && smtpUrl.user === undefined)
    faults.push('SMTP_URL: has no user, expected one with SMTP_PASSWORD: smtp://user@host');
  if (smtpPassword !== undefined && smtpUrl.password !== undefined)
    faults.push('SMTP_PASSWORD: is given twice, expected it here or in SMTP_URL');
  return faults;
}

function faultsOfPasskeys(values: Values): string[] {
  const { id, origins } = relyingPartyOf(values);
  if (values.passkeyDomain !== undefined && origins.length === 0)
    return [
      `WEBAUTHN_ORIGINS: not set, expected it with WEBAUTHN_RP_ID: neither PUBLIC_URL nor CORS_ORIGINS is on the domain ${id} of the passkeys`,
    ];
  return origins
    .filter((origin) => !isWithin(origin, id))
    .map((origin) => `WEBAUTHN_ORIGINS: "${origin}" is not on the domain ${id} of the passkeys`);
}

function isGiven(env: Env, setting: Setting): boolean {
  return sourceOf(setting, env) !== 'default';
}

function shown(value: unknown, setting: Setting): string {
  if (value === undefined) return 'unset';
  if (setting.secret) return 'set';
  return Array.isArray(value) ? value.join(',') || 'none' : String(value);
}

function defaultText(setting: Setting, environment: Environment): string | undefined {
  return typeof setting.default === 'object' ? setting.default[environment] : setting.default;
}

function defaultInWords({ default: fallback }: Setting): string {
  if (typeof fallback !== 'object') return fallback ?? '';
  const { development, ...others } = fallback;
  const different = Object.entries(others).filter(([, value]) => value !== development);
  return `${development} (${different.map(([environment, value]) => `${value} in ${environment}`).join(', ')})`;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
