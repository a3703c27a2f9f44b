// Writes events for webhooks in the transaction of the change that they report: either both are there, or neither. Each
// function is one statement, which ends at once where no webhook subscribes.
import { newId } from '../../core/ids.js';
import type { Statements } from '../../infra/postgres/database.js';
import { isKept } from '../../infra/postgres/project-access.js';
import { type Sql, sql } from '../../infra/postgres/sql.js';
import type { WebhookEvent } from './webhook.input.js';

/** Findings that an event describes; it says how many there are in all. */
const maxFindings = 100;

/** A run that has met the findings. */
export interface MetRun {
  projectId: string;
  executionId: string;
  at: Date;
  /** When the run was, where that is not now: webhooks made later hear nothing of it. */
  endedAt?: Date;
  newFindings: number;
  reopenedFindings: number;
  /** The receipt of the import that the run comes from. */
  receipt?: { id: string; [name: string]: unknown };
}

/**
 * Rows of deliveries for the webhooks that want an event of a project. Ids are in the order of time, and differ in their last
 * 48 bits.
 * @param events rows of (event, position, order key, data), which may refer to `wanted`; null data is no event
 */
function insertion(at: Date, wanted: Sql, events: Sql): Sql {
  const prefix = newId().slice(0, 24);
  return sql`
    WITH wanted AS MATERIALIZED (${wanted})
    INSERT INTO webhook_deliveries (id, webhook_id, event, order_key, payload, created_at, next_attempt_at)
    SELECT (${prefix} || substr(gen_random_uuid()::text, 25))::uuid, wanted.id, event.name, event.order_key,
      jsonb_build_object('type', event.name, 'timestamp', ${at.toISOString()}::text, 'data', event.data),
      ${at}::timestamptz, ${at}::timestamptz
    FROM wanted CROSS JOIN LATERAL (${events}) AS event(name, position, order_key, data)
    WHERE event.name = ANY(wanted.events) AND event.data IS NOT NULL ORDER BY event.position, wanted.id`;
}

/** See `order_key` of deliveries. */
const orderKey = (projectId: Sql, target: Sql) =>
  sql`${projectId}::text || '/' || coalesce(md5(${target}), '')`;

const webhooksOf = (projectId: string, names: readonly WebhookEvent[], at: Date) => sql`
  SELECT id, events, least_severity FROM webhooks WHERE is_active AND events && ${[...names]}::text[]
    AND (project_id IS NULL OR project_id = ${projectId}::uuid) AND created_at <= ${at}::timestamptz
    AND ${isKept(sql`${projectId}::uuid`)}`;

const projectKey = (projectId: string) => sql`(SELECT key FROM projects WHERE id = ${projectId}::uuid)`;

const severityName = (rank: Sql) => sql`(ARRAY['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])[${rank} + 1]`;

/** A finding in an event. */
const findingObject = sql`jsonb_build_object('id', 'fnd_' || finding.id, 'title', finding.title, 'severity',
  ${severityName(sql`finding.severity`)}, 'ruleId', finding.rule_id, 'cweIds', coalesce(finding.cwe_ids, '{}'),
  'cveIds', coalesce(finding.cve_ids, '{}'),
  'path', nullif(finding.path, ''), 'triage', finding.triage)`;

/** Findings of a run by what it made of them, worst first; null where the webhook's severity leaves none. */
function findingsOf({ executionId, projectId }: MetRun, delta: 0 | 2, total: number): Sql {
  const found = sql`test_results AS result JOIN findings AS finding ON finding.id = result.finding_id
    WHERE result.execution_id = ${executionId}::uuid AND result.delta = ${delta}::smallint
      AND finding.severity >= coalesce(wanted.least_severity, 0)`;
  return sql`(SELECT jsonb_build_object('project', ${projectKey(projectId)}, 'executionId', ${`exe_${executionId}`}::text,
      'total', CASE WHEN wanted.least_severity IS NULL THEN ${total}::int ELSE (SELECT count(*) FROM ${found}) END,
      'findings', jsonb_agg(listed.finding ORDER BY listed.severity DESC, listed.id))
    FROM (
      SELECT finding.id, finding.severity, ${findingObject} AS finding FROM ${found}
      ORDER BY result.severity DESC, result.id LIMIT ${maxFindings}
    ) AS listed HAVING count(*) > 0)`;
}

