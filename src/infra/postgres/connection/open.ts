// Opens connections beside the pool: at the start, for migrations and commands, and for bulk work.
import pg from 'pg';
import { type SessionNeeds, settleSession, startUpOptions } from './settings.js';
import { attemptAt, learnFrom, type Target, targetOf } from './target.js';

/** Options of opening a connection. */
export interface OpenOptions extends Partial<SessionNeeds> {
  /** Names the connection in pg_stat_activity. */
  applicationName?: string;
  /** Longest time that opening may take, on each host. */
  connectTimeoutMs?: number;
  /** Longest wait for the answer to a statement; none, unless given. */
  answerTimeoutMs?: number;
  types?: pg.CustomTypesConfig;
  /** Leaves the settings as they are found. */
  isRaw?: boolean;
}

/** pg's configuration of a connection to the present host of a target. */
export function clientConfig(target: Target, needs: SessionNeeds, applicationName: string): pg.ClientConfig {
  const options = startUpOptions(target, needs);
  return {
    connectionString: target.url(),
    keepAlive: true,
    application_name: applicationName,
    ...(options !== undefined && { options }),
  };
}

/**
 * Opens a connection with the settings of {@link settleSession}, without time limits unless they are given. Of several hosts
 * it takes the first one that answers and, unless the URL says otherwise, writes.
 * @throws Error of the last host that was tried
 */
export async function openClient(url: string, options: OpenOptions = {}): Promise<pg.Client> {
  const { statementTimeoutMs = 0, idleInTransactionTimeoutMs = 0, isReadOnly = false } = options;
  const {
    applicationName = 'sec-tester-api',
    connectTimeoutMs = 10_000,
    types,
    isRaw = false,
    answerTimeoutMs,
  } = options;
  const needs = { statementTimeoutMs, idleInTransactionTimeoutMs, isReadOnly };
  const target = targetOf(url);
  const maxAttempts = target.address.hosts.length + 2; // two more for a proxy that refuses start-up options
  for (let attempt = 1; ; attempt += 1) {
    const tried = attemptAt(target);
    const client = new pg.Client({
      ...clientConfig(target, needs, applicationName),
      connectionTimeoutMillis: connectTimeoutMs,
      ...(types !== undefined && { types }),
      ...(answerTimeoutMs !== undefined && { query_timeout: answerTimeoutMs }),
    });
    client.on('error', () => {}); // the statement that is under way, or the next one, fails too
    try {
      await client.connect();
      if (!isRaw) await settleSession(client, target, needs, connectTimeoutMs);
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (!learnFrom(target, error, tried) || attempt >= maxAttempts) throw error;
    }
  }
}
