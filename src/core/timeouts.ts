// The server's time-outs and intervals, in milliseconds, which only tests change. settings.ts has those for operators.

export const defaultTiming = {
  /** Longest wait for the greeting of a WebSocket. */
  greetingMs: 3000,
  /** How often a WebSocket is pinged; one that has not answered by the next ping is dropped. HEARTBEAT_SECONDS sets it. */
  pingEveryMs: 12_000,
  /** How often each log that is watched is read, in case a wake-up was lost. */
  pollEveryMs: 2000,
  /** How often the rights behind open streams are checked, in case a message was lost. */
  checkEveryMs: 900,
  /** How long an instance uses what it knows of a session before it reads it again. */
  believeMs: 1000,
  /** The same for a user's profile, on which no right depends. */
  believeProfileMs: 10_000,
  /** Longest time a health check may take. */
  healthMs: 1000,
  /** Longest time a Redis command may take. */
  redisAnswerMs: 500,
  /** A connection to Redis on which an answer is overdue for so long is given up: it may be open on this side only. */
  redisSilenceMs: 1000,
  /** For so long a server that stops still answers, so that load balancers hear that it is not ready. */
  drainMs: 1000,
  /** Longest time that one statement of an import may take. */
  bulkStatementMs: 1_800_000,
  /** Longest time in which a mail server takes a mail, from connecting to its last answer. */
  mailMs: 20_000,
  /** Longest wait at the end for what is left of traces to be sent. */
  tracesMs: 2000,
};

export type Timing = Readonly<typeof defaultTiming>;
