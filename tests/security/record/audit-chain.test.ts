// Attack: someone with access to the database rewrites, removes, adds or reorders audit events, or the seals over them.
// ASVS 16.4.2 (logs protected from modification), 16.2.1; Common Weakness CWE-778.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { verifyAudit } from '../../../src/admin/audit-verify.js';
import { withDatabase } from '../../../src/admin/with-database.js';
import {
  type ChainEvent,
  eventColumns,
  hashEvent,
  hashSeal,
  type Seal,
  sealColumns,
} from '../../../src/features/audit/chain.js';
import { ownerUrlOf, startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { useServer } from '../../kit/use.js';

const key = 'a key for seals that is only for tests';
// The test seals by itself.
const server = await useServer({ AUDIT_SEAL_EVERY_SECONDS: '3600', AUDIT_SEAL_KEY: key });
const adminToken = await server.signIn();

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
  const restore = `SET LOCAL session_replication_role = replica; DELETE FROM audit_events; DELETE FROM audit_seals;
    INSERT INTO audit_events SELECT * FROM saved_events; INSERT INTO audit_seals SELECT * FROM saved_seals;
    DROP TABLE saved_events, saved_seals`;
  await server.sql(save);
  try {
    await server.sql(`SET LOCAL session_replication_role = replica; ${statements}`);
    return await look();
  } finally {
    await server.sql(restore);
  }
}