/** Reports runs, executions and decisions; services get these as arguments. */
export type ReportRun = typeof reportRun;
export type ReportExecution = typeof reportExecution;
export type ReportTriage = typeof reportTriage;
export type ReportOverdue = typeof reportOverdue;
export type ReportExpiringKeys = typeof reportExpiringKeys;

/** Reports a run that has met the findings: import.completed, finding.new and finding.reopened, as far as they apply. */
export async function reportRun(tx: Statements, run: MetRun): Promise<void> {
  const { receipt, newFindings, reopenedFindings, projectId, executionId } = run;
  const names: WebhookEvent[] = [
    ...(receipt === undefined ? [] : (['import.completed'] as const)),
    ...(newFindings === 0 ? [] : (['finding.new'] as const)),
    ...(reopenedFindings === 0 ? [] : (['finding.reopened'] as const)),
  ];
  if (names.length === 0) return;
  const { id, ...counts } = receipt ?? { id: '' };
  const facts = JSON.stringify({ id: `imp_${id}`, executionId: `exe_${executionId}`, ...counts });
  await tx.query(
    insertion(
      run.at,
      webhooksOf(projectId, names, run.endedAt ?? run.at),
      sql`SELECT name, position, ${orderKey(sql`${projectId}`, sql`(SELECT target FROM test_executions WHERE id = ${executionId}::uuid)`)}, CASE name
          WHEN 'import.completed' THEN ${facts}::jsonb || jsonb_build_object('project', ${projectKey(projectId)})
          WHEN 'finding.new' THEN ${findingsOf(run, 0, newFindings)}
          ELSE ${findingsOf(run, 2, reopenedFindings)} END
        FROM unnest(${names}::text[]) WITH ORDINALITY AS given(name, position)`,
    ),
  );
}

/** An execution that has started or ended. */
export interface ReportedExecution {
  id: string;
  projectId: string;
  name: string;
  target: string;
  status: string;
  errorMessage: string | null;
  infoCount: number;
  lowCount: number;
  mediumCount: number;
  highCount: number;
  criticalCount: number;
}

function eventOf(status: string): WebhookEvent {
  if (status === 'RUNNING') return 'execution.started';
  return status === 'COMPLETED' ? 'execution.completed' : 'execution.failed';
}

/** Reports that an execution has started or ended, by its status: execution.started, execution.completed or execution.failed. */
export async function reportExecution(tx: Statements, execution: ReportedExecution, at: Date): Promise<void> {
  const { id, projectId, name, target, status, errorMessage } = execution;
  const event = eventOf(status);
  const counts = {
    info: execution.infoCount,
    low: execution.lowCount,
    medium: execution.mediumCount,
    high: execution.highCount,
    critical: execution.criticalCount,
  };
  const facts = JSON.stringify({ id: `exe_${id}`, name, target, status, errorMessage, counts });
  await tx.query(
    insertion(
      at,
      webhooksOf(projectId, [event], at),
      sql`SELECT ${event}::text, 1, ${orderKey(sql`${projectId}`, sql`${target}::text`)}, ${facts}::jsonb || jsonb_build_object('project', ${projectKey(projectId)})`,
    ),
  );
}

/** Condition in SQL that a webhook wants to hear of decisions. */
export const isTriageReported = sql`EXISTS (
  SELECT FROM webhooks WHERE is_active AND ${'triage.changed' satisfies WebhookEvent}::text = ANY(events))`;

/** The key of findings that may be of several targets, by `target` of each. */
const keyOfFindings = orderKey(
  sql`finding.project_id`,
  sql`CASE WHEN min(series.target) = max(series.target) THEN min(series.target) END`,
);

/**
 * Reports decisions about findings, from their history: triage.changed for each project, with at most 100 findings.
 * @param at time of the decision, as the history has it
 */
