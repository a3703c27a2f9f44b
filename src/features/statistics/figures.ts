// Figures for /metrics: open and overdue findings, the oldest import under way, webhooks, mails. A job reads them now and then, because
// /metrics itself asks no database. They are those of the whole installation, the same on each instance.
import type { Logger } from 'pino';
import { repeat } from '../../core/repeat.js';
import type { Database } from '../../infra/postgres/database.js';
import { sql } from '../../infra/postgres/sql.js';
import { countOpen, countOverdue } from './statistics.reads.js';
import type { Scope } from './statistics.scope.js';

/** Dependencies of reading figures. */
export interface FigureOptions {
  db: Database;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Figures as of the last look; empty before the first one. */
export interface Figures {
  /** Severity → open findings. */
  open: Readonly<Record<string, number>>;
  overdue: number;
  /** Age of the oldest import under way; 0 when there is none. */
  oldestImportSeconds: number;
  /** State → webhooks: `active`, `failing` (active ones whose last attempt failed) and `off`. */
  webhooks: Readonly<Record<string, number>>;
  /** Events that wait for their delivery. */
  deliveriesWaiting: number;
  /** State → mails: `waiting`, and `failed` in the last 30 days. */
  mails: Readonly<Record<string, number>>;
}

const everyMs = 15_000;
const everything: Scope = { projects: [], rollups: [sql`series_id = 0`], isWhole: true };

/** Creates the figures of one instance. */
export function createFigures({ db, log, now }: FigureOptions) {
  let last: Figures = {
    open: {},
    overdue: 0,
    oldestImportSeconds: 0,
    webhooks: {},
    deliveriesWaiting: 0,
    mails: {},
  };
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const at = new Date(now());
    const open = await countOpen(db, everything);
    const overdue = await countOverdue(db, everything, at);
    const others = await readOthers(db, at);
    last = {
      open: {
        info: open.infoCount,
        low: open.lowCount,
        medium: open.mediumCount,
        high: open.highCount,
        critical: open.criticalCount,
      },
      overdue,
      ...others,
    };
  }

  const look = (): Promise<void> => {
    reading ??= read()
      .catch((error: unknown) => log.warn({ event: 'figures_failed', err: error }))
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };

  return {
    /** The figures as of the last look. */
    last: (): Figures => last,

    /** Looks now; a look that is under way counts. */
    look,

    /** Looks now and every 15 seconds from then on; returns a function that stops it. */
    start(): () => Promise<void> {
      void look();
      const stop = repeat(everyMs, look, () => {});
      return async () => {
        await stop();
        await reading;
      };
    },
  };
}

type Others = Omit<Figures, 'open' | 'overdue'>;

async function readOthers(db: Database, at: Date): Promise<Others> {
  const [row] = await db.queryUncached<Record<string, number | null>>(sql`
    SELECT (SELECT extract(epoch FROM ${at} - min(created_at)) FROM imports WHERE state = 'RUNNING')::float8 AS "oldestImport",
      (SELECT count(*) FROM webhook_deliveries WHERE state = 'PENDING')::int AS waiting,
      (SELECT count(*) FROM mails WHERE state = 'PENDING')::int AS "mailsWaiting",
      (SELECT count(*) FROM mails WHERE state = 'FAILED')::int AS "mailsFailed",
      (SELECT count(*) FROM webhooks WHERE is_active AND failing_since IS NULL)::int AS active,
      (SELECT count(*) FROM webhooks WHERE is_active AND failing_since IS NOT NULL)::int AS failing,
      (SELECT count(*) FROM webhooks WHERE NOT is_active)::int AS off`);
  const of = (name: string) => row?.[name] ?? 0;
  return {
    oldestImportSeconds: Math.max(of('oldestImport'), 0),
    webhooks: { active: of('active'), failing: of('failing'), off: of('off') },
    deliveriesWaiting: of('waiting'),
    mails: { waiting: of('mailsWaiting'), failed: of('mailsFailed') },
  };
}
