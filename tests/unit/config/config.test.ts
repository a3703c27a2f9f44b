// Settings: what is read, what is refused and in which words, and what is printed about them; no server is started.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { checkConfig } from '../../../src/admin/config-check.js';
import { describeSettings, type Env, explainConfig, loadConfig, settings } from '../../../src/config/load.js';
import { relyingPartyOf } from '../../../src/config/relying-party.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const databaseUrl = 'postgres://app:hunter2@db:5432/app';
const rawKey = (kid: string) => ({
  ...(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as { x: string; d: string }),
  kid,
});

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** @returns the lines of the fault, none when there is no fault */
function faults(env: Env): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

describe('defaults', () => {
  it('an empty environment gives a development server on the loopback address', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      environment: 'development',
      isProduction: false,
      host: '127.0.0.1',
      port: 4000,
      databasePoolMax: 20,
      databaseStatementTimeoutMs: 4000,
      databaseAcquireTimeoutMs: 1_500,
      migrateOnStart: false,
      dataDir: resolve('.data'),
      jwtIssuer: 'sec-tester',
      jwtAudience: 'sec-tester-api',
      accessTokenTtlSeconds: 900,
      refreshIdleTtlSeconds: 604_800,
      sessionTtlSeconds: 2_592_000,
      passwordMinLength: 15,
      argon2: { memoryKib: 19_456, iterations: 2, parallelism: 1 },
      hashQueueMax: 200,
      corsOrigins: [],
      trustProxyHops: 0,
      isGraphiqlEnabled: true,
      isIntrospectionEnabled: true,
      logLevel: 'info',
      logKeep: 7,
      logMaxSizeMb: 50,
      rateLimitPerMinute: 3_000,
      rateLimitAnonymousPerMinute: 300,
      loginMaxFailures: 5,
      loginLockSeconds: 60,
      shutdownTimeoutMs: 8_000,
    });
    for (const key of [
      'databaseUrl',
      'redisUrl',
      'adminEmail',
      'adminPassword',
      'jwtSigningKeys',
      'logFile',
    ]) {
      expect(config).not.toHaveProperty(key);
    }
  });

  it('production listens everywhere and hides GraphiQL and the schema', () => {
    expect(loadConfig({ NODE_ENV: 'production' })).toMatchObject({
      isProduction: true,
      host: '0.0.0.0',
      isGraphiqlEnabled: false,
      isIntrospectionEnabled: false,
    });
  });

  it('tests log warnings only', () => {
    expect(loadConfig({ NODE_ENV: 'test' }).logLevel).toBe('warn');
  });

  it('every default passes its own shape', () => {
    for (const NODE_ENV of ['development', 'test', 'production']) expect(faults({ NODE_ENV })).toEqual([]);
  });

  it('an empty or blank text counts as unset', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '', DATABASE_URL_FILE: '', LOG_LEVEL: '  ' })).toEqual(
      loadConfig({}),
    );
  });

  it('names it does not know are ignored', () => {
    expect(loadConfig({ PORTS: 'x', JWT_ISSUER_FILE: '/nowhere' })).toEqual(loadConfig({}));
  });
});

