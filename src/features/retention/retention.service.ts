// Retention as a service: its job, what shows in metrics, and its dry run, which counts by project what the job would delete.
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database } from '../../infra/postgres/database.js';
import { conditionOn } from '../../infra/postgres/project-access.js';
import { type Sql, sql, where } from '../../infra/postgres/sql.js';
import type { RunTransaction } from '../../infra/postgres/transaction.js';
import { judgedAt, type Limits } from './expired.js';
import type { Removal } from './removal.js';
import { createRetention, type RetentionOptions } from './retention.js';
import { createUnusedTexts, type UnusedTextsOptions } from './unused-texts.js';

/** Dependencies of the dry run. */
export interface RetentionPreviewOptions {
  db: Database;
  /** As `db.transaction`, for statements on all results of executions. */
  transactLong: RunTransaction;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Executions that retention would delete from a project. */
export interface RetentionPreviewRow {
  projectId: string;
  retainDays: number | null;
  retainExecutions: number | null;
  /** Executions that would go. */
  executions: number;
  /** Results that these show. */
  results: number;
  /** Executions beyond the limits that stay under a legal hold. */
  held: number;
  /** Executions beyond the limits that stay because findings need them. */
  needed: number;
}

/** Arguments of a dry run. */
export interface RetentionPreviewInput {
  project?: string | null | undefined;
  retainDays?: number | null | undefined;
  retainExecutions?: number | null | undefined;
}

/** Projects that a dry run counts at most. */
export const maxProjects = 500;

/** Creates the service. */
export function createRetentionService(
  options: Omit<RetentionOptions, 'removeExecution'> & UnusedTextsOptions & { removal: Removal },
) {
  const { removal } = options;
  const job = createRetention({ ...options, removeExecution: removal.removeExecution });
  const texts = createUnusedTexts(options);
  const gauge = (name: string, help: string, read: () => number, overWorkers?: 'max') => ({
    name,
    help,
    read,
    overWorkers,
  });
  return {
    /** Deletes up to 50 executions. @returns their number; 0 while another instance deletes */
    run: job.run,
    /** Marks unused texts of results, and removes the ones marked a day ago. @returns the number of removed ones */
    removeTexts: texts.run,
    /** Starts the jobs and the removal worker; returns a function that stops them. */
    start(): () => Promise<void> {
      const stops = [job.start(), removal.start(), texts.start()];
      return async () => {
        await Promise.all(stops.map((stop) => stop()));
      };
    },
    /** Values for the metrics. */
    gauges: [
      gauge('executions_expired', 'Executions deleted by the retention of projects.', job.deleted),
      gauge('rows_removed', 'Rows removed of deleted projects and executions.', removal.removed),
      gauge('removals_waiting', 'Deleted projects and executions with rows left.', removal.waiting, 'max'),
      gauge('texts_removed', 'Texts removed that no result used any more.', texts.removed),
    ],
    preview: createPreview(options),
  };
}

function createPreview({ db, transactLong, now }: RetentionPreviewOptions) {
  /** @throws NOT_FOUND also for a project that the viewer may not manage */
  const limitsOf = async (viewer: Viewer, input: RetentionPreviewInput): Promise<Limits | undefined> => {
    if (input.project == null) return undefined;
    const manageable = conditionOn(viewer, sql`id`, 'project:manage');
    const [stored] = await db.query<Limits>(sql`
      SELECT retain_days AS "retainDays", retain_executions AS "retainExecutions" FROM projects
      ${where([sql`key = ${input.project}`, ...manageable])}`);
    if (stored === undefined) throw new AppError('NOT_FOUND');
    const { retainDays = stored.retainDays, retainExecutions = stored.retainExecutions } = input;
    return { retainDays, retainExecutions };
  };

  /**
   * Counts what would go now.
   * @returns one entry for each project with a limit that the viewer manages, by key, at most 500; for a named project its own
   * @throws NOT_FOUND also for a project that the viewer may not manage
   */
  return async (viewer: Viewer, input: RetentionPreviewInput): Promise<RetentionPreviewRow[]> => {
    const limits = await limitsOf(viewer, input);
    const named: Sql[] = input.project == null ? [] : [sql`key = ${input.project}`];
    const projects = [...named, ...conditionOn(viewer, sql`id`, 'project:manage')];
    return transactLong((tx) =>
      tx.query<RetentionPreviewRow>(sql`
        WITH ${judgedAt(new Date(now()), projects, sql`true`, limits)}
        SELECT limited.id AS "projectId", limited.days AS "retainDays", limited.most AS "retainExecutions",
          count(*) FILTER (WHERE fate = 'GOES')::int AS executions,
          coalesce(sum(results) FILTER (WHERE fate = 'GOES'), 0)::int AS results,
          count(*) FILTER (WHERE fate = 'HELD')::int AS held, count(*) FILTER (WHERE fate = 'NEEDED')::int AS needed
        FROM limited LEFT JOIN judged ON judged.project_id = limited.id
        GROUP BY limited.id, limited.key, limited.days, limited.most ORDER BY limited.key LIMIT ${maxProjects}`),
    );
  };
}
