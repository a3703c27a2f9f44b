// Attack: a stolen password without the second factor; codes replayed, raced, guessed; recovery codes used twice.
// ASVS 5.0: 6.3.3, 6.5.1, 6.5.5, 15.4.2.
import { describe, expect, it } from '@jest/globals';
import { type TOTP, URI } from 'otpauth';
import { startTestServer } from '../../kit/harness.js';
import { createPerson, type Person, password } from '../../kit/seed.js';
import { comparable } from '../../kit/session.js';
import { useServer } from '../../kit/use.js';

const step = 30_000;
const server = await useServer({
  LOGIN_MAX_FAILURES: '5',
  SECOND_FACTOR_KEY: Buffer.alloc(32, 7).toString('base64'),
  TRUST_PROXY: '1',
});

const enrolment = 'mutation { enrolSecondFactor { secret uri } }';
const confirmation = 'mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes } }';
const removal =
  'mutation($id: ID, $code: String) { removeSecondFactor(userId: $id, code: $code) { user { id } } }';

interface Enrolled extends Person {
  app: TOTP;
  recoveryCodes: string[];
}

/** The app's code; each call is a step later, as a code is good once. */
function codeOf(app: TOTP): string {
  server.clock.advance(step);
  return app.generate({ timestamp: server.clock.now() });
}

async function enrolled(): Promise<Enrolled> {
  const person = await createPerson(server, await server.signIn(), 'VIEWER');
  const { uri } = (await server.gql(enrolment, {}, person.token)).expectData().enrolSecondFactor;
  const app = URI.parse(uri) as TOTP;
  const answer = await server.gql(confirmation, { code: codeOf(app) }, person.token);
  return { ...person, app, recoveryCodes: answer.expectData().confirmSecondFactor.recoveryCodes };
}

let addresses = 0;
function login(email: string, code?: string, word = password) {
  addresses += 1;
  return server.rest('POST', '/api/v1/auth/login', {
    body: { email, password: word, ...(code !== undefined && { code }) },
    headers: { 'x-forwarded-for': `172.16.${addresses >> 8}.${addresses % 256}` },
  });
}

const codeOfAnswer = async (answer: ReturnType<typeof login>) => (await answer).body.code ?? 'signed in';

