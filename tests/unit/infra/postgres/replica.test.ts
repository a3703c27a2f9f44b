// What decides whether a read may run on the replica, and what becomes of one that fails there.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { readReplicaUrls } from '../../../../src/config/replica-url.js';
import { AppError } from '../../../../src/core/errors.js';
import { detectPooling } from '../../../../src/infra/postgres/connection/pooler.js';
import type { Reads } from '../../../../src/infra/postgres/connection/server.js';
import { createCatchUp } from '../../../../src/infra/postgres/replica/catch-up.js';
import type { Contact } from '../../../../src/infra/postgres/replica/contact.js';
import { createCopyOut, readsOfLists } from '../../../../src/infra/postgres/replica/lists.js';
import { whyNot } from '../../../../src/infra/postgres/replica/position.js';
import type { Replica } from '../../../../src/infra/postgres/replica/replica.js';
import { sql } from '../../../../src/infra/postgres/sql.js';

/** A primary that answers when it is told to, and a standby at a position. */
function createPair({ waitMs = 60_000, mayRemember = true, answerMs = 60_000 } = {}) {
  const asked: ((position: number) => void)[] = [];
  const pair = { replayed: 0, looks: 0, asked };
  const catchUp = createCatchUp({
    askPrimary: () => new Promise((resolve) => asked.push((position) => resolve({ timeline: 1, position }))),
    answerMs,
    askStandby: async () => {
      pair.looks += 1;
      return pair.replayed;
    },
    waitMs,
    mayRemember,
  });
  /** Answers a question once it is asked. */
  const answer = async (at: number, position: number) => {
    while (asked.length <= at) await turn();
    asked[at]?.(position);
  };
  return Object.assign(pair, { catchUp, answer });
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a standby has caught up', () => {
  it('when it has replayed a position that the primary had after the question, which all who wait share', async () => {
    const { catchUp, asked, answer } = createPair();
    const first = catchUp.hasCaughtUp(1);
    const later = [catchUp.hasCaughtUp(1), catchUp.hasCaughtUp(1)];
    expect(asked).toHaveLength(1);
    await answer(0, 0);
    expect(await first).toBe(true);
    await answer(1, 0);
    expect(await Promise.all(later)).toEqual([true, true]);
    expect(asked).toHaveLength(2);
  });

  it('once it gets there, and is not asked again for what it is known to have', async () => {
    const pair = createPair();
    const waiting = pair.catchUp.hasCaughtUp(1);
    await pair.answer(0, 10);
    while (pair.looks < 3) await turn();
    pair.replayed = 12;
    expect(await waiting).toBe(true);
    const { looks } = pair;
    const known = pair.catchUp.hasCaughtUp(1);
    await pair.answer(1, 11);
    expect([await known, pair.looks]).toEqual([true, looks]);
    pair.catchUp.forget();
    const again = pair.catchUp.hasCaughtUp(1);
    await pair.answer(2, 11);
    expect([await again, pair.looks]).toEqual([true, looks + 1]);
  });

  it('is asked each time behind a pooler, where it may start again unnoticed', async () => {
    const pair = createPair({ mayRemember: false });
    for (const looks of [1, 2]) {
      const asking = pair.catchUp.hasCaughtUp(1);
      await pair.answer(looks - 1, 0);
      expect([await asking, pair.looks]).toEqual([true, looks]);
    }
  });

  it('never, when time runs out or the timeline is another', async () => {
    const pair = createPair({ waitMs: 0 });
    const late = pair.catchUp.hasCaughtUp(1);
    await pair.answer(0, 10);
    expect(await late).toBe(false);
    const other = pair.catchUp.hasCaughtUp(2);
    await pair.answer(1, 0);
    expect(await other).toBe(false);
  });

  it('is not known while the primary is silent, for which no read waits longer than an answer may take', async () => {
    const pair = createPair({ answerMs: 1 });
    expect(await Promise.all([pair.catchUp.hasCaughtUp(1), pair.catchUp.hasCaughtUp(1)])).toEqual([
      false,
      false,
    ]);
    expect([pair.asked.length, pair.looks]).toEqual([2, 0]);
  });
});

describe('a server is no standby of the primary', () => {
  const primary = { timeline: 2, position: 1, identity: '7/16384' };
  const standby = { isInRecovery: true, timeline: 2, identity: '7/16384' };
  it.each([
    ['that is promoted', { isInRecovery: false }, /not in recovery/],
    ['of another cluster or database', { identity: '8/16384' }, /another server or database/],
    ['that follows a primary of before a failover', { timeline: 1 }, /timeline 1, the primary on 2/],
  ])('%s', (_name, difference, words) => {
    expect(whyNot(primary, { ...standby, ...difference })).toMatch(words);
  });

  it('unless all is the same', () => {
    expect(whyNot(primary, standby)).toBeUndefined();
    expect(whyNot(primary, undefined)).toMatch(/not in recovery/);
  });
});