export async function reportTriage(tx: Statements, findingIds: readonly string[], at: Date): Promise<void> {
  const name: WebhookEvent = 'triage.changed';
  await tx.query(
    insertion(
      at,
      webhooksOfAll(name),
      sql`SELECT ${name}::text, row_number() OVER (), ${keyOfFindings},
          jsonb_build_object('project', min(project.key), 'total', count(*), 'actor', min(change.actor_label),
          'findings', jsonb_agg(${findingObject} || jsonb_build_object('from', change."from", 'to', change."to", 'severityFrom',
            ${severityName(sql`change.severity_from`)}, 'severityTo', ${severityName(sql`change.severity_to`)}, 'reason', change.reason)
            ORDER BY change.place) FILTER (WHERE change.place <= ${maxFindings}))
        FROM (
          SELECT event.*, row_number() OVER (PARTITION BY finding.project_id ORDER BY finding.severity DESC, finding.id) AS place
          FROM triage_events AS event JOIN findings AS finding ON finding.id = event.finding_id
          WHERE event.finding_id = ANY(${[...findingIds]}::uuid[]) AND event.at = ${at}::timestamptz
            AND finding.severity >= coalesce(wanted.least_severity, 0)
        ) AS change JOIN findings AS finding ON finding.id = change.finding_id ${ofProject}`,
    ),
  );
}

/** Reports that the due dates of open findings have passed: finding.overdue for each project, with at most 100 findings. */
export async function reportOverdue(tx: Statements, findingIds: readonly string[], at: Date): Promise<void> {
  const name: WebhookEvent = 'finding.overdue';
  const due = sql`jsonb_build_object('dueAt', to_char(finding.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`;
  await tx.query(
    insertion(
      at,
      webhooksOfAll(name),
      sql`SELECT ${name}::text, row_number() OVER (), ${keyOfFindings},
          jsonb_build_object('project', min(project.key), 'total', count(*),
          'findings', jsonb_agg(${findingObject} || ${due} ORDER BY finding.place) FILTER (WHERE finding.place <= ${maxFindings}))
        FROM (
          SELECT finding.*, row_number() OVER (PARTITION BY project_id ORDER BY severity DESC, due_at, id) AS place
          FROM findings AS finding
          WHERE id = ANY(${[...findingIds]}::uuid[]) AND severity >= coalesce(wanted.least_severity, 0)
        ) AS finding ${ofProject}`,
    ),
  );
}

/** Reports that API keys end soon: api_key.expiring for each, to webhooks of all projects and of the key's own. */
export async function reportExpiringKeys(tx: Statements, keyIds: readonly string[], at: Date): Promise<void> {
  const name: WebhookEvent = 'api_key.expiring';
  const ends = sql`to_char(key.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  await tx.query(
    insertion(
      at,
      webhooksOfAll(name),
      sql`SELECT ${name}::text, row_number() OVER (ORDER BY key.expires_at, key.id), 'key_' || key.id,
          jsonb_build_object('id', 'key_' || key.id, 'name', key.name, 'expiresAt', ${ends}, 'project', project.key,
          'user', jsonb_build_object('id', 'usr_' || owner.id, 'name', owner.name, 'kind', owner.kind))
        FROM api_keys AS key JOIN users AS owner ON owner.id = key.user_id LEFT JOIN projects AS project ON project.id = key.project_id
        WHERE key.id = ANY(${[...keyIds]}::uuid[]) AND (wanted.project_id IS NULL OR wanted.project_id = key.project_id)`,
    ),
  );
}

const webhooksOfAll = (name: WebhookEvent) =>
  sql`SELECT id, events, project_id, least_severity FROM webhooks WHERE is_active AND ${name} = ANY(events)`;

/** Groups `finding` by project, for the webhooks of the project. */
const ofProject = sql`JOIN projects AS project ON project.id = finding.project_id
  JOIN scan_series AS series ON series.id = finding.series_id
  WHERE wanted.project_id IS NULL OR wanted.project_id = finding.project_id GROUP BY finding.project_id`;
