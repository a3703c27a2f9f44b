// Writes the random secrets that a deployment needs as files, one folder per reader; those that exist are kept.
// Usage: node scripts/make-secrets.mjs FOLDER [--database-host HOST] [--redis-host HOST]
// As root it also gives each folder to the account that reads it, and to nobody else.
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * Accounts that read the folders, as docker-compose.yml runs them: node's, one of its own for migrating (the server
 * must not read the owner's password), redis', root, as which postgres' image reads, nobody, as which Prometheus runs,
 * and Grafana's.
 */
const readers = { app: 1000, migrate: 1001, redis: 999, postgres: 0, prometheus: 65534, grafana: 472 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'database-host': { type: 'string', default: 'postgres:5432' },
    'redis-host': { type: 'string', default: 'redis:6379' },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error('Usage: node scripts/make-secrets.mjs FOLDER [--database-host HOST] [--redis-host HOST]');
  process.exit(2);
}

mkdirSync(folder, { recursive: true, mode: 0o711 });

/** The file's text: what it holds already, else what `make` gives. */
function secret(path, make) {
  const file = join(folder, path);
  const [reader] = path.split('/');
  const home = join(folder, reader);
  if (!existsSync(home)) mkdirSync(home, { mode: 0o700 });
  if (!existsSync(file)) {
    writeFileSync(file, make(), { mode: 0o400, flag: 'wx' });
    console.log(`wrote ${file}`);
  }
  if (process.getuid?.() === 0)
    for (const owned of [home, file]) chownSync(owned, readers[reader], readers[reader]);
  chmodSync(file, 0o400);
  return readFileSync(file, 'utf8');
}

/** A private Ed25519 key as a JWK with a key id. */
function signingKeys() {
  const { privateKey } = generateKeyPairSync('ed25519');
  return JSON.stringify([
    { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'EdDSA' },
  ]);
}

const random = () => randomBytes(24).toString('base64url');
const databaseUrl = (role, password) =>
  `postgresql://${role}:${password}@${values['database-host']}/sec_tester`;

// The owner migrates; the app's own role only reads and writes rows (npm run db:roles makes it).
const ownerPassword = secret('postgres/password', random);
secret('migrate/database-url', () => databaseUrl('sec_tester', ownerPassword));
const appUrl = secret('migrate/app-database-url', () => databaseUrl('sec_tester_app', random()));
secret('app/database-url', () => appUrl);
const redisPassword = random();
// Written together: Redis keeps only what the password is checked with.
if (!existsSync(join(folder, 'app/redis-url'))) rmSync(join(folder, 'redis/redis.conf'), { force: true });
secret('redis/redis.conf', () => redisSettings(redisPassword));
secret('app/redis-url', () => `redis://sec_tester:${redisPassword}@${values['redis-host']}`);
secret('app/jwt-signing-keys', signingKeys);
secret('app/admin-password', random);
secret('app/audit-seal-key', () => randomBytes(32).toString('base64url'));

const metricsToken = secret('app/metrics-token', () => randomBytes(32).toString('base64url'));
secret('prometheus/metrics-token', () => metricsToken);
secret('grafana/admin-password', random);

/**
 * What Redis holds may be lost at any time, so nothing is written to disk; a full one refuses and forgets no counter, as
 * the server then counts for itself. The server's user
 * sees its own keys and channels and cannot run what is dangerous; whoever does not sign in can only PING.
 */
function redisSettings(password) {
  const lines = ['save ""', 'appendonly no', 'maxmemory 128mb', 'maxmemory-policy noeviction'];
  const hash = createHash('sha256').update(password).digest('hex');
  const commands = '-@all +@read +@write +@transaction +@scripting +@pubsub +@connection -@dangerous +info';
  const users = [
    'user default on nopass resetkeys resetchannels -@all +ping',
    `user sec_tester on #${hash} resetkeys ~sec-tester:* resetchannels &sec-tester:* ${commands}`,
  ];
  return [...lines, ...users, ''].join('\n');
}
