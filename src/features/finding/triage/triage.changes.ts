// Writes a decision about findings with the history of each, or says what it would change, in one statement however many they
// are. triage.service.ts has checked the input, and decides what an outcome means.

import type { Viewer } from '../../../core/permissions.js';
import type { Statements } from '../../../infra/postgres/database.js';
import { conditionOn } from '../../../infra/postgres/project-access.js';
import { join, raw, type Sql, sql, where } from '../../../infra/postgres/sql.js';
import { dueDateOf } from '../finding.due.js';
import { severities } from '../finding.input.js';
import { turnOf } from '../finding.turns.js';
import { maxTriaged, type TriageFindingsInput, triageRules } from './triage.input.js';

/** A checked decision. */
export interface Decision {
  input: TriageFindingsInput;
  viewer: Viewer;
  at: Date;
  /** Conditions on the table findings for the rows that it is about. */
  conditions: readonly Sql[];
}

/** Changes that a decision made, or would make. */
export interface TriageOutcome {
  matched: number;
  changed: number;
  /** Matched findings by severity after the decision; the index is the rank. */
  ranks: number[];
}

/** Numbers of findings that prevent a decision. */
export interface Obstacles {
  /** In projects where the viewer may not triage. */
  forbidden: number;
  /** In none of the expected states. */
  unexpected: number;
  /** In a state that the new one may not follow. */
  illegal: number;
}

/** Outcome and obstacles of a decision. Where there are obstacles, or too few or too many findings, it has changed nothing. */
export interface Attempt extends TriageOutcome, Obstacles {
  /** The changed findings; null where nobody is to hear of them. */
  changedIds: string[] | null;
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

/** The findings that the decision is about, locked in the order of their ids for a change. */
function chosen({ conditions, viewer }: Decision, isLocked: boolean): Sql {
  // Rights as of this statement: a membership that has ended meanwhile decides about nothing.
  const seen = conditionOn(viewer, sql`project_id`, 'finding:read');
  const isWorkable = join([sql`TRUE`, ...conditionOn(viewer, sql`project_id`, 'finding:triage')], ' AND ');
  return sql`chosen AS MATERIALIZED (
    SELECT id, project_id, triage, triage_reason, triage_comment, accepted_until, severity, reported_severity, severity_override,
      assignee_id, due_at, first_seen_at, ${isWorkable} AS is_workable
    FROM findings ${where([...conditions, ...seen])} ORDER BY id LIMIT ${maxTriaged + 1} ${isLocked ? raw('FOR NO KEY UPDATE') : raw('')}
  )`;
}

/** The chosen findings as they are and as the decision leaves them. */
function planned(decision: Decision): Sql {
  const { triage, reason, comment, until, override, severity, assignee, due } = decided(decision);
  return sql`planned AS MATERIALIZED (
    SELECT finding.id, finding.triage AS was, finding.severity AS severity_was,
      ${triage} AS triage, ${reason} AS triage_reason, ${comment} AS triage_comment, ${until} AS accepted_until,
      ${override} AS severity_override, ${severity} AS severity, ${assignee} AS assignee_id, ${due} AS due_at,
      (finding.triage, finding.triage_reason, finding.triage_comment, finding.accepted_until, finding.severity_override,
        finding.assignee_id) IS DISTINCT FROM (${triage}, ${reason}, ${comment}, ${until}, ${override}, ${assignee}) AS differs
    FROM chosen AS finding JOIN projects AS project ON project.id = finding.project_id
  )`;
}

/** One row of {@link Obstacles}, with the number of the chosen findings as `matched`. */
function obstacles({ input: { expectedState, state } }: Decision): Sql {
  const expected = expectedState == null ? sql`TRUE` : sql`triage = ANY(${expectedState}::triage_state[])`;
  const legal =
    state == null ? sql`TRUE` : sql`triage = ANY(${[...triageRules[state].from]}::triage_state[])`;
  return sql`obstacles AS MATERIALIZED (
    SELECT count(*)::int AS matched, (count(*) FILTER (WHERE NOT is_workable))::int AS forbidden,
      (count(*) FILTER (WHERE NOT (${expected})))::int AS unexpected, (count(*) FILTER (WHERE NOT (${legal})))::int AS illegal
    FROM chosen
  )`;
}

function summary(changedIds: Sql): Sql {
  const ranks = severities.map(
    (_name, rank) => sql`(count(*) FILTER (WHERE severity = ${raw(`${rank}`)}))::int`,
  );
  return sql`SELECT obstacles.*, changes.* FROM obstacles CROSS JOIN (
      SELECT ARRAY[${join(ranks)}] AS ranks, (count(*) FILTER (WHERE differs))::int AS changed, ${changedIds} AS "changedIds"
      FROM planned
    ) AS changes`;
}

/** Counts the changes that a decision would make; changes nothing. */
export async function tryDecision(db: Pick<Statements, 'query'>, decision: Decision): Promise<Attempt> {
  const parts = join([chosen(decision, false), planned(decision), obstacles(decision)]);
  const [attempt] = await db.query<Attempt>(sql`WITH ${parts} ${summary(sql`NULL::uuid[]`)}`);
  return attempt as Attempt;
}

/**
 * Writes a decision and an entry in the history of each finding that it changes, in one statement. The statement locks the
 * findings before it reads them, so that it decides about them as they are.
 * @param fewest findings that must be there
 * @param isReported condition on which the ids of the changed findings are read
 */
export async function applyDecision(
  tx: Statements,
  decision: Decision,
  fewest: number,
  isReported: Sql,
): Promise<Attempt> {
  const isClear = sql`matched BETWEEN ${fewest} AND ${maxTriaged} AND forbidden = 0 AND unexpected = 0 AND illegal = 0`;
  const turns = sql`finding.is_present AND (planned.was IN ('OPEN', 'CONFIRMED')) <> (planned.triage IN ('OPEN', 'CONFIRMED'))`;
  const [attempt] = await tx.query<Attempt>(sql`
    WITH ${join([chosen(decision, true), planned(decision), obstacles(decision)])}, updated AS (
      UPDATE findings AS finding SET triage = planned.triage, triage_reason = planned.triage_reason,
        triage_comment = planned.triage_comment, accepted_until = planned.accepted_until,
        severity_override = planned.severity_override, severity = planned.severity, assignee_id = planned.assignee_id,
        due_at = planned.due_at, turned_at = ${turnOf(sql`finding`, turns, sql`${decision.at}::timestamptz`)}
      FROM planned WHERE finding.id = planned.id AND planned.differs AND (SELECT ${isClear} FROM obstacles)
    ), noted AS (${history(decision, isClear)})
    ${summary(sql`CASE WHEN ${isReported} THEN array_agg(id) FILTER (WHERE differs) END`)}`);
  return attempt as Attempt;
}

/** An entry for each finding that the decision changes. */
function history({ viewer, at, input }: Decision, isClear: Sql): Sql {
  const isStateGiven = input.state != null;
  return sql`
    INSERT INTO triage_events (id, finding_id, at, actor_id, actor_label, "from", "to", severity_from, severity_to, reason, comment)
    SELECT gen_random_uuid(), id, ${at}::timestamptz, ${viewer.userId}::uuid, ${viewer.email}::text,
      CASE WHEN ${isStateGiven} THEN was END, CASE WHEN ${isStateGiven} THEN triage END,
      CASE WHEN severity <> severity_was THEN severity_was END, CASE WHEN severity <> severity_was THEN severity END,
      ${input.reason ?? null}::text, nullif(${input.comment ?? null}::text, '')
    FROM planned WHERE differs AND (SELECT ${isClear} FROM obstacles)`;
}
