// Checks the audit trail against its seals and locates each fault; it changes nothing and needs no server.
import { lockKeys } from '../../infra/postgres/advisory-lock.js';
import {
  type ChainEvent,
  eventColumns,
  hashEvent,
  hashSeal,
  isSame,
  noHash,
  type Seal,
  sealColumns,
  signSeal,
  splitHashes,
} from './chain.js';

/** Runs a statement with $1, $2 … in the session to verify in. */
export type Query = <Row>(text: string, values?: unknown[]) => Promise<Row[]>;

export interface VerifyOptions {
  /** The key that the seals were signed with; without it signatures are not looked at. */
  key?: string | undefined;
  /** A seal known from elsewhere (the log, a printout), as number:hash, that must be there. */
  expect?: string | undefined;
  /** The last seal of an archived part, as number:hash; the chain goes on from it. */
  after?: string | undefined;
  /** Events older than this must be sealed. */
  unsealedMaxSeconds: number;
  /** The highest number given to a seal, by {@link lastNumberGiven} before the transaction began. */
  lastGiven: string;
}

export interface Verdict {
  /** Faults with their places, one sentence each; none when all is well. */
  faults: string[];
  /** Remarks that are no faults. */
  notes: string[];
  seals: number;
  events: number;
  unsealed: number;
  /** The last seal as number:hash, to be kept elsewhere. */
  head: string | undefined;
}

/** Faults named; more are counted. */
const faultsMax = 100;

/** Verifies the whole chain; the session should be in a REPEATABLE READ transaction. */
export async function verifyChain(query: Query, options: VerifyOptions): Promise<Verdict> {
  const faults: string[] = [];
  const notes: string[] = [];
  let count = 0;
  const blame = (fault: string) => {
    count += 1;
    if (count <= faultsMax) faults.push(fault);
  };
  let previous = parsePoint(options.after);
  let upTo = '0';
  let isExpectedSeen = options.expect === undefined;
  const expected = parsePoint(options.expect);
  const [archived] = options.after === undefined ? [] : await firstRange(query);
  if (archived !== undefined) upTo = archived.afterEvent;
  const verdict = { seals: 0, events: 0 };
  await checkBelow(query, blame);

  for (let number = '0'; ; ) {
    const [seal] = await query<Seal>(
      `SELECT ${sealColumns.sql} FROM audit_seals WHERE audit_seals.number > $1::bigint ORDER BY audit_seals.number LIMIT 1`,
      [number],
    );
    if (seal === undefined) break;
    checkSeal(seal, previous, upTo, options.key, blame, notes);
    if (expected?.number === seal.number) isExpectedSeen = isSame(expected.hash, seal.hash);
    const found = await query<ChainEvent>(
      `SELECT ${eventColumns.sql} FROM audit_events
       WHERE audit_events.number > $1::bigint AND audit_events.number <= $2::bigint ORDER BY audit_events.number`,
      [upTo, seal.lastEvent],
    );
    checkEvents(seal, found, blame);
    verdict.seals += 1;
    verdict.events += found.length;
    number = seal.number;
    previous = { number, hash: seal.hash };
    upTo = seal.lastEvent;
  }

  if (!isExpectedSeen)
    blame(`Seal ${expected?.number} is missing: the end of the chain was cut off or forged.`);
  checkEnd(options.lastGiven, previous?.number, blame);
  if (verdict.seals === 0)
    notes.push(
      'There is no seal. A trail that was emptied together with its sequence looks like a new one: compare it with a head that is kept elsewhere (AUDIT_HEAD_FILE, --expect).',
    );
  else if (options.expect === undefined)
    notes.push(
      'No head from elsewhere was given: a trail that was replaced as a whole, with seals of its own, would pass unless its seals are signed with a key that the forger lacks.',
    );
  const unsealed = await checkUnsealed(query, upTo, options.unsealedMaxSeconds, blame);
  if (count > faultsMax) faults.push(`… and ${count - faultsMax} more.`);
  const head = previous === undefined ? undefined : `${previous.number}:${previous.hash.toString('hex')}`;
  return { faults, notes, ...verdict, unsealed, head };
}

interface Point {
  number: string;
  hash: Buffer;
}

function parsePoint(text: string | undefined): Point | undefined {
  if (text === undefined) return undefined;
  const [, number, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined || hash === undefined)
    throw new Error(`"${text}" is no seal: expected number:hash as audit:verify prints it`);
  return { number, hash: Buffer.from(hash, 'hex') };
}