describe('a read that fails on the replica', () => {
  function replicaOf(contact: Partial<Contact>) {
    const counts = { replica: 0, primary: 0, repeated: 0 };
    const noted = { suspicions: 0, counts };
    const replica: Replica = {
      choose: async () => contact as Contact,
      suspect: () => {
        noted.suspicions += 1;
      },
      state: () => ({ state: 'ready', lagMs: 0, reason: null }),
      counts,
      close: async () => {},
    };
    return { replica, noted };
  }
  async function runWith(error: unknown) {
    const { replica, noted } = replicaOf({ run: () => Promise.reject(error) });
    const onPrimary = async <Row>() => ['primary'] as Row[];
    const primary: Reads = { query: onPrimary, read: onPrimary, queryUncached: onPrimary };
    const rows = await readsOfLists(primary, replica).read(sql`SELECT 1`);
    return { rows, suspicions: noted.suspicions, ...noted.counts };
  }
  const repeated = { rows: ['primary'], replica: 0, primary: 0, repeated: 1 };

  it('runs on the primary: after a conflict with recovery, and after a loss, which is looked into', async () => {
    expect(await runWith(Object.assign(new Error('conflict with recovery'), { code: '40001' }))).toEqual({
      ...repeated,
      suspicions: 0,
    });
    expect(await runWith(new AppError('UNAVAILABLE'))).toEqual({ ...repeated, suspicions: 1 });
  });

  it('runs there too when the replica does not answer, but not when PostgreSQL stopped it for taking long', async () => {
    const silent = new AppError('QUERY_TIMEOUT', { cause: new Error('Query read timeout') });
    expect(await runWith(silent)).toEqual({ ...repeated, suspicions: 1 });
    const slow = new AppError('QUERY_TIMEOUT', {
      cause: Object.assign(new Error('too slow'), { code: '57014' }),
    });
    await expect(runWith(slow)).rejects.toBe(slow);
  });

  it.each([
    ['whose replica is gone', '1', undefined, 1],
    ['whose name leads to another server', '', 'at another moment', 0],
  ])('runs there with all rows when it is an export %s', async (_name, port, startedAt, suspicions) => {
    const url = process.env.TEST_POSTGRES_URL as string;
    const bulk = { url, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 };
    const there = new URL(url);
    there.port = port || there.port;
    const { replica, noted } = replicaOf({
      ...{ url: there.href, isShared: false, startedAt: () => startedAt },
      whileThere: (work) => work,
    });
    const lines: string[] = [];
    for await (const batch of createCopyOut(bulk, replica)(sql`SELECT generate_series(1, 3)`))
      lines.push(...batch);
    expect([lines, noted]).toEqual([
      ['1', '2', '3'],
      { suspicions, counts: { replica: 0, primary: 0, repeated: 1 } },
    ]);
  });
});

it('a server that falls silent after it was connected is not waited for', async () => {
  const connected = Buffer.from('520000000800000000' + '5a0000000549', 'hex'); // AuthenticationOk, ReadyForQuery
  const silent = createServer((socket) => socket.once('data', () => socket.write(connected)));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { port } = silent.address() as AddressInfo;
  await expect(detectPooling(`postgres://a@127.0.0.1:${port}/app`, 500)).rejects.toThrow(
    'Query read timeout',
  );
  silent.close();
});

describe('DATABASE_READ_URL', () => {
  it('names one or several standbys, with the parameters of each connection', () => {
    expect(
      readReplicaUrls(
        'postgres://u:p%40@a,b:5433/app?target_session_attrs=standby&sslmode=require&options=-c%20work_mem%3D8MB',
      ),
    ).toEqual([
      'postgresql://u:p%40@a/app?sslmode=require&options=-c%20work_mem%3D8MB',
      'postgresql://u:p%40@b/app?sslmode=require&port=5433&options=-c%20work_mem%3D8MB',
    ]);
    expect(readReplicaUrls('postgresql:///app?host=/run/pg')).toHaveLength(1);
  });

  it.each([
    ['postgres://u:hunter2@a/app?target_session_attrs=primary', /of standby, prefer-standby/],
    ['postgres://u:hunter2@a/app?target_session_attrs=read-write', /of standby, prefer-standby/],
    ['postgres://u:hunter2@a/app?schema=other', /without \?schema=/],
  ])('%s is refused', (url, words) => {
    expect(() => readReplicaUrls(url)).toThrow(words);
    expect(() => readReplicaUrls(url)).not.toThrow(/hunter2/);
  });
});
