// Attack: someone with access to the database rewrites, removes, adds or reorders audit events, or the seals over them.
// ASVS 16.4.2 (logs protected from modification), 16.2.1; Common Weakness CWE-778.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { verifyAudit } from '../../../src/admin/audit-verify.js';
import { ownerUrlOf, startTestServer, type TestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';

const key = 'a key for seals that is only for tests';
let server: TestServer;
let adminToken: string;
beforeAll(async () => {
  // The test seals by itself.
  server = await startTestServer({ AUDIT_SEAL_EVERY_SECONDS: '3600', AUDIT_SEAL_KEY: key });
  adminToken = await server.signIn();
});
afterAll(() => server.close());

async function verify(args: string[] = [], env: Record<string, string> = {}) {
  const lines: string[] = [];
  const code = await verifyAudit(
    args,
    { DATABASE_URL: server.databaseUrl, AUDIT_SEAL_KEY: key, ...env },
    (text) => lines.push(text),
  );
  return { code, text: lines.join('\n') };
}

/** Marks, and then seals what was marked; waits for other tests' transactions, which hold it up. */
async function seal(): Promise<number> {
  let count = await server.services.seals.seal();
  await until(async () => {
    count += await server.services.seals.seal();
    return count > 0;
  }, 'a seal');
  return count;
}

async function addEvents(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await server.rest('POST', '/api/v1/auth/login', {
      body: { email: `nobody-${index}@people.test`, password: 'wrong wrong wrong' },
    });
  }
}

/** As a superuser who switches the triggers off; undone afterwards. */
async function tampered<T>(statements: string, look: () => Promise<T>): Promise<T> {
  const save = `CREATE TABLE saved_events AS TABLE audit_events; CREATE TABLE saved_seals AS TABLE audit_seals`;
  const restore = `SET session_replication_role = replica; DELETE FROM audit_events; DELETE FROM audit_seals;
    INSERT INTO audit_events SELECT * FROM saved_events; INSERT INTO audit_seals SELECT * FROM saved_seals;
    DROP TABLE saved_events, saved_seals`;
  await server.sql(save);
  try {
    await server.sql(`SET session_replication_role = replica; ${statements}`);
    return await look();
  } finally {
    await server.sql(restore);
  }
}

describe('what was written', () => {
  for (const statement of [
    `UPDATE audit_events SET action = 'x'`,
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
    'UPDATE audit_seals SET sealed_at = now()',
    'DELETE FROM audit_seals',
    'TRUNCATE audit_seals',
  ]) {
    it(`is not changed by ${statement.split(' ').slice(0, 3).join(' ')}, though the owner asks`, async () => {
      await expect(server.sql(statement)).rejects.toMatchObject({ code: '42501' });
    });
  }
});

