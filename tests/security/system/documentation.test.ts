// The numbers that docs/security/authentication.md names are those in force, and the table in docs/security.md is answered
// and names what is there. ASVS 5.0: 6.1.1, 6.1.3, 7.1.2.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.js';
import { minGuesses } from '../../../src/core/password-policy.js';
import { freshSignInSeconds } from '../../../src/core/permissions.js';
import { invitationTtlSeconds } from '../../../src/features/user/password-link.service.js';
import { publicRootFields } from '../../../src/graphql/documents/public-operations.js';
import { rangeFactor } from '../../../src/infra/rate-limiting/address-limiter.js';
import { lockMemorySeconds, longestLockSeconds } from '../../../src/infra/rate-limiting/login-throttle.js';
import { requestWindowSeconds } from '../../../src/infra/rate-limiting/request-quota.js';
import { addressFactor, refreshFactor } from '../../../src/server/limits.js';

const text = readFileSync(new URL('../../../docs/security/authentication.md', import.meta.url), 'utf8');
const security = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8');
const config = loadConfig({});

it('names the limits in force', () => {
  const { loginMaxFailures: failures, loginLockSeconds: lock } = config;
  const perAddress = failures * addressFactor;
  for (const words of [
    `${failures} failures, then locked for ${lock} s, doubled by each further failure up to ${longestLockSeconds} s`,
    `after ${lockMemorySeconds} s of quiet`,
    `| address | ${perAddress} | 60 s | ${addressFactor} × \`LOGIN_MAX_FAILURES\` |`,
    `| ${perAddress * rangeFactor} | 60 s | ${rangeFactor} × that |`,
    `| ${failures * refreshFactor}, and ${rangeFactor} × for the range | 60 s | ${refreshFactor} × \`LOGIN_MAX_FAILURES\` |`,
    `| ${config.rateLimitPerMinute} | ${requestWindowSeconds} s | \`RATE_LIMIT_PER_MINUTE\` |`,
    `| ${config.rateLimitAnonymousPerMinute} | ${requestWindowSeconds} s | \`RATE_LIMIT_ANONYMOUS_PER_MINUTE\` |`,
    `At most ${config.sessionsMaxPerUser} live ones`,
    `${config.passwordMinLength} to 128 code points`,
    `the last ${freshSignInSeconds} s`,
    `for ${invitationTtlSeconds / 3600} hours`,
  ]) {
    expect(text).toContain(words);
  }
  expect(minGuesses).toBe(1e9);
});

it('names the limits towards what the server stands on, in docs/security.md', () => {
  const grouped = (value: number) => value.toLocaleString('en-US');
  for (const words of [
    `\`DATABASE_POOL_MAX\` (${config.databasePoolMax})`,
    `\`DATABASE_ACQUIRE_TIMEOUT_MS\` (${grouped(config.databaseAcquireTimeoutMs)})`,
    `\`DATABASE_STATEMENT_TIMEOUT_MS\` (${grouped(config.databaseStatementTimeoutMs)})`,
    `\`HASH_QUEUE_MAX\` (${config.hashQueueMax})`,
    `\`SHUTDOWN_TIMEOUT_MS\` (${grouped(config.shutdownTimeoutMs)})`,
  ])
    expect(security).toContain(words);
});

it('lists every public way in, and tests that are there', () => {
  for (const document of [text, security])
    for (const name of publicRootFields) expect(document).toContain(`\`${name.replace('Mutation.', '')}\``);
  for (const [, file = ''] of text.matchAll(/`(tests\/[\w./-]+)`/g)) {
    expect([file, existsSync(new URL(`../../../${file}`, import.meta.url))]).toEqual([file, true]);
  }
});

describe('the table of requirements in docs/security.md', () => {
  const root = new URL('../../../', import.meta.url);
  const lines = readFileSync(new URL('docs/security.md', root), 'utf8').split('\n');
  const rows = lines
    .filter((line) => /^\| \d+\.\d+\.\d+ \|/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, id = '', , , status = '', where = '']) => ({ id, status, where }));

  it('has 99 rows, each once; 90 and more are met, and the others say why not', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(99);
    expect(rows).toHaveLength(99);
    expect(rows.filter(({ status }) => !['met', 'not met'].includes(status))).toEqual([]);
    expect(rows.filter(({ status }) => status === 'met').length).toBeGreaterThanOrEqual(90);
    for (const { id, where } of rows) expect([id, where.length > 10]).toEqual([id, true]);
  });

  it('names for each that is met a test, or a document, and all of them are there', () => {
    for (const { id, status, where } of rows) {
      const named = where.match(/\b(?:tests|docs|src|bench)\/[\w./-]*\w/g) ?? [];
      for (const file of named) expect([id, file, existsSync(new URL(file, root))]).toEqual([id, file, true]);
      expect([id, named.length > 0 || status !== 'met']).toEqual([id, true]);
    }
  });
});
