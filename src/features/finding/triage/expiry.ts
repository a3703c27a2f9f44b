// Opens findings whose accepted risk has come to its end, reports due dates that have passed, and keeps the counters short, in
// the background.
import type { Logger } from 'pino';
import { repeat } from '../../../core/repeat.js';
import { lockKeys, tryLock } from '../../../infra/postgres/advisory-lock.js';
import type { Database } from '../../../infra/postgres/database.js';
import { isKept } from '../../../infra/postgres/project-access.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { AuditService } from '../../audit/audit.service.js';
import type { ReportOverdue, ReportTriage } from '../../webhook/webhook.events.js';
import { compactCounts } from '../finding.counts.js';
import { dueDateOf } from '../finding.due.js';
import { compactRollups } from '../finding.rollups.js';
import { turnOf } from '../finding.turns.js';

/** Dependencies of the keeper. */
export interface KeeperOptions {
  db: Database;
  audit: AuditService;
  /** Queues webhook events for decisions. */
  reportTriage: ReportTriage;
  /** Queues webhook events for due dates that have passed. */
  reportOverdue: ReportOverdue;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

const everyMs = 2000;
const batch = 1000;

/** Ends acceptances, reports due dates and compacts the counters every two seconds from now on; returns a function that stops it. */
export function startKeeper(options: KeeperOptions): () => Promise<void> {
  const onError = (error: unknown) => options.log.warn({ event: 'finding_keeper_failed', err: error });
  return repeat(everyMs, () => keep(options), onError);
}

async function keep(options: KeeperOptions): Promise<void> {
  while ((await expireAcceptances(options)) === batch);
  while ((await noticeOverdue(options)) === batch);
  await options.db.transaction(async (tx) => {
    if (!(await tryLock(tx, lockKeys.findingKeeper))) return;
    await compactCounts(tx);
    await compactRollups(tx);
  });
}

/**
 * Opens up to 1,000 findings whose RISK_ACCEPTED has ended, with an entry in the history of each.
 * @returns their number
 */
export async function expireAcceptances({ db, audit, reportTriage, now }: KeeperOptions): Promise<number> {
  const at = new Date(now());
  const [due] = await db.read<{ isThere: boolean }>(
    sql`SELECT EXISTS (SELECT FROM findings WHERE triage = 'RISK_ACCEPTED' AND accepted_until <= ${at}) AS "isThere"`,
  );
  if (due?.isThere !== true) return 0;
  return db.transaction(async (tx) => {
    const opened = await tx.query<{ id: string }>(sql`
      WITH ended AS (
        SELECT id FROM findings WHERE triage = 'RISK_ACCEPTED' AND accepted_until <= ${at} AND ${isKept(sql`project_id`)}
        ORDER BY accepted_until LIMIT ${batch} FOR UPDATE SKIP LOCKED
      ), opened AS (
        UPDATE findings AS finding SET triage = 'OPEN', triage_reason = NULL, triage_comment = NULL, accepted_until = NULL,
          turned_at = ${turnOf(sql`finding`, sql`finding.is_present`, sql`${at}::timestamptz`)},
          due_at = ${dueDateOf(sql`finding.first_seen_at`, sql`finding.severity`, sql`project`)}
        FROM ended, projects AS project WHERE finding.id = ended.id AND project.id = finding.project_id RETURNING finding.id
      )
      INSERT INTO triage_events (id, finding_id, at, actor_label, "from", "to", reason)
      SELECT gen_random_uuid(), id, ${at}::timestamptz, 'system', 'RISK_ACCEPTED', 'OPEN', 'the acceptance has ended'
      FROM opened RETURNING finding_id AS id`);
    if (opened.length > 0) {
      await reportTriage(
        tx,
        opened.map(({ id }) => id),
        at,
      );
      audit.record(tx, {
        action: 'finding.expire_acceptance',
        actor: null,
        actorLabel: 'system',
        changes: { findings: opened.length },
      });
    }
    return opened.length;
  });
}

/**
 * Reports up to 1,000 open findings whose due date has passed, once for each due date.
 * @returns their number
 */
export async function noticeOverdue({ db, reportOverdue, now }: KeeperOptions): Promise<number> {
  const at = new Date(now());
  const isUnreported = sql`is_present AND triage IN ('OPEN', 'CONFIRMED') AND due_at IS NOT NULL
    AND reported_due_at IS DISTINCT FROM due_at AND due_at <= ${at}`;
  const [due] = await db.read<{ isThere: boolean }>(
    sql`SELECT EXISTS (SELECT FROM findings WHERE ${isUnreported}) AS "isThere"`,
  );
  if (due?.isThere !== true) return 0;
  return db.transaction(async (tx) => {
    const noticed = await tx.query<{ id: string }>(sql`
      WITH due AS (
        SELECT id FROM findings WHERE ${isUnreported} ORDER BY due_at LIMIT ${batch} FOR UPDATE SKIP LOCKED
      )
      UPDATE findings AS finding SET reported_due_at = due_at FROM due WHERE finding.id = due.id RETURNING finding.id`);
    const ids = noticed.map(({ id }) => id);
    if (ids.length > 0) await reportOverdue(tx, ids, at);
    return ids.length;
  });
}