describe('a chain of seals', () => {
  let count = 0;
  beforeAll(async () => {
    await addEvents(5);
    count = await seal();
    await addEvents(6);
    count += await seal();
    await addEvents(7);
    count += await seal();
  });
  const numberOf = async (position: number) =>
    (
      await server.sql<{ number: string }>(
        'SELECT number FROM audit_events ORDER BY number OFFSET $1 LIMIT 1',
        [position],
      )
    )[0]?.number as string;
  const seals = () =>
    server.sql<{ number: string; hash: Buffer }>('SELECT number, hash FROM audit_seals ORDER BY number');

  it('that nobody touched is whole, and covers every event', async () => {
    const { code, text } = await verify(['--unsealed-max', '0']);
    expect(text).toContain(`${count} events under 3 seals, 0 not sealed yet.`);
    expect(text).toContain('The audit trail is whole.');
    expect(code).toBe(0);
  });

  it('is logged, so that a copy of its end lies elsewhere', async () => {
    const lines = server.logs.filter(({ event }) => event === 'audit_sealed');
    expect(lines).toHaveLength(3);
    const [, head] = /Last seal: (\S+)/.exec((await verify()).text) ?? [];
    expect(head).toBe(`${lines[2]?.seal}:${lines[2]?.hash}`);
    expect((await verify(['--expect', head as string])).code).toBe(0);
  });

  // One changed byte in each column.
  const columns: [string, string][] = [
    ['at', `at + interval '1 millisecond'`],
    ['action', `'auth.logiN'`],
    ['outcome', `'SUCCESS'`],
    ['actor_id', `'00000000-0000-7000-8000-000000000000'`],
    ['actor_label', `actor_label || ' '`],
    ['target_type', `'User'`],
    ['target_id', `'00000000-0000-7000-8000-000000000000', target_type = 'User'`],
    ['ip', `'127.0.0.2'`],
    ['user_agent', `coalesce(user_agent, '') || 'x'`],
    ['correlation_id', `overlay(correlation_id placing 'z' from 1 for 1)`],
    ['changes', `'{"a": 1}'`],
    ['id', `'00000000-0000-7000-8000-000000000000'`],
  ];
  for (const [column, value] of columns) {
    it(`shows one event whose ${column} was changed, and which`, async () => {
      const number = await numberOf(8);
      await tampered(`UPDATE audit_events SET ${column} = ${value} WHERE number = ${number}`, async () => {
        const { code, text } = await verify();
        expect(text).toMatch(new RegExp(`WRONG {2}Event ${number} \\(`));
        expect(code).toBe(1);
      });
    });
  }

  it.each([0, 7, 17])('shows a removed event, at position %s', async (position) => {
    const number = await numberOf(position);
    await tampered(`DELETE FROM audit_events WHERE number = ${number}`, async () => {
      const { code, text } = await verify();
      expect(text).toMatch(/WRONG {2}Event at position \d+ of \d+ under seal \d+ was changed or removed/);
      expect(code).toBe(1);
    });
  });

  it('shows an added event', async () => {
    const number = await numberOf(8);
    // Before the first, as there are no gaps in between.
    await tampered(
      `ALTER TABLE audit_events DROP CONSTRAINT audit_events_number_positive_check;
       INSERT INTO audit_events SELECT gen_random_uuid(), at, action, outcome, actor_id, actor_label, target_type, target_id,
         ip, user_agent, correlation_id, changes, 0 FROM audit_events WHERE number = ${number};
       UPDATE audit_events SET number = (SELECT max(number) + 1 FROM audit_events) WHERE number = ${number};
       UPDATE audit_events SET number = ${number} WHERE number = 0`,
      async () => {
        const { code, text } = await verify();
        expect(text).toMatch(new RegExp(`Event ${number} .* was changed or added`));
        expect(code).toBe(1);
      },
    );
  });

  it('shows two events that changed places', async () => {
    const [one, two] = [await numberOf(7), await numberOf(8)];
    await tampered(
      `ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_number_positive_check;
       UPDATE audit_events SET number = 0 WHERE number = ${one}; UPDATE audit_events SET number = ${one} WHERE number = ${two};
       UPDATE audit_events SET number = ${two} WHERE number = 0`,
      async () => expect((await verify()).code).toBe(1),
    );
  });

  it.each([0, 1, 2])('shows that seal %s was removed', async (index) => {
    const number = (await seals())[index]?.number;
    await tampered(`DELETE FROM audit_seals WHERE number = ${number}`, async () => {
      const { code, text } = await verify();
      expect(text).toContain('WRONG');
      expect(code).toBe(1);
    });
  });

  for (const [column, value] of [
    ['sealed_at', `sealed_at + interval '1 millisecond'`],
    ['event_hashes', 'set_byte(event_hashes, 0, get_byte(event_hashes, 0) # 1)'],
    ['hash', 'set_byte(hash, 31, get_byte(hash, 31) # 1)'],
    ['previous_hash', 'set_byte(previous_hash, 0, get_byte(previous_hash, 0) # 1)'],
    ['signature', 'set_byte(signature, 0, get_byte(signature, 0) # 1)'],
    ['signature', 'NULL'],
    ['first_event_id', `'00000000-0000-7000-8000-000000000000'`],
    ['last_event', 'last_event + 100'],
  ]) {
    it.each([0, 1, 2])(`shows a changed ${column} (${value?.slice(0, 10)}) of seal %s`, async (index) => {
      const number = (await seals())[index]?.number;
      await tampered(`UPDATE audit_seals SET ${column} = ${value} WHERE number = ${number}`, async () => {
        const { code, text } = await verify();
        expect(text).toMatch(/WRONG {2}Seal/);
        expect(code).toBe(1);
      });
    });
  }

  it('shows that the end was cut off and rewritten, to who knows the end from the log', async () => {
    const [, head] = /Last seal: (\S+)/.exec((await verify()).text) ?? [];
    const last = (await seals()).at(-1)?.number;
    await tampered(
      `DELETE FROM audit_seals WHERE number = ${last};
       DELETE FROM audit_events WHERE number > (SELECT max(last_event) FROM audit_seals);
       SELECT setval('audit_seals_number_seq', ${last} - 1)`,
      async () => {
        expect((await verify()).code).toBe(0);
        expect((await verify(['--expect', head as string])).code).toBe(1);
        // A running server knows it too, and seals nothing on top.
        expect(await server.services.seals.seal()).toBe(0);
        expect(server.logs.some(({ event }) => event === 'audit_chain_broken')).toBe(true);
      },
    );
    await server.sql(`SELECT setval('audit_seals_number_seq', ${last})`);
  });

  it('shows a forged event with a number below 1', async () => {
    for (const number of [0, -1, '-9223372036854775808']) {
      await tampered(
        `ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_number_positive_check;
         INSERT INTO audit_events SELECT gen_random_uuid(), at, action, outcome, actor_id, actor_label, target_type,
           target_id, ip, user_agent, correlation_id, changes, ${number} FROM audit_events LIMIT 1`,
        async () => {
          const { code, text } = await verify();
          expect(text).toContain(`Event ${number} (`);
          expect(code).toBe(1);
        },
      );
    }
  });

  it('that was emptied with its sequences passes for a new one, unless a head is kept elsewhere', async () => {
    const head = join(mkdtempSync(join(tmpdir(), 'head-')), 'heads.ndjson');
    const [last] = (await seals()).slice(-1);
    writeFileSync(
      head,
      `${JSON.stringify({ seal: String(last?.number), hash: last?.hash.toString('hex'), lastEvent: '1', sealedAt: '' })}\n`,
    );
    expect((await verify([], { AUDIT_HEAD_FILE: head })).code).toBe(0);
    await tampered(
      `DELETE FROM audit_events; DELETE FROM audit_seals; SELECT setval('audit_seals_number_seq', 1, false)`,
      async () => {
        const { code, text } = await verify();
        expect(text).toContain('There is nothing to verify.');
        expect(text).toContain('looks like a new one');
        expect(code).toBe(0);
        expect((await verify([], { AUDIT_HEAD_FILE: head })).code).toBe(1);
      },
    );
    await server.sql(`SELECT setval('audit_seals_number_seq', ${last?.number})`);
  });

  it('rewritten by who has the database but not the key has wrong signatures', async () => {
    const { code, text } = await verify([], { AUDIT_SEAL_KEY: 'another key, as long as the true one is' });
    expect(text).toMatch(/Seal \d+ is signed with another key/);
    expect(code).toBe(1);
  });

  it('goes on from the last seal of an archived part', async () => {
    const [first] = await server.sql<{ number: string; hash: Buffer; last_event: string }>(
      'SELECT number, hash, last_event FROM audit_seals ORDER BY number LIMIT 1',
    );
    const point = `${first?.number}:${first?.hash.toString('hex')}`;
    await tampered(
      `DELETE FROM audit_seals WHERE number = ${first?.number}; DELETE FROM audit_events WHERE number <= ${first?.last_event}`,
      async () => {
        expect((await verify()).code).toBe(1);
        expect((await verify(['--after', point])).code).toBe(0);
        expect((await verify(['--after', `${first?.number}:${'0'.repeat(64)}`])).code).toBe(1);
      },
    );
  });

  it('tells what it needs when it is asked wrongly, with another exit code', async () => {
    for (const args of [['--expect', 'x'], ['--nothing'], ['--unsealed-max', 'long']]) {
      const { code, text } = await verify(args);
      expect(code).toBe(2);
      expect(text).toContain('Usage: audit:verify');
    }
  });
});