describe('a sign-in with a second factor', () => {
  it('needs a code after the right password, and only then says so, over REST and GraphQL', async () => {
    const { email, app } = await enrolled();
    expect(await login(email)).toMatchObject({ status: 401, body: { code: 'SECOND_FACTOR_REQUIRED' } });
    expect(await codeOfAnswer(login(email, undefined, 'wrong in every way'))).toBe('INVALID_CREDENTIALS');
    expect(await codeOfAnswer(login(email, codeOf(app)))).toBe('signed in');
    const gql = (code?: string) => server.change('login', { email, password, code }, 'expiresIn');
    (await gql()).expectError('SECOND_FACTOR_REQUIRED');
    (await gql(codeOf(app))).expectData();
  });

  it('takes each code once, also of fifty racing requests, and none that is older', async () => {
    const { email, app } = await enrolled();
    const old = codeOf(app);
    const code = codeOf(app);
    const answers = await Promise.all([1, 2, 3, 4].map(() => login(email, code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await codeOfAnswer(login(email, code))).toBe('INVALID_CREDENTIALS');
    expect(await codeOfAnswer(login(email, old))).toBe('INVALID_CREDENTIALS');
  });

  it('takes codes of the step before and after, no more', async () => {
    const { email, app } = await enrolled();
    const at = (steps: number) => app.generate({ timestamp: server.clock.now() + steps * step });
    server.clock.advance(10 * step);
    server.clock.advance(step - (server.clock.now() % step)); // so that no step ends meanwhile
    expect(await codeOfAnswer(login(email, at(-2)))).toBe('INVALID_CREDENTIALS');
    expect(await codeOfAnswer(login(email, at(2)))).toBe('INVALID_CREDENTIALS');
    expect(await codeOfAnswer(login(email, at(-1)))).toBe('signed in');
    expect(await codeOfAnswer(login(email, at(1)))).toBe('signed in');
  });

  it('counts wrong codes like wrong passwords: five, and the account is locked', async () => {
    const { email, app } = await enrolled();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => login(email, String(100_000 + index))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    const locked = await login(email, codeOf(app));
    expect(comparable(locked)).toEqual(comparable(await login(email, undefined, 'wrong in every way')));
    server.clock.advance(61_000);
    expect(await codeOfAnswer(login(email, codeOf(app)))).toBe('signed in');
  });

  it('takes each recovery code once, in any case and without its dashes', async () => {
    const { email, recoveryCodes } = await enrolled();
    expect(new Set(recoveryCodes).size).toBe(10);
    const [first = '', second = ''] = recoveryCodes;
    expect(await codeOfAnswer(login(email, first))).toBe('signed in');
    expect(await codeOfAnswer(login(email, first))).toBe('INVALID_CREDENTIALS');
    expect(await codeOfAnswer(login(email, second.replaceAll('-', '').toUpperCase()))).toBe('signed in');
  });
});

describe('a second factor', () => {
  it('is kept encrypted, its recovery codes as hashes', async () => {
    const { app, recoveryCodes } = await enrolled();
    const rows = await server.sql<{ text: string }>(
      `SELECT encode(secret, 'hex') AS text FROM second_factors
       UNION ALL SELECT encode(code_hash, 'escape') FROM recovery_codes`,
    );
    const dump = rows.map(({ text }) => text).join(' ');
    expect(dump).not.toContain(app.secret.hex.toLowerCase());
    for (const code of recoveryCodes) expect(dump).not.toContain(code);
    expect(JSON.stringify(server.logs)).not.toContain(app.secret.base32);
  });

  it('is in force only once it is confirmed, by a fresh sign-in', async () => {
    const { email, token } = await createPerson(server, await server.signIn(), 'VIEWER');
    (await server.gql(enrolment, {}, token)).expectData();
    (await server.gql(confirmation, { code: '000000' }, token)).expectError('INVALID_CREDENTIALS');
    expect((await login(email)).status).toBe(200);
    server.clock.advance(301_000);
    (await server.gql(enrolment, {}, token)).expectError('REAUTHENTICATION_REQUIRED');
  });

  it('is replaced by nobody who has only the session: removing it takes a code', async () => {
    const { token, app } = await enrolled();
    (await server.gql(enrolment, {}, token)).expectError('CONFLICT');
    (await server.gql(removal, {}, token)).expectError('INVALID_CREDENTIALS');
    (await server.gql(removal, { code: codeOf(app) }, token)).expectData();
    (await server.gql(enrolment, {}, token)).expectData();
  });

  it('is removed by an admin for who lost it, and by no other', async () => {
    const { id, email } = await enrolled();
    const adminToken = await server.signIn();
    const other = await createPerson(server, adminToken, 'ANALYST');
    (await server.gql(removal, { id }, other.token)).expectError('FORBIDDEN');
    (await server.gql(removal, { id }, adminToken)).expectData();
    expect((await login(email)).status).toBe(200);
  });

  it('is shown to its owner and to admins, once it is in force', async () => {
    const { id, token } = await enrolled();
    const adminToken = await server.signIn();
    const without = await createPerson(server, adminToken, 'VIEWER');
    (await server.gql(enrolment, {}, without.token)).expectData();
    const own = '{ me { hasSecondFactor } }';
    expect((await server.gql(own, {}, token)).expectData().me.hasSecondFactor).toBe(true);
    expect((await server.gql(own, {}, without.token)).expectData().me.hasSecondFactor).toBe(false);
    const answer = await server.gql('{ users { nodes { id hasSecondFactor } } }', {}, adminToken);
    const { nodes } = answer.expectData().users as { nodes: { id: string; hasSecondFactor: boolean }[] };
    const found = new Map(nodes.map((user) => [user.id, user.hasSecondFactor]));
    expect([found.get(id), found.get(without.id)]).toEqual([true, false]);
  });

  it('is locked against guesses of who is signed in, and that is recorded', async () => {
    const { id, token } = await enrolled();
    for (let index = 0; index < 6; index += 1)
      (await server.gql(removal, { code: '000000' }, token)).expectError('INVALID_CREDENTIALS');
    const locks = await server.sql(
      "SELECT outcome, changes FROM audit_events WHERE action = 'auth.lock' AND target_id = $1",
      [id.slice(4)],
    );
    expect(locks).toEqual([{ outcome: 'DENIED', changes: { guessed: 'second_factor' } }]);
  });
});

describe('a role that needs a second factor', () => {
  it('can do nothing else before it is set up', async () => {
    const strict = await startTestServer({ REQUIRE_SECOND_FACTOR_ROLES: 'ADMIN' });
    try {
      const token = await strict.signIn();
      const users = '{ users(first: 1) { totalCount } }';
      (await strict.gql(users, {}, token)).expectError('SECOND_FACTOR_ENROLMENT_REQUIRED');
      expect((await strict.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
      const { uri } = (await strict.gql(enrolment, {}, token)).expectData().enrolSecondFactor;
      const code = (URI.parse(uri) as TOTP).generate({ timestamp: strict.clock.now() });
      (await strict.gql(confirmation, { code }, token)).expectData();
      (await strict.gql(users, {}, token)).expectData();
    } finally {
      await strict.close();
    }
  });
});
