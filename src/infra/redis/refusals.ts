// Names the ways in which Redis refuses commands, for logs and metrics, and says what an operator can do.
import { ReplyError } from 'ioredis';

/** A refusal: Redis answered, but with an error. */
export interface Refusal {
  /** One of {@link refusalCodes}. */
  code: string;
  /** The answer of Redis; it holds no secret. */
  reason: string;
  /** The advice for operators. */
  advice: string;
}

const advices: Readonly<Record<string, string>> = {
  WRONGPASS: 'Correct the user and password of REDIS_URL.',
  NOAUTH: 'Add the user and password to REDIS_URL.',
  NOPERM: 'Allow the user of REDIS_URL: ~sec-tester:* &sec-tester:* +@all -@dangerous',
  READONLY: 'This Redis is a replica. Let REDIS_URL name the primary.',
  OOM: 'Raise maxmemory, or set maxmemory-policy to allkeys-lru.',
  MISCONF: 'Redis cannot save its data. Free disk space, or switch persistence off.',
  MASTERDOWN: 'This Redis is a replica without a primary. Let REDIS_URL name the primary.',
  NOREPLICAS: 'Redis lacks the replicas that min-replicas-to-write demands.',
  LOADING: 'Wait: Redis is loading its data.',
  BUSY: 'Another client runs a script that blocks Redis.',
  MOVED: 'This Redis is a node of a cluster. Let REDIS_URL name a Redis that holds all keys.',
  CLUSTERDOWN: 'This Redis is a node of a cluster. Let REDIS_URL name a Redis that holds all keys.',
  ERR: 'Let REDIS_URL name a Redis, not a Sentinel, that knows EVAL, PUBLISH and SUBSCRIBE.',
};

/** How Redis 7 words a NOPERM within a script. */
const forbiddenInScript = /^ERR (ACL failure in script|The user executing the script)/;

const otherAdvice = 'Look for the reason in the documentation of Redis.';

/** The codes of refusals, for a label of bounded values. */
export const refusalCodes: readonly string[] = [...Object.keys(advices), 'OTHER'];

/** The meaning of an error that Redis answered; undefined when there was no answer. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error && error instanceof (ReplyError as ErrorConstructor))) return undefined;
  const [, given = ''] = /^([A-Z]+)\b/.exec(error.message) ?? [];
  const known = given in advices ? given : 'OTHER';
  const code = forbiddenInScript.test(error.message) ? 'NOPERM' : known;
  return { code, reason: error.message.slice(0, 300), advice: advices[code] ?? otherAdvice };
}

/** Whether a refusal holds for some keys only, so that a command that succeeds does not disprove it. */
export const concernsSomeKeys = ({ code }: Pick<Refusal, 'code'>): boolean =>
  code === 'MOVED' || code === 'CLUSTERDOWN';