describe('a writer that is late', () => {
  beforeEach(async () => {
    await server.services.seals.seal();
  });

  it('with a lower number is waited for, without holding up others', async () => {
    const late = new pg.Client({ connectionString: ownerUrlOf(server.databaseUrl) });
    await late.connect();
    const insert = `INSERT INTO audit_events (id, at, action, outcome, actor_label, correlation_id)
      VALUES (gen_random_uuid(), now(), 'late', 'SUCCESS', 'late', 'late') RETURNING number`;
    await late.query('BEGIN');
    const [{ number }] = (await late.query(insert)).rows;
    await addEvents(3);
    await server.services.seals.seal();
    expect(await server.services.seals.seal()).toBe(0);
    await late.query('COMMIT');
    await late.end();
    expect(await seal()).toBeGreaterThanOrEqual(4);
    const [row] = await server.sql('SELECT FROM audit_seals WHERE after_event < $1 AND last_event >= $1', [
      number,
    ]);
    expect(row).toBeDefined();
    expect((await verify(['--unsealed-max', '0'])).code).toBe(0);
  });

  it('among many, with two instances sealing, leaves no event outside and none twice', async () => {
    const other = await startTestServer({ DATABASE_URL: server.databaseUrl, AUDIT_SEAL_KEY: key });
    const tokens = [adminToken, await other.signIn()];
    let isWriting = true;
    const sealing = [server, other].map(async ({ services }) => {
      while (isWriting) await services.seals.seal();
    });
    await Promise.all(
      [server, other].map(async ({ url }, index) => {
        for (let round = 0; round < 10; round += 1) {
          await Promise.all(
            Array.from({ length: 10 }, (_, number) =>
              fetch(`${url}/graphql`, {
                method: 'POST',
                headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens[index]}` },
                body: JSON.stringify({
                  query: `mutation { createExecution(input: { name: "e${number}", target: "https://a.test", kind: DAST }) { execution { id } } }`,
                }),
              }),
            ),
          );
        }
      }),
    );
    isWriting = false;
    await Promise.all(sealing);
    await addEvents(1);
    await seal();
    await other.close();
    // Transactions of other tests, in other databases of the same server, hold the horizon back for a while.
    let { code, text } = await verify(['--unsealed-max', '0']);
    await until(async () => {
      // An event that is not sealed yet may be: anything else that is wrong stays so.
      if (code === 0 || /WRONG(?!.*not sealed)/.test(text)) return true;
      await server.services.seals.seal();
      ({ code, text } = await verify(['--unsealed-max', '0']));
      return false;
    }, 'all to be sealed');
    expect(text).not.toContain('WRONG');
    expect(code).toBe(0);
    const [{ created }] = (await server.sql<{ created: number }>(
      `SELECT count(*)::int AS created FROM audit_events WHERE action = 'execution.create'`,
    )) as [{ created: number }];
    expect(created).toBe(200);
  });
});

it('the command is there by name', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts['audit:verify']).toContain('dist/admin/audit-verify.js');
});