/** A name, the statements of a superuser, and what audit:verify says. */
type Tampering = [name: string, statements: () => Promise<string>, says: RegExp];

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

  const [first, middle, end] = [0, 8, 17];
  // Ways to tamper with the trail: the statements of a superuser, and what audit:verify says to them.
  const copy = (number: string, at = 'at') =>
    `INSERT INTO audit_events SELECT gen_random_uuid(), ${at}, action, outcome, actor_id, actor_label, target_type, target_id,
       ip, user_agent, correlation_id, changes, ${number} FROM audit_events`;
  const unchecked = 'ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_number_positive_check';
  const otherId = `'00000000-0000-7000-8000-000000000000'`;
  const changed = (column: string, value: string): Tampering => [
    `an event whose ${column} was changed`,
    async () => `UPDATE audit_events SET ${column} = ${value} WHERE number = ${await numberOf(middle)}`,
    /WRONG {2}Event \d+ \(/,
  ];
  const removed = (name: string, position: number): Tampering => [
    `the ${name} event removed`,
    async () => `DELETE FROM audit_events WHERE number = ${await numberOf(position)}`,
    /WRONG {2}Event at position \d+ of \d+ under seal \d+ was changed or removed/,
  ];
  const belowOne = (number: string): Tampering => [
    `a forged event with the number ${number}`,
    async () => `${unchecked}; ${copy(number)} LIMIT 1`,
    new RegExp(`Event ${number} \\(.*numbers begin at 1`),
  ];
  const ofSeal = (index: number, name: string, change: string, says = /WRONG {2}Seal/): Tampering => [
    `the ${['first', 'middle', 'last'][index]} seal ${name}`,
    async () => change.replace('$seal', String((await seals())[index]?.number)),
    says,
  ];
  const everySeal = (name: string, change: string) =>
    [0, 1, 2].map((index) => ofSeal(index, name, `UPDATE audit_seals SET ${change} WHERE number = $seal`));
  /** Changes an event and takes all hashes again, as someone who has the database but not the key would. */
  async function rewritten(): Promise<string> {
    const [seal] = await server.sql<Seal>(
      `SELECT ${sealColumns.sql} FROM audit_seals ORDER BY number LIMIT 1`,
    );
    if (seal === undefined) throw new Error('no seal');
    const [event] = await server.sql<ChainEvent>(
      `SELECT ${eventColumns.sql} FROM audit_events ORDER BY audit_events.number LIMIT 1`,
    );
    if (event === undefined) throw new Error('no event');
    const forged = hashEvent({ ...event, actorLabel: 'somebody else' });
    const eventHashes = Buffer.concat([forged, seal.eventHashes.subarray(32)]);
    const hash = hashSeal({ ...seal, eventHashes });
    const hex = (bytes: Buffer) => `decode('${bytes.toString('hex')}', 'hex')`;
    return `UPDATE audit_events SET actor_label = 'somebody else' WHERE number = ${event.number};
      UPDATE audit_seals SET event_hashes = ${hex(eventHashes)}, hash = ${hex(hash)} WHERE number = ${seal.number};
      UPDATE audit_seals SET previous_hash = ${hex(hash)} WHERE number = (SELECT min(number) FROM audit_seals WHERE number > ${seal.number})`;
  }

  it.each<Tampering>([
    changed('at', `at + interval '1 millisecond'`),
    changed('action', `'auth.logiN'`),
    changed('outcome', `'SUCCESS'`),
    changed('actor_id', otherId),
    changed('actor_label', `actor_label || ' '`),
    changed('target_type', `'User'`),
    changed('target_id', `${otherId}, target_type = 'User'`),
    changed('ip', `'127.0.0.2'`),
    changed('user_agent', `coalesce(user_agent, '') || 'x'`),
    changed('correlation_id', `overlay(correlation_id placing 'z' from 1 for 1)`),
    changed('changes', `'{"a": 1}'`),
    changed('id', otherId),
    [
      'a letter moved from one column of an event to the next',
      async () =>
        `UPDATE audit_events SET action = left(action, -1), actor_label = right(action, 1) || actor_label
         WHERE number = ${await numberOf(middle)}`,
      /WRONG {2}Event \d+ \(/,
    ],
    removed('first', first),
    removed('middle', middle),
    removed('last', end),
    ['all events removed', async () => 'DELETE FROM audit_events', /WRONG {2}Event at position 1 of /],
    [
      'an event put in, and another moved to make room',
      async () => {
        const number = await numberOf(middle);
        return `${unchecked}; ${copy('0')} WHERE number = ${number};
          UPDATE audit_events SET number = (SELECT max(number) + 1 FROM audit_events) WHERE number = ${number};
          UPDATE audit_events SET number = ${number} WHERE number = 0`;
      },
      /Event \d+ .* was changed or added/,
    ],
    [
      'two events that changed places',
      async () => {
        const [one, two] = [await numberOf(7), await numberOf(8)];
        return `${unchecked}; UPDATE audit_events SET number = 0 WHERE number = ${one};
          UPDATE audit_events SET number = ${one} WHERE number = ${two};
          UPDATE audit_events SET number = ${two} WHERE number = 0`;
      },
      /WRONG {2}Event/,
    ],
    [
      'an event moved to the end',
      async () =>
        `UPDATE audit_events SET number = (SELECT max(number) + 1 FROM audit_events) WHERE number = ${await numberOf(middle)}`,
      /was changed or removed/,
    ],
    [
      'an event of yesterday added at the end',
      async () =>
        `${copy('(SELECT max(number) + 1 FROM audit_events)', `at - interval '1 day'`)} WHERE number = ${await numberOf(end)}`,
      /1 events from number \d+ on are older than .* not sealed/,
    ],
    belowOne('0'),
    belowOne('-1'),
    belowOne('-9223372036854775808'),
    ...[0, 1, 2].map((index) =>
      ofSeal(index, 'removed', 'DELETE FROM audit_seals WHERE number = $seal', /WRONG/),
    ),
    ...everySeal('with another time', `sealed_at = sealed_at + interval '1 millisecond'`),
    ...everySeal(
      'with another hash of an event',
      'event_hashes = set_byte(event_hashes, 0, get_byte(event_hashes, 0) # 1)',
    ),
    ...everySeal('with another hash', 'hash = set_byte(hash, 31, get_byte(hash, 31) # 1)'),
    ...everySeal(
      'with another hash of the one before',
      'previous_hash = set_byte(previous_hash, 0, get_byte(previous_hash, 0) # 1)',
    ),
    ...everySeal('with another signature', 'signature = set_byte(signature, 0, get_byte(signature, 0) # 1)'),
    ...everySeal('without its signature', 'signature = NULL'),
    ...everySeal('with another first event', `first_event_id = ${otherId}`),
    ...everySeal('with another last event', `last_event_id = ${otherId}`),
    ...everySeal('that reaches further', 'last_event = last_event + 100'),
    ...everySeal('that begins earlier', 'after_event = after_event - 1'),
    ofSeal(2, 'under another number', 'UPDATE audit_seals SET number = number + 1000 WHERE number = $seal'),
    ofSeal(
      2,
      'twice',
      `INSERT INTO audit_seals SELECT number + 1, last_event, last_event + 1, first_event_id, last_event_id, event_hashes,
         sealed_at, previous_hash, hash, signature FROM audit_seals WHERE number = $seal`,
    ),
    [
      'two seals that changed places',
      async () => {
        const [one, two] = (await seals()).map(({ number }) => number);
        return `UPDATE audit_seals SET number = 9999 WHERE number = ${one};
          UPDATE audit_seals SET number = ${one} WHERE number = ${two};
          UPDATE audit_seals SET number = ${two} WHERE number = 9999`;
      },
      /WRONG {2}Seal/,
    ],
    ['an event changed and its hashes taken again', rewritten, /Seal \d+ is signed with another key/],
    [
      'the end cut off, events and seal',
      async () => {
        const last = (await seals()).at(-1)?.number;
        return `DELETE FROM audit_seals WHERE number = ${last};
          DELETE FROM audit_events WHERE number > (SELECT max(last_event) FROM audit_seals)`;
      },
      /was made and is not there: the end of the chain was cut off/,
    ],
    [
      'everything removed',
      async () => 'DELETE FROM audit_seals; DELETE FROM audit_events',
      /was made and is not there: the end of the chain was cut off/,
    ],
  ])('shows %s', async (_name, statements, says) => {
    await tampered(await statements(), async () => {
      const { code, text } = await verify();
      expect(text).toMatch(says);
      expect(code).toBe(1);
    });
  });

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

it('is read beside a server that has the embedded database running', async () => {
  const dataDir = process.env.TEST_DATA_DIR as string;
  const names = await withDatabase(
    { dataDir },
    async (client) => (await client.query('SELECT current_database()')).rows,
  );
  expect(names).toEqual([{ current_database: 'sec_tester' }]);
  // It still runs: the command stops only what it started.
  await server.sql('SELECT');
});

it('the command is there by name', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts['audit:verify']).toContain('dist/admin/audit-verify.js');
});