describe('values', () => {
  it('the configuration cannot be changed, at any depth', () => {
    const config = loadConfig({
      CORS_ORIGINS: 'https://a.example',
      JWT_SIGNING_KEYS: JSON.stringify([rawKey('a')]),
    });
    for (const part of [
      config,
      config.argon2,
      config.corsOrigins,
      config.jwtSigningKeys,
      config.jwtSigningKeys?.[0],
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each([
    ['true', true],
    ['ON', true],
    ['1', true],
    ['false', false],
    ['off', false],
    ['0', false],
  ])('a switch takes %s', (text, value) => {
    expect(loadConfig({ GRAPHIQL: text }).isGraphiqlEnabled).toBe(value);
  });

  it('blanks around a value are dropped, but a password is taken exactly as given', () => {
    const config = loadConfig({
      PORT: ' 5000 ',
      ADMIN_EMAIL: ' admin@example.com ',
      ADMIN_PASSWORD: ' a b ',
    });
    expect(config).toMatchObject({ port: 5000, adminEmail: 'admin@example.com', adminPassword: ' a b ' });
  });

  it('port 0 asks for any free port', () => {
    expect(loadConfig({ PORT: '0' }).port).toBe(0);
  });

  it('origins are a list without doubles', () => {
    const env = { CORS_ORIGINS: 'https://a.example, http://localhost:3000,https://a.example,' };
    expect(loadConfig(env).corsOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
  });

  it('paths become absolute', () => {
    const config = loadConfig({ DATA_DIR: 'data', LOG_FILE: 'logs/api.log' });
    expect(config).toMatchObject({ dataDir: resolve('data'), logFile: resolve('logs/api.log') });
  });

  it('addresses of servers are kept as written', () => {
    const env = {
      DATABASE_URL: 'postgresql:///app?host=/run/postgresql',
      REDIS_URL: 'rediss://:p@redis:6380/1',
    };
    expect(loadConfig(env)).toMatchObject({ databaseUrl: env.DATABASE_URL, redisUrl: env.REDIS_URL });
  });

  it('tests may hash cheaply', () => {
    const env = { NODE_ENV: 'test', ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' };
    expect(loadConfig(env).argon2).toEqual({ memoryKib: 8, iterations: 1, parallelism: 1 });
  });
});

describe('faults', () => {
  it('all are listed at once, one line each, with what was given and what is expected', () => {
    expect(
      faults({
        NODE_ENV: 'staging',
        PORT: '70000',
        LOG_LEVEL: 'loud',
        GRAPHIQL: 'yes',
        HASH_QUEUE_MAX: '1.5',
      }),
    ).toEqual([
      'NODE_ENV: "staging" is wrong, expected one of development, test, production',
      'PORT: "70000" is wrong, expected a whole number from 0 to 65535',
      'GRAPHIQL: "yes" is wrong, expected true, false, 1, 0, on or off',
      'HASH_QUEUE_MAX: "1.5" is wrong, expected a whole number from 1 to 100000 (waiting)',
      'LOG_LEVEL: "loud" is wrong, expected one of fatal, error, warn, info, debug, trace, silent',
    ]);
  });

  it.each([
    ['PORT', '-1'],
    ['PORT', '1e3'],
    ['PORT', '99999999999999999999'],
    ['HOST', 'not a host'],
    ['ACCESS_TOKEN_TTL_SECONDS', '59'],
    ['ACCESS_TOKEN_TTL_SECONDS', '3601'],
    ['PASSWORD_MIN_LENGTH', '7'],
    ['ADMIN_EMAIL', 'nobody'],
    ['JWT_ISSUER', 'two words'],
    ['LOG_FILE', 'a|b.log'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://a.example/'],
    ['CORS_ORIGINS', 'https://a.example,ftp://b.example'],
    ['CORS_ORIGINS', 'https://A.example'],
    ['CORS_ORIGINS', 'http://'],
  ])('%s refuses %s', (name, value) => {
    expect(faults({ [name]: value })).toEqual([expect.stringMatching(`^${name}: .* is wrong, expected `)]);
  });

  it('a long value is shortened and cannot break the line', () => {
    const [line = '', ...more] = faults({ HOST: `a\nb${'c'.repeat(500)}` });
    expect(more).toEqual([]);
    expect(line.length).toBeLessThan(200);
  });

  it.each(['mysql://hunter2@db', 'hunter2', 'postgres:hunter2 x'])(
    'a wrong secret is never shown (%#)',
    (value) => {
      const secrets = {
        DATABASE_URL: value.replace('postgres:', 'postgre:'),
        REDIS_URL: value,
        JWT_SIGNING_KEYS: value,
      };
      const lines = faults(secrets);
      expect(lines).toHaveLength(3);
      expect(lines[0]).toBe(
        'DATABASE_URL: the value given (not shown) is wrong, expected a URL that begins with postgres:// or postgresql://',
      );
      expect(lines.join()).not.toContain('hunter2');
    },
  );

  it('a session may not end before its idle time', () => {
    expect(faults({ SESSION_TTL_SECONDS: '600', REFRESH_IDLE_TTL_SECONDS: '601' })).toEqual([
      'SESSION_TTL_SECONDS: "600" is too short, expected at least REFRESH_IDLE_TTL_SECONDS (601)',
    ]);
  });

  it('weak hashing is refused outside tests, and impossible hashing everywhere', () => {
    expect(faults({ ARGON2_MEMORY_KIB: '19455', ARGON2_ITERATIONS: '1' })).toEqual([
      'ARGON2_MEMORY_KIB: "19455" is too weak, expected at least 19456 (KiB)',
      'ARGON2_ITERATIONS: "1" is too weak, expected at least 2 (passes)',
    ]);
    expect(faults({ NODE_ENV: 'test', ARGON2_MEMORY_KIB: '8', ARGON2_PARALLELISM: '4' })).toEqual([
      'ARGON2_MEMORY_KIB: "8" is too weak, expected at least 32 (KiB)',
    ]);
    expect(faults({ ARGON2_PARALLELISM: 'x' })).toHaveLength(1);
  });
});

describe('secrets from files', () => {
  it('a file gives the value without its last line break', () => {
    const env = {
      ADMIN_PASSWORD_FILE: fileOf('password', 'correct horse \r\n'),
      DATABASE_URL_FILE: fileOf('url', `${databaseUrl}\n`),
    };
    expect(loadConfig(env)).toMatchObject({ adminPassword: 'correct horse ', databaseUrl });
  });

  it('may hold the list of identity providers, and each of these name a file with its secret', () => {
    const provider = {
      id: 'acme',
      name: 'Acme',
      issuer: 'https://login.acme.example',
      clientId: 'sec-tester',
    };
    const clientSecretFile = fileOf('client-secret', ' s3cret \r\n');
    const file = fileOf('providers', JSON.stringify([{ ...provider, clientSecretFile }]));
    const env = { OIDC_PROVIDERS_FILE: file };
    const config = loadConfig(env);
    expect(config.oidcProviders).toEqual([
      expect.objectContaining({ ...provider, clientSecret: ' s3cret ' }),
    ]);
    expect(JSON.stringify(explainConfig(config, env))).not.toContain('s3cret');
  });

  it('a secret given twice is refused', () => {
    expect(faults({ ADMIN_PASSWORD: 'a', ADMIN_PASSWORD_FILE: fileOf('twice', 'b') })).toEqual([
      'ADMIN_PASSWORD: given twice, expected either ADMIN_PASSWORD or ADMIN_PASSWORD_FILE',
    ]);
  });

  it('a file that is missing or empty is named', () => {
    const missing = join(folder, 'missing');
    const empty = fileOf('empty', '\n');
    expect(faults({ REDIS_URL_FILE: missing, ADMIN_PASSWORD_FILE: empty })).toEqual([
      `REDIS_URL: ${JSON.stringify(missing)} cannot be read (ENOENT), expected REDIS_URL_FILE to name a readable file`,
      `ADMIN_PASSWORD: ${JSON.stringify(empty)} is empty, expected ADMIN_PASSWORD_FILE to name a file with the secret`,
    ]);
  });

  it('a wrong value in a file is not shown', () => {
    expect(faults({ REDIS_URL_FILE: fileOf('redis', 'hunter2') }).join()).not.toContain('hunter2');
  });
});

describe('signing keys', () => {
  it('a list and a key set are both taken, in order, without members they need not have', () => {
    const keys = [rawKey('new'), { ...rawKey('old'), alg: 'EdDSA', use: 'sig', note: 'x' }];
    const asList = loadConfig({ JWT_SIGNING_KEYS: JSON.stringify(keys) }).jwtSigningKeys;
    expect(asList?.map((key) => key.kid)).toEqual(['new', 'old']);
    expect(asList?.[1]).not.toHaveProperty('note');
    expect(loadConfig({ JWT_SIGNING_KEYS: JSON.stringify({ keys }) }).jwtSigningKeys).toEqual(asList);
  });

  const good = rawKey('a');
  it.each([
    ['text that is not JSON', '{', 'this is not JSON'],
    ['JSON of another kind', 'null', 'a JSON list of private Ed25519 JWKs'],
    ['an empty list', '[]', 'at least one'],
    ['a list of words', '["x"]', 'key 1: each key must be an object'],
    ['another kind of key', JSON.stringify([{ ...good, kty: 'RSA' }]), 'key 1: kty must be OKP'],
    ['another curve', JSON.stringify([good, { ...good, crv: 'X25519' }]), 'key 2: crv must be Ed25519'],
    ['a public key', JSON.stringify([{ ...good, d: undefined }]), 'key 1: d is missing'],
    ['a short key', JSON.stringify([{ ...good, d: 'abc' }]), 'key 1: d must be 32 bytes'],
    ['a key without its public half', JSON.stringify([{ ...good, x: undefined }]), 'key 1: x is missing'],
    ['a key without a name', JSON.stringify([{ ...good, kid: undefined }]), 'key 1: kid is missing'],
    ['a name used twice', JSON.stringify([good, { ...rawKey('a') }]), 'each kid must be used once'],
    ['halves of two keys', JSON.stringify([{ ...good, x: rawKey('b').x }]), 'x must be the public half of d'],
    ['another purpose', JSON.stringify([{ ...good, use: 'enc' }]), 'key 1: use must be sig'],
    ['another algorithm', JSON.stringify([{ ...good, alg: 'RS256' }]), 'key 1: alg must be EdDSA'],
  ])('%s is refused', (_, value, message) => {
    const [line = '', ...more] = faults({ JWT_SIGNING_KEYS: value });
    expect(more).toEqual([]);
    expect(line).toContain(message);
    expect(line).not.toContain(good.d);
  });

  it('a production start on a database of its own refuses without keys, once', () => {
    const env = { NODE_ENV: 'production', DATABASE_URL: databaseUrl };
    expect(faults(env)).toEqual([expect.stringMatching('^JWT_SIGNING_KEYS: not set, expected')]);
    expect(faults({ ...env, JWT_SIGNING_KEYS: '[]' })).toHaveLength(1);
    expect(faults({ ...env, JWT_SIGNING_KEYS: JSON.stringify([good]) })).toEqual([]);
    expect(faults({ ...env, JWT_SIGNING_KEYS_FILE: fileOf('jwks', JSON.stringify([good])) })).toEqual([]);
  });

  it('a start on the embedded database needs no keys', () => {
    expect(faults({ NODE_ENV: 'production' })).toEqual([]);
  });
});

describe('what is printed about settings', () => {
  it('the documented names are all there, once', () => {
    const names = describeSettings().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(Object.keys(settings).length);
    expect(names).toEqual(expect.arrayContaining(['NODE_ENV', 'JWT_SIGNING_KEYS', 'LOGIN_LOCK_SECONDS']));
  });

  it('a default that depends on the profile says so', () => {
    const rows = describeSettings();
    const of = (name: string) => rows.find((row) => row.name === name);
    expect(of('HOST')).toMatchObject({ default: '127.0.0.1 (0.0.0.0 in production)', example: '127.0.0.1' });
    expect(of('DATABASE_URL')).toMatchObject({ default: '', example: '', secret: true });
    expect(of('PORT')).toMatchObject({ default: '4000', group: 'Server', secret: false });
  });

  it('what is in force is explained with its source and without secrets', () => {
    const env = {
      DATABASE_URL: databaseUrl,
      ADMIN_PASSWORD_FILE: fileOf('told', 'hunter2'),
      PORT: '5000',
      CORS_ORIGINS: 'https://a.example,https://b.example',
      LOG_KEEP: ' ',
    };
    const rows = explainConfig(loadConfig(env), env);
    const told = Object.fromEntries(rows.map(({ name, ...rest }) => [name, rest]));
    expect(told).toMatchObject({
      DATABASE_URL: { value: 'set', source: 'environment' },
      ADMIN_PASSWORD: { value: 'set', source: 'file' },
      REDIS_URL: { value: 'unset', source: 'default' },
      LOG_FILE: { value: 'unset', source: 'default' },
      PORT: { value: '5000', source: 'environment' },
      CORS_ORIGINS: { value: 'https://a.example,https://b.example', source: 'environment' },
      ARGON2_MEMORY_KIB: { value: '19456', source: 'default' },
      LOG_KEEP: { value: '7', source: 'default' },
    });
    expect(JSON.stringify(rows)).not.toContain('hunter2');
  });

  it('the check prints a table and succeeds when all is right', () => {
    const printed: string[] = [];
    expect(checkConfig({ PORT: '5000', ADMIN_PASSWORD: 'hunter2' }, (text) => printed.push(text))).toBe(0);
    expect(printed.join()).toMatch(/^SETTING +VALUE +SOURCE\n[\s\S]*\nPORT +5000 +environment\n/);
    expect(printed.join()).toMatch(/\nCORS_ORIGINS +none +default\n/);
    expect(printed.join()).not.toContain('hunter2');
  });

  it('the check says what to think of: names nearly known, and what is open in production', () => {
    const noticesOf = (env: Env): string[] => {
      const printed: string[] = [];
      expect(checkConfig(env, (text) => printed.push(text))).toBe(0);
      return printed[1]?.split('\n').slice(2) ?? [];
    };
    expect(noticesOf({ PATH: '/bin', HOME: '/root', HOSTNAME: 'x' })).toEqual([]);
    const near = { LOGLEVEL: 'x', RATE_LIMT_PER_MINUTE: '1', DATABASE_URL_FIEL: 'y', TRUST_PROXI: '1' };
    expect(noticesOf(near)).toEqual([
      '- LOGLEVEL is unknown; did you mean LOG_LEVEL?',
      '- RATE_LIMT_PER_MINUTE is unknown; did you mean RATE_LIMIT_PER_MINUTE?',
      '- DATABASE_URL_FIEL is unknown; did you mean DATABASE_URL_FILE?',
      '- TRUST_PROXI is unknown; did you mean TRUST_PROXY?',
    ]);
    const open = { NODE_ENV: 'production', GRAPHIQL: 'on', LOG_LEVEL: 'debug', RATE_LIMIT_PER_MINUTE: '0' };
    expect(noticesOf(open).map((line) => line.split(' ')[1])).toEqual([
      ...['GRAPHIQL', 'LOG_LEVEL', 'DATABASE_URL', 'REDIS_URL', 'AUDIT_SEAL_KEY', 'WEBAUTHN_RP_ID'],
      'RATE_LIMIT_PER_MINUTE',
    ]);
    expect(noticesOf({ ...open, NODE_ENV: 'development' })).toEqual([]);
  });

  it('the check lists every fault and fails when something is wrong', () => {
    const printed: string[] = [];
    expect(checkConfig({ PORT: 'x', LOG_KEEP: 'y' }, (text) => printed.push(text))).toBe(1);
    expect(printed.join()).toMatch(/^The settings are wrong:\nPORT: .*\nLOG_KEEP: .*$/);
  });
});

describe('documentation', () => {
  // Held in a variable: plain JavaScript has no types to check.
  const script = '../../../scripts/print-settings.mjs';

  it('.env.example and docs/settings.md have the settings as they are', async () => {
    const { renderEnvExample, withSettingsTable } = await import(script);
    expect(readFileSync('.env.example', 'utf8')).toBe(renderEnvExample(describeSettings()));
    const page = readFileSync('docs/settings.md', 'utf8');
    expect(page).toContain('<!-- settings:begin -->');
    expect(withSettingsTable(page, describeSettings())).toBe(page);
  });

  it('every line of .env.example works when it is uncommented', () => {
    const lines = readFileSync('.env.example', 'utf8').match(/(?<=^# )[A-Z0-9_]+=.*$/gm) ?? [];
    const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)));
    expect(lines).toHaveLength(Object.keys(settings).length);
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });

  it('the table goes between the markers and nowhere else', async () => {
    const { withSettingsTable } = await import(script);
    const rows = [{ name: 'A', group: 'G', description: 'x | y', default: '', example: '', secret: true }];
    const page = 'top\n<!-- settings:begin -->\nold\n<!-- settings:end -->\nbottom\n';
    const table = '| Setting | Default | What it is |\n|--|--|--|\n| `A`, `A_FILE` |  | x \\| y |';
    expect(withSettingsTable(page, rows)).toBe(
      `top\n<!-- settings:begin -->\n${table}\n<!-- settings:end -->\nbottom\n`,
    );
    expect(withSettingsTable('no markers', rows)).toBe('no markers');
  });
});

describe('mail', () => {
  const mail = { SMTP_URL: 'smtp://mail.test', SMTP_FROM: 'a@b.test', PUBLIC_URL: 'https://sec.test' };

  it('reads the server from its URL, and the password beside it or from a file', () => {
    const given = (SMTP_URL: string, more: Env = {}) => loadConfig({ ...mail, SMTP_URL, ...more });
    expect(given('smtp://mail.test').smtpUrl).toEqual({ host: 'mail.test', port: 587, isSecure: false });
    expect(given('smtps://[::1]').smtpUrl).toEqual({ host: '::1', port: 465, isSecure: true });
    expect(given('smtp://a%40b:c%2Fd%25@mail.test:2525/').smtpUrl).toEqual({
      host: 'mail.test',
      port: 2525,
      isSecure: false,
      user: 'a@b',
      password: 'c/d%',
    });
    const file = fileOf('smtp-password', 'p%40ss\n');
    expect(given('smtp://user@mail.test', { SMTP_PASSWORD_FILE: file }).smtpPassword).toBe('p%40ss');
  });

  it.each([
    ['https://mail.test', {}],
    ['smtp://', {}],
    ['smtp://mail.test/path', {}],
    ['smtp://mail.test?tls.rejectUnauthorized=false', {}],
    ['smtp://%zz@mail.test', {}],
    ['mail.test:25', {}],
  ])('refuses the server %s without showing it', (SMTP_URL) => {
    const [fault = '', ...more] = faults({ ...mail, SMTP_URL });
    expect(fault).toMatch(/^SMTP_URL: the value given \(not shown\) is wrong, expected smtp:/);
    expect(more).toEqual([]);
  });

  it.each([
    ['SMTP_FROM', { SMTP_FROM: '' }, /^SMTP_FROM: not set/],
    ['PUBLIC_URL', { PUBLIC_URL: '' }, /^PUBLIC_URL: not set, expected it or PASSWORD_LINK_URL/],
    ['SMTP_URL', { SMTP_PASSWORD: 'secret' }, /^SMTP_URL: has no user/],
    ['SMTP_PASSWORD', { SMTP_URL: 'smtp://a:b@c', SMTP_PASSWORD: 'd' }, /^SMTP_PASSWORD: is given twice/],
    ['SMTP_TLS', { SMTP_TLS: 'none' }, /^SMTP_TLS: "none" is wrong, expected one of required, optional/],
    ['MAIL_LANGUAGE', { MAIL_LANGUAGE: '../de' }, /^MAIL_LANGUAGE: /],
  ])('misses or refuses %s', (_name, more, message) => {
    expect(faults({ ...mail, ...more })).toEqual([expect.stringMatching(message)]);
  });

  it.each(['a@b.test', 'SEC-TESTER <a@b.test>', 'Müller & Söhne, IT <a@b.test>'])(
    'takes the sender %s',
    (SMTP_FROM) => {
      expect(faults({ ...mail, SMTP_FROM })).toEqual([]);
    },
  );

  it.each([
    'nobody',
    '<a@b.test>\r\nBcc: c@d.test',
    'a@b.test, c@d.test',
    'A <a@b.test> <c@d.test>',
    'A\u202e <a@b.test>',
  ])('refuses the sender %j', (SMTP_FROM) => {
    expect(faults({ ...mail, SMTP_FROM })).toEqual([expect.stringMatching(/^SMTP_FROM: /)]);
  });

  it('takes a page for links whose token is in the fragment only', () => {
    const url = 'https://app.test/choose?lang=de#/set/{token}/now';
    expect(loadConfig({ ...mail, PUBLIC_URL: '', PASSWORD_LINK_URL: url }).passwordLinkUrl).toBe(url);
    for (const PASSWORD_LINK_URL of [
      'https://app.test/choose?token={token}',
      'https://app.test/{token}#{token}',
      'https://app.test/choose#token',
      'javascript:alert(1)#{token}',
      'https://app.test/#{token}{token}',
    ])
      expect(faults({ ...mail, PASSWORD_LINK_URL })).toEqual([expect.stringMatching(/^PASSWORD_LINK_URL: /)]);
  });
});

describe('whose passkeys these are', () => {
  const partyOf = (env: Env) => relyingPartyOf(loadConfig(env));

  it('is the host of PUBLIC_URL and the frontends on it, or localhost', () => {
    expect(partyOf({})).toEqual({ id: 'localhost', origins: ['http://localhost:4000'] });
    expect(partyOf({ PORT: '4100', CORS_ORIGINS: 'http://localhost:5173,https://app.example.com' })).toEqual({
      id: 'localhost',
      origins: ['http://localhost:4100', 'http://localhost:5173'],
    });
    const env = {
      PUBLIC_URL: 'https://sec.example.com/tester/',
      CORS_ORIGINS: 'https://app.sec.example.com,https://app.example.com,https://notsec.example.com',
    };
    expect(partyOf(env)).toEqual({
      id: 'sec.example.com',
      origins: ['https://sec.example.com', 'https://app.sec.example.com'],
    });
    expect(partyOf({ ...env, WEBAUTHN_RP_ID: 'example.com' })).toMatchObject({
      id: 'example.com',
      origins: { length: 4 },
    });
    expect(partyOf({ ...env, WEBAUTHN_ORIGINS: 'https://sec.example.com' }).origins).toHaveLength(1);
  });

  it('is nobody at an IP address, for which browsers have none; the server starts nevertheless', () => {
    for (const PUBLIC_URL of ['https://192.0.2.7', 'https://[2001:db8::7]:8443'])
      expect(partyOf({ PUBLIC_URL })).toEqual({ id: 'localhost', origins: [] });
  });

  it.each([
    [{ WEBAUTHN_RP_ID: 'https://example.com' }, /^WEBAUTHN_RP_ID: .* expected a domain name/],
    [{ WEBAUTHN_RP_ID: '192.0.2.7' }, /^WEBAUTHN_RP_ID: .* expected a domain name/],
    [{ WEBAUTHN_RP_ID: 'Example.com' }, /^WEBAUTHN_RP_ID: .* expected a domain name/],
    [{ WEBAUTHN_RP_ID: 'example.com' }, /^WEBAUTHN_ORIGINS: not set, expected it with WEBAUTHN_RP_ID/],
    [
      { WEBAUTHN_ORIGINS: 'https://evil.test' },
      /^WEBAUTHN_ORIGINS: "https:\/\/evil.test" is not on the domain/,
    ],
    [
      { WEBAUTHN_RP_ID: 'example.com', WEBAUTHN_ORIGINS: 'https://notexample.com' },
      /^WEBAUTHN_ORIGINS: .* is not on the domain example.com/,
    ],
  ])('refuses %j', (env, fault) => {
    expect(faults(env)).toEqual([expect.stringMatching(fault)]);
  });
});
