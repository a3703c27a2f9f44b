// Keeps the head of the audit trail where the owner of the database cannot rewrite it: a file, a webhook, the log.
import { appendFile, readFile } from 'node:fs/promises';
import type { Logger } from 'pino';

/** The end of the sealed trail. */
export interface AuditHead {
  /** Number of the last seal. */
  seal: string;
  /** SHA-256 of the last seal, hexadecimal. */
  hash: string;
  /** Number of the last sealed event. */
  lastEvent: string;
  /** RFC 3339 */
  sealedAt: string;
}

/** Where heads go; the log gets each in any case. */
export interface AuditHeadOptions {
  log: Logger;
  /** File that heads are appended to, one JSON object per line. */
  file: string | undefined;
  /** URL that gets each head by POST. */
  webhook: string | undefined;
}

const webhookTimeoutMs = 5000;

/** Returns a function that keeps a head. What fails is logged: sealing goes on. */
export function createAuditHeadKeeper({ log, file, webhook }: AuditHeadOptions) {
  return async (head: AuditHead): Promise<void> => {
    const text = JSON.stringify(head);
    const failed = (where: string) => (error: unknown) =>
      log.error(
        { event: 'audit_head_not_kept', where, err: error },
        'the head of the audit trail is not kept',
      );
    await Promise.all([
      file === undefined ? undefined : appendFile(file, `${text}\n`, { mode: 0o640 }).catch(failed('file')),
      webhook === undefined ? undefined : post(webhook, text).catch(failed('webhook')),
    ]);
  };
}

async function post(url: string, body: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(webhookTimeoutMs),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
}

/**
 * The last head in a file of heads; undefined when the file does not exist or is empty.
 * @throws Error for a file that holds something else
 */
export async function readAuditHead(file: string): Promise<AuditHead | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const last = text.trimEnd().split('\n').at(-1);
  if (last === undefined || last === '') return undefined;
  const head = JSON.parse(last) as AuditHead;
  if (!/^\d+$/.test(head.seal) || !/^[0-9a-f]{64}$/.test(head.hash))
    throw new Error(`${file} does not hold heads of an audit trail`);
  return head;
}
