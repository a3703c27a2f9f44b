// Knows whether Redis does what the server needs: it writes, publishes and subscribes every second, and logs each change.
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { concernsSomeKeys, type Refusal, refusalOf } from './refusals.js';
import type { Subscriber } from './subscriber.js';

/** The state of Redis, as the probes and refused commands show it. */
export interface RedisWatch {
  /** Whether commands that write can be sent. */
  canWrite(): boolean;
  /**
   * Probes now.
   * @throws Error when Redis does not answer, or refuses what the server needs
   */
  probe(): Promise<void>;
  /** Takes a refusal of any command into account. */
  refused(refusal: Refusal): void;
  /** From now on a closed connection is intended. */
  close(): void;
}

/** The part of Redis that fails: everything, commands that write, or messages among instances. */
type Part = 'connection' | 'commands' | 'messages';

/** Writes as limits do: with a script. A replica, a full memory and an access list refuse it. */
const writeProbe = `return redis.call('SET', KEYS[1], '1', 'PX', 60000)`;
/** The probes' keys are spread over the slots of a cluster. */
const probeKeys = 64;

type Trouble = Refusal | { code: string; reason: string };

/** Creates the watch; `probe` is called by its owner. */
export function createRedisWatch(client: Redis, subscriber: () => Subscriber, log: Logger): RedisWatch {
  const troubles = new Map<Part, Trouble>();
  const report = (part: Part, found: Trouble | undefined) => reportChange(troubles, part, found, log);
  let turn = 0;
  let isClosed = false;

  async function probe(): Promise<void> {
    turn = (turn + 1) % probeKeys;
    const [written, published] = await Promise.allSettled([
      client.eval(writeProbe, 1, `sec-tester:probe:${turn}`),
      client.publish('sec-tester:probe', ''),
    ]);
    const lost = [written, published].find(
      (outcome) => outcome.status === 'rejected' && refusalOf(outcome.reason) === undefined,
    );
    if (lost?.status === 'rejected') throw lost.reason;
    report('connection', undefined);
    const refusal = written.status === 'rejected' ? refusalOf(written.reason) : undefined;
    const before = troubles.get('commands');
    const isLasting = before !== undefined && concernsSomeKeys(before);
    if (refusal !== undefined || !isLasting) report('commands', refusal);
    report(
      'messages',
      published.status === 'rejected' ? refusalOf(published.reason) : subscriber().refusal(),
    );
    const [trouble] = troubles.values();
    if (trouble !== undefined) throw new Error(trouble.reason);
  }

  client.on('error', (error: Error) =>
    report('connection', refusalOf(error) ?? { code: 'unreachable', reason: error.message }),
  );
  client.on('ready', () => probe().catch(() => {}));
  client.on('close', () => {
    troubles.delete('commands'); // another one may answer next time
    if (!isClosed && !troubles.has('connection'))
      report('connection', { code: 'unreachable', reason: 'the connection was closed' });
  });
  return {
    canWrite: () => client.status === 'ready' && !troubles.has('connection') && !troubles.has('commands'),
    probe,
    refused(refusal) {
      if (concernsSomeKeys(refusal)) report('commands', refusal);
    },
    close() {
      isClosed = true;
    },
  };
}

/** Notes and logs what has begun or ceased to fail; the same failure once. */
function reportChange(
  troubles: Map<Part, Trouble>,
  part: Part,
  found: Trouble | undefined,
  log: Logger,
): void {
  const before = troubles.get(part);
  if (found === undefined) {
    if (troubles.delete(part) && troubles.size === 0) log.info({ event: 'redis_back' }, 'Redis is back');
    return;
  }
  troubles.set(part, found);
  if (before?.code === found.code) return;
  const { reason } = found;
  if ('advice' in found)
    log.warn(
      { event: 'redis_refuses', part, reason, advice: found.advice },
      'Redis refuses commands: running degraded',
    );
  else log.warn({ event: 'redis_unreachable', reason }, 'Redis is unreachable: running degraded');
}