/** No event may lie below the range of the first seal: numbers begin at 1. */
async function checkBelow(query: Query, blame: (fault: string) => void): Promise<void> {
  const rows = await query<{ number: string; id: string }>(
    'SELECT number::text AS number, id::text AS id FROM audit_events WHERE number < 1 ORDER BY number LIMIT 100',
  );
  for (const { number, id } of rows) blame(`Event ${number} (${id}) was forged: numbers begin at 1.`);
}

const firstRange = (query: Query) =>
  query<{ afterEvent: string }>(
    'SELECT after_event::text AS "afterEvent" FROM audit_seals ORDER BY number LIMIT 1',
  );

function checkSeal(
  seal: Seal,
  previous: Point | undefined,
  upTo: string,
  key: string | undefined,
  blame: (fault: string) => void,
  notes: string[],
): void {
  const name = `Seal ${seal.number}`;
  if (!isSame(hashSeal(seal), seal.hash)) blame(`${name} was changed: it is not what its hash was taken of.`);
  const next = String(BigInt(previous?.number ?? '0') + 1n);
  if (!isSame(seal.previousHash, previous?.hash ?? noHash) || seal.afterEvent !== upTo) {
    const before = previous === undefined ? 'the beginning' : `seal ${previous.number}`;
    blame(`${name} does not follow ${before}: a seal between them was removed, added or changed.`);
  } else if (seal.number !== next) {
    notes.push(
      `There is no seal ${next}: its transaction was rolled back, or it was removed and made again.`,
    );
  }
  if (key === undefined) return;
  if (seal.signature === null) blame(`${name} is not signed.`);
  else if (!isSame(signSeal(seal.hash, key), seal.signature)) blame(`${name} is signed with another key.`);
}

function checkEvents(seal: Seal, found: ChainEvent[], blame: (fault: string) => void): void {
  const sealed = splitHashes(seal.eventHashes).map((hash) => hash.toString('hex'));
  const actual = found.map((event) => hashEvent(event).toString('hex'));
  const [first, last] = [found[0]?.id, found.at(-1)?.id];
  if (sealed.join() === actual.join()) {
    if (first !== seal.firstEventId || last !== seal.lastEventId)
      blame(`Seal ${seal.number} names other events than it seals.`);
    return;
  }
  const [sealedSet, actualSet] = [new Set(sealed), new Set(actual)];
  found.forEach((event, index) => {
    if (!sealedSet.has(actual[index] as string))
      blame(
        `Event ${event.number} (${event.id}, ${event.at}) was changed or added after seal ${seal.number}.`,
      );
  });
  sealed.forEach((hash, index) => {
    if (!actualSet.has(hash))
      blame(
        `Event at position ${index + 1} of ${sealed.length} under seal ${seal.number} was changed or removed.`,
      );
  });
  if (sealed.every((hash) => actualSet.has(hash)) && actual.every((hash) => sealedSet.has(hash)))
    blame(`The events under seal ${seal.number} were reordered or doubled.`);
}

/**
 * The highest number given to a seal so far, taken while none is being written.
 * @param query in the session to verify in, outside of a transaction
 */
export async function lastNumberGiven(query: Query): Promise<string> {
  await query('SELECT pg_advisory_lock($1)', [lockKeys.auditSeals]);
  try {
    const [sequence] = await query<{ given: string | null }>(
      `SELECT pg_sequence_last_value('audit_seals_number_seq'::regclass)::text AS given`,
    );
    return sequence?.given ?? '0';
  } finally {
    await query('SELECT pg_advisory_unlock($1)', [lockKeys.auditSeals]);
  }
}

/** Each number is given once: the last one given and not there was removed. */
function checkEnd(given: string, last: string | undefined, blame: (fault: string) => void): void {
  if (BigInt(given) > BigInt(last ?? 0))
    blame(`Seal ${given} was made and is not there: the end of the chain was cut off.`);
}

async function checkUnsealed(
  query: Query,
  upTo: string,
  maxSeconds: number,
  blame: (fault: string) => void,
): Promise<number> {
  const [rest] = await query<{ all: number; old: number; oldest: string | null }>(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE at < now() - make_interval(secs => $2))::int AS old,
       min(number)::text AS oldest FROM audit_events WHERE number > $1::bigint`,
    [upTo, maxSeconds],
  );
  if (rest !== undefined && rest.old > 0)
    blame(`${rest.old} events from number ${rest.oldest} on are older than ${maxSeconds} s and not sealed.`);
  return rest?.all ?? 0;
}
