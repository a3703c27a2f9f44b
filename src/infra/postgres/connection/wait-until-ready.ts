// Waits for a database that is not up yet when the server starts, and finds out how it is reached.
import type { Logger } from 'pino';
import { whereIs } from '../../../config/database-url.js';
import { codeOf, reasonOf } from '../errors.js';
import { openClient } from './open.js';
import { detectPooling, type Pooling } from './pooler.js';
import { targetOf } from './target.js';

/** Wrong password, no such database, and certificates: time changes none of them. */
const hopelessCodes = /^(28|3D)|CERT|^ERR_(TLS|SSL)|SELF_SIGNED|^UNABLE_TO_|^HOSTNAME_MISMATCH/;
const hopelessReasons =
  /does not support SSL|no such file .*(sslcert|sslkey|sslrootcert)|CERTIFICATE|certificate/;

/**
 * Tries to connect until it succeeds, backing off from 0.1 s to 2 s. What time cannot change ends it at once.
 * @returns how a pooler between, if there is one, lends connections
 * @throws Error that names host and cause (never the password) after `timeoutMs`
 */
export async function waitForDatabase(url: string, timeoutMs: number, log: Logger): Promise<Pooling> {
  const { address } = targetOf(url);
  const where = whereIs(address);
  const deadline = Date.now() + timeoutMs;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 2000)) {
    try {
      const pooling = await detectPooling(url, 3000);
      const client = await openClient(url, { connectTimeoutMs: 3000 });
      await client.end();
      return pooling;
    } catch (error) {
      if (isHopeless(error) || Date.now() + delayMs > deadline) {
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

function isHopeless(error: unknown): boolean {
  return (
    (error as { isHopeless?: boolean }).isHopeless === true ||
    /^The pooler /.test(reasonOf(error)) ||
    hopelessCodes.test(codeOf(error)) ||
    hopelessReasons.test(reasonOf(error))
  );
}
