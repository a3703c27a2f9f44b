// Waits for a database that is not up yet when the server starts.
import pg from 'pg';
import type { Logger } from 'pino';
import { codeOf, reasonOf } from './errors.js';

/**
 * Tries to connect until it succeeds, backing off from 0.1 s to 2 s.
 * @throws Error that names host and cause (never the password) after `timeoutMs`
 */
export async function waitForDatabase(url: string, timeoutMs: number, log: Logger): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 2000)) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      const { host, port, pathname } = new URL(url);
      const where = `PostgreSQL at ${host || `localhost:${port || 5432}`}${pathname}`;
      const isHopeless = /^(28|3D)/.test(codeOf(error)); // wrong password, no such database
      if (isHopeless || Date.now() + delayMs > deadline) {
        throw new Error(`${where} cannot be used: ${reasonOf(error)}`, { cause: error });
      }
      log.warn(
        { event: 'database_unreachable', reason: reasonOf(error), retryInMs: delayMs },
        `${where}: retrying`,
      );
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
