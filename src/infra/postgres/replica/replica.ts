// Watches the read replica: which host is used, whether it is a standby of the primary, and whether it keeps up (docs/adr/0028).
import type { Logger } from 'pino';
import { whereIs } from '../../../config/database-url.js';
import { readReplicaUrls } from '../../../config/replica-url.js';
import { requestContext } from '../../telemetry/request-context.js';
import type { ServerConnections } from '../connection/server.js';
import { targetOf } from '../connection/target.js';
import { reasonOf } from '../errors.js';
import type { PoolOptions } from '../pool.js';
import { inTime } from './catch-up.js';
import { type Contact, connectStandby } from './contact.js';
import { type Primary, selectPrimary, whyNot } from './position.js';

/** The setting of a replica. */
export interface ReplicaOptions {
  /** One or several hosts, of which one is used at a time. */
  readUrl: string;
  /** Longest time that a read waits for the replica to catch up, in milliseconds. */
  readWaitMs: number;
}

/** The replica at this moment. */
export interface ReplicaState {
  /** `behind`: it takes longer than {@link ReplicaOptions.readWaitMs} to show what was committed. */
  state: 'ready' | 'behind' | 'away';
  /** Milliseconds since the replica last showed everything; 0 while it is ready, null if it never was. */
  lagMs: number | null;
  /** Why the replica is away. */
  reason: string | null;
}

/** The read replica. */
export interface Replica {
  /** The standby, when it shows everything that was committed before the call and is no busier than the primary. */
  choose(): Promise<Contact | undefined>;
  /** Looks at the replica at once, after it has failed. */
  suspect(): void;
  state(): ReplicaState;
  /** Reads of lists so far by where they ran; `repeated` ones failed on the replica and ran on the primary. */
  counts: { replica: number; primary: number; repeated: number };
  close(): Promise<void>;
}

const lookEveryMs = 1000;
const lookAgainMs = 100;
/** Longest time that a look may take; a replica that does not answer within it is away. */
const answerMs = 2000;
/** A replica that is behind for so long is worth a line in the log. */
const tellAfterMs = 5000;

/** What is known of the replica. */
interface Known {
  /** Absent while it is away. */
  contact: Contact | undefined;
  state: ReplicaState['state'];
  reason: string | null;
  /** When it last showed everything, in milliseconds of performance.now(). */
  wholeAt: number | undefined;
  /** Index of the host that is tried next. */
  hostIndex: number;
}

interface WatchOptions extends PoolOptions, ReplicaOptions {
  primary: Pick<ServerConnections, 'reads' | 'busy'>;
}

/** Watches a replica from now on, and connects to it in the background. */
export function createReplica(options: WatchOptions): Replica {
  const { primary } = options;
  const log = options.log.child({ server: 'replica' });
  const known: Known = {
    contact: undefined,
    state: 'away',
    reason: 'not reached yet',
    wholeAt: undefined,
    hostIndex: 0,
  };
  const look = createLook({ ...options, log }, known);
  const tell = createTelling(log);
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let isClosed = false;

  function lookNow(): void {
    if (looking !== undefined || isClosed) return;
    clearTimeout(timer);
    looking = requestContext.exit(look).finally(() => {
      looking = undefined;
      tell(known);
      if (!isClosed)
        timer = setTimeout(lookNow, known.state === 'behind' ? lookAgainMs : lookEveryMs).unref();
    });
  }

  lookNow();
  return {
    counts: { replica: 0, primary: 0, repeated: 0 },
    suspect: lookNow,
    state: () => ({ state: known.state, lagMs: lagOf(known), reason: known.reason }),

    async choose() {
      const { contact, state } = known;
      if (contact === undefined || state !== 'ready' || contact.busy() > primary.busy()) return undefined;
      const isThere = await contact.catchUp.hasCaughtUp(contact.timeline);
      if (contact !== known.contact) return undefined;
      if (isThere) return contact;
      known.state = 'behind';
      lookNow();
      return undefined;
    },

    async close() {
      isClosed = true;
      clearTimeout(timer);
      await looking;
      await known.contact?.abandon();
    },
  };
}

/** Makes the look at the replica that notes whether it can be used. */
function createLook(
  { primary, readUrl, readWaitMs, ...pool }: WatchOptions,
  known: Known,
): () => Promise<void> {
  const urls = readReplicaUrls(readUrl);
  // A read that waits in vain for the replica has the other half for the primary.
  const acquireTimeoutMs = pool.acquireTimeoutMs / 2;
  return async () => {
    const asking = primary.reads.read<Primary>(selectPrimary);
    const [head] = await inTime(asking, answerMs).catch(() => []);
    if (head === undefined) return; // nothing runs on the replica while the primary is away
    const startedAt = performance.now();
    try {
      const url = urls[known.hostIndex] as string;
      known.contact ??= await connectStandby(
        { ...pool, url, acquireTimeoutMs },
        primary.reads,
        readWaitMs,
        answerMs,
      );
      const { contact } = known;
      const reason = whyNot(head, await inTime(contact.identify(), answerMs));
      if (reason !== undefined) throw new Error(reason);
      contact.timeline = head.timeline;
      const isThere = await contact.catchUp.reaches(head.position);
      if (isThere) known.wholeAt = startedAt;
      Object.assign(known, { state: isThere ? 'ready' : 'behind', reason: null });
    } catch (error) {
      void known.contact?.abandon().catch(() => {});
      const hostIndex = (known.hostIndex + 1) % urls.length;
      Object.assign(known, { contact: undefined, state: 'away', reason: reasonOf(error), hostIndex });
    }
  };
}

/** Makes the function that logs when the replica is used and when no longer. */
function createTelling(log: Logger): (known: Known) => void {
  let last: 'used' | 'left' | undefined;
  return (known) => {
    const { contact, state, reason } = known;
    const news = state === 'ready' ? 'used' : 'left';
    const lagMs = lagOf(known);
    if (last === news || (state === 'behind' && (lagMs ?? 0) < tellAfterMs)) return;
    last = news;
    const where = contact && whereIs(targetOf(contact.url).address);
    if (news === 'used') log.info({ event: 'database_replica_used', where });
    else log.warn({ event: 'database_replica_left', reason: reason ?? 'it is behind', lagMs });
  };
}

function lagOf({ state, wholeAt }: Known): number | null {
  if (wholeAt === undefined) return null;
  return state === 'ready' ? 0 : Math.round(performance.now() - wholeAt);
}
