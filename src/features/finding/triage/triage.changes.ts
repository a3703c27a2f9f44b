// Writes a decision about findings with the history of each, or says what it would change. triage.service.ts has checked it.

import type { Viewer } from '../../../core/permissions.js';
import type { Statements } from '../../../infra/postgres/database.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { dueDateOf } from '../finding.due.js';
import { severities } from '../finding.input.js';
import type { TriageFindingsInput } from './triage.input.js';

/** A checked decision. */
export interface Decision {
  input: TriageFindingsInput;
  viewer: Viewer;
  at: Date;
}

/** What a decision has changed, or would change. */
export interface TriageOutcome {
  matched: number;
  changed: number;
  /** Matched findings by severity after the decision; the index is the rank. */
  ranks: number[];
}

/** Columns of `finding` as the decision leaves them. */
function decided({
  input,
}: Decision): Record<
  'triage' | 'reason' | 'comment' | 'until' | 'override' | 'severity' | 'assignee' | 'due',
  Sql
> {
  const { state, reason, comment, acceptedUntil, severityOverride, assigneeId } = input;
  const keep = state == null;
  const triage = keep ? sql`finding.triage` : sql`${state}::triage_state`;
  const rank = severityOverride == null ? null : severities.indexOf(severityOverride);
  const override = severityOverride === undefined ? sql`finding.severity_override` : sql`${rank}::smallint`;
  const severity = sql`COALESCE(${override}, finding.reported_severity)`;
  const due = dueDateOf(sql`finding.first_seen_at`, severity, sql`project`);
  return {
    triage,
    reason: keep ? sql`finding.triage_reason` : sql`${reason ?? null}::text`,
    // A new state leaves the comment on the one before behind.
    comment:
      keep && comment === undefined ? sql`finding.triage_comment` : sql`nullif(${comment ?? null}::text, '')`,
    until: keep ? sql`finding.accepted_until` : sql`${acceptedUntil ?? null}::timestamptz`,
    override,
    severity,
    assignee: assigneeId === undefined ? sql`finding.assignee_id` : sql`${assigneeId}::uuid`,
    due: sql`CASE WHEN ${triage} IN ('OPEN', 'CONFIRMED') THEN ${due} ELSE finding.due_at END`,
  };
}

/** The chosen findings as they are and as the decision leaves them, for `WITH`. */
function planned(ids: readonly string[], decision: Decision): Sql {
  const { triage, reason, comment, until, override, severity, assignee, due } = decided(decision);
  return sql`planned AS (
    SELECT finding.id, finding.triage AS was, finding.severity AS severity_was, finding.reported_severity,
      ${triage} AS triage, ${reason} AS triage_reason, ${comment} AS triage_comment, ${until} AS accepted_until,
      ${override} AS severity_override, ${severity} AS severity, ${assignee} AS assignee_id, ${due} AS due_at,
      (finding.triage, finding.triage_reason, finding.triage_comment, finding.accepted_until, finding.severity_override,
        finding.assignee_id) IS DISTINCT FROM (${triage}, ${reason}, ${comment}, ${until}, ${override}, ${assignee}) AS differs
    FROM findings AS finding JOIN projects AS project ON project.id = finding.project_id
    WHERE finding.id = ANY(${[...ids]}::uuid[])
  )`;
}

const summary = sql`SELECT severity AS rank, count(*)::int AS matched, count(*) FILTER (WHERE differs)::int AS changed
  FROM planned GROUP BY severity`;

interface Summed {
  rank: number;
  matched: number;
  changed: number;
}

function outcomeOf(rows: readonly Summed[]): TriageOutcome {
  const ranks = severities.map((_name, rank) => rows.find((row) => row.rank === rank)?.matched ?? 0);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return { matched: sum(ranks), changed: sum(rows.map(({ changed }) => changed)), ranks };
}

/** Says what a decision would change; changes nothing. */
export async function wouldChange(
  db: Pick<Statements, 'query'>,
  ids: readonly string[],
  decision: Decision,
): Promise<TriageOutcome> {
  return outcomeOf(await db.query<Summed>(sql`WITH ${planned(ids, decision)} ${summary}`));
}

/**
 * Writes a decision and an entry in the history of each finding that it changes, in one statement.
 * @param ids locked findings
 */
export async function applyDecision(
  tx: Statements,
  ids: readonly string[],
  decision: Decision,
): Promise<TriageOutcome> {
  const { viewer, at, input } = decision;
  const isStateGiven = input.state != null;
  const rows = await tx.query<Summed>(sql`
    WITH ${planned(ids, decision)}, updated AS (
      UPDATE findings AS finding SET triage = planned.triage, triage_reason = planned.triage_reason,
        triage_comment = planned.triage_comment, accepted_until = planned.accepted_until,
        severity_override = planned.severity_override, severity = planned.severity, assignee_id = planned.assignee_id,
        due_at = planned.due_at
      FROM planned WHERE finding.id = planned.id AND planned.differs
    ), noted AS (
      INSERT INTO triage_events (id, finding_id, at, actor_id, actor_label, "from", "to", severity_from, severity_to, reason, comment)
      SELECT gen_random_uuid(), id, ${at}::timestamptz, ${viewer.userId}::uuid, ${viewer.email}::text,
        CASE WHEN ${isStateGiven} THEN was END, CASE WHEN ${isStateGiven} THEN triage END,
        CASE WHEN severity <> severity_was THEN severity_was END, CASE WHEN severity <> severity_was THEN severity END,
        ${input.reason ?? null}::text, nullif(${input.comment ?? null}::text, '')
      FROM planned WHERE differs
    )
    ${summary}`);
  return outcomeOf(rows);
}
