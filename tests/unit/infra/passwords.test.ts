// The gate before hashing: how many wait, and what becomes of those beyond.
import { spawnSync } from 'node:child_process';
import { afterEach, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { AppError } from '../../../src/core/errors.js';
import { createPasswordHasher, type PasswordHasher } from '../../../src/infra/credentials/password-hasher.js';

const parameters = { memoryKib: 8, iterations: 1, parallelism: 1 };
let hasher: PasswordHasher;
afterEach(() => hasher.close());

it('lets so many wait and refuses the rest at once, for hashes and checks together', async () => {
  hasher = createPasswordHasher({ ...parameters, queueMax: 5 });
  const phc = await hasher.hash('plum violin 4482 meadow crane');
  const work = Array.from({ length: 200 }, (_, index) =>
    (index % 2 === 0 ? hasher.verify(phc, `guess ${index}`) : hasher.hash(`password ${index}`)).then(
      () => 'done',
      (error: unknown) => (error instanceof AppError ? `${error.code} ${error.retryAfterSeconds}` : 'odd'),
    ),
  );
  expect(hasher.queueLength()).toBeLessThanOrEqual(5);
  const outcomes = await Promise.all(work);
  expect(new Set(outcomes)).toEqual(new Set(['done', 'UNAVAILABLE 5']));
  expect(outcomes.filter((outcome) => outcome === 'done').length).toBeLessThan(50);
  expect(await hasher.verify(phc, 'plum violin 4482 meadow crane')).toBe(true);
});

it('lets few at a time do what belongs to a hash, and the rest wait in a queue of their own', async () => {
  hasher = createPasswordHasher({ ...parameters, queueMax: 3 });
  let underWay = 0;
  let most = 0;
  const turn = async (): Promise<string> => {
    underWay += 1;
    most = Math.max(most, underWay);
    const hash = await hasher.hash('plum violin 4482 meadow crane');
    underWay -= 1;
    return hash;
  };
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => hasher.inTurn(turn)));
  const done = outcomes.filter(({ status }) => status === 'fulfilled');
  expect(most).toBeGreaterThan(1);
  expect(done).toHaveLength(most + 3);
  expect(hasher.hasCapacity()).toBe(true);
});

it('fails for what is no hash, and for what is not done when it is closed; and works on', async () => {
  hasher = createPasswordHasher({ ...parameters, queueMax: 50 });
  await expect(hasher.verify('no hash at all', 'x')).rejects.toThrow();
  const undone = Array.from({ length: 20 }, () => hasher.hash('plum violin 4482 meadow crane'));
  const outcomes = Promise.allSettled(undone);
  await hasher.close();
  expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true);
  const phc = await hasher.hash('plum violin 4482 meadow crane');
  expect(phc).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/);
});

const password = 'plum violin 4482 meadow crane ü';
const create = (libraries: readonly string[], lines: string[] = []) => {
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  hasher = createPasswordHasher({ ...parameters, queueMax: 50, libraries, log });
  return hasher;
};
it('verifies a hash that the reference implementation (phc-winner-argon2) has made', async () => {
  create(['@node-rs/argon2']);
  const phc = '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$7qxi6Cjb35vD9RwKXtNjMVQA5kObIVTejzyCCKJ0paU';
  expect(await hasher.verify(phc, password)).toBe(true);
  expect(await hasher.verify(phc, `${password}!`)).toBe(false);
  expect(hasher.needsRehash(phc)).toBe(false);
});

/** In a process of its own: the binary of argon2 does not run on every machine, and ends the process where it does not. */
it('a hash by argon2 is verified by the hasher, and the other way round', async () => {
  create(['@node-rs/argon2']);
  const program = `const argon2 = require('argon2');
    const { password, phc } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    const options = { memoryCost: 8, timeCost: 1, parallelism: 1, type: argon2.argon2id };
    Promise.all([argon2.hash(password, options), argon2.verify(phc, password)])
      .then((outcome) => process.stdout.write(JSON.stringify(outcome)));`;
  const input = JSON.stringify({ password, phc: await hasher.hash(password) });
  const { signal, stdout } = spawnSync(process.execPath, ['-e', program], { input });
  if (signal !== null) {
    expect(signal).toMatch(/^SIG(?:SEGV|ILL|BUS)$/);
    return;
  }
  const [phc, isVerified] = JSON.parse(stdout.toString());
  expect(await hasher.verify(phc, password)).toBe(true);
  expect(isVerified).toBe(true);
});

it('ends during hashes without ending the process', async () => {
  for (let round = 0; round < 10; round += 1) {
    create(['@node-rs/argon2']);
    await hasher.hash(password);
    const undone = Promise.allSettled([hasher.hash(password), hasher.hash(password)]);
    await hasher.close();
    expect((await undone).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  }
});

it('loads argon2 only where it is needed, and says nothing when the preferred library works', async () => {
  const lines: string[] = [];
  create(['@node-rs/argon2', '@no-such/argon2'], lines);
  await hasher.hash(password);
  expect(lines).toEqual([]);
});

it('fails each hash when no library can be loaded, instead of ending the process', async () => {
  create(['@no-such/argon2']);
  await expect(hasher.hash(password)).rejects.toThrow(/no Argon2 library can be loaded: @no-such\/argon2/);
  await expect(hasher.verify(undefined, password)).rejects.toThrow(/no Argon2 library/);
});

it.each([
  ['$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', false],
  ['$argon2id$v=19$m=8,p=1,t=1$c2FsdHNhbHQ$aGFzaA', false],
  ['$argon2id$v=19$m=16,t=2,p=2$c2FsdHNhbHQ$aGFzaA', false],
  ['$argon2id$v=19$m=7,t=1,p=1$c2FsdHNhbHQ$aGFzaA', true],
  ['$argon2id$v=19$m=8,t=0,p=1$c2FsdHNhbHQ$aGFzaA', true],
  ['$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', true],
  ['$2b$10$abcdefghijklmnopqrstuv', true],
])('asks for a new hash in place of %s: %s', (phc, isWanted) => {
  create(['@node-rs/argon2']);
  expect(hasher.needsRehash(phc)).toBe(isWanted);
});
