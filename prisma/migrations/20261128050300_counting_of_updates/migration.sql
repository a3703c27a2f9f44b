-- Step

-- Most updates leave a finding as open as it was, with the same severity, rule, CWEs and due date: they change no sum of
-- statistics, so only the counters by triage are written.
CREATE OR REPLACE FUNCTION "count_findings"() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off SET jit = off AS $$
DECLARE
    changes finding_change[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        changes := ARRAY(
            SELECT ROW(project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at, coalesce(turned_at, first_seen_at),
                count(*), CASE WHEN is_open_finding(is_present, triage) THEN count(*) ELSE 0 END, 0, 0, 0)::finding_change
            FROM "after" GROUP BY project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at,
                coalesce(turned_at, first_seen_at));
    ELSIF TG_OP = 'DELETE' THEN
        changes := ARRAY(
            SELECT ROW(project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at, coalesce(turned_at, first_seen_at),
                -count(*), CASE WHEN is_open_finding(is_present, triage) THEN -count(*) ELSE 0 END, 0, 0, 0)::finding_change
            FROM "before" GROUP BY project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at,
                coalesce(turned_at, first_seen_at));
    ELSE
        INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
        SELECT project_id, triage, severity, is_present, sum(change) FROM (
            SELECT project_id, triage, severity, is_present, 1 AS change FROM "after"
            UNION ALL SELECT project_id, triage, severity, is_present, -1 FROM "before"
        ) AS side GROUP BY project_id, triage, severity, is_present HAVING sum(change) <> 0;
        changes := ARRAY(
            SELECT ROW(side.project_id, side.series_id, side.triage, side.severity, side.is_present, side.rule_id, side.cwe_ids,
                side.due_at, turn.at, sum(side.change),
                sum(CASE WHEN side.change = 1 AND turn.is_open AND NOT turn.was_open THEN 1 ELSE 0 END),
                sum(CASE WHEN side.change = -1 AND turn.was_open AND NOT turn.is_open THEN 1 ELSE 0 END),
                sum(CASE WHEN side.change = -1 AND turn.was_open AND turn.is_fix THEN 1 ELSE 0 END),
                sum(CASE WHEN side.change = -1 AND turn.was_open AND turn.is_fix THEN turn.seconds ELSE 0 END))::finding_change
            FROM "before" AS was JOIN "after" AS now USING (id)
            CROSS JOIN LATERAL (
                SELECT is_open_finding(was.is_present, was.triage) AS was_open, is_open_finding(now.is_present, now.triage) AS is_open,
                    NOT now.is_present OR now.triage = 'RESOLVED' AS is_fix,
                    -- A writer that knows no turns says nothing of their time.
                    CASE WHEN now.turned_at IS DISTINCT FROM was.turned_at THEN now.turned_at ELSE date_trunc('milliseconds', now()) END AS at
            ) AS given
            CROSS JOIN LATERAL (
                SELECT given.*, greatest(extract(epoch FROM given.at - coalesce(was.turned_at, was.first_seen_at)), 0) AS seconds
            ) AS turn
            CROSS JOIN LATERAL (VALUES
                (was.project_id, was.series_id, was.triage, was.severity, was.is_present, was.rule_id, was.cwe_ids, was.due_at, -1),
                (now.project_id, now.series_id, now.triage, now.severity, now.is_present, now.rule_id, now.cwe_ids, now.due_at, 1)
            ) AS side(project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at, change)
            WHERE (turn.was_open OR turn.is_open)
                AND (turn.was_open, was.project_id, was.series_id, was.severity, was.rule_id, was.cwe_ids, was.due_at)
                IS DISTINCT FROM (turn.is_open, now.project_id, now.series_id, now.severity, now.rule_id, now.cwe_ids, now.due_at)
            GROUP BY side.project_id, side.series_id, side.triage, side.severity, side.is_present, side.rule_id, side.cwe_ids,
                side.due_at, turn.at);
    END IF;
    IF cardinality(changes) = 0 THEN RETURN NULL; END IF;
    IF TG_OP <> 'UPDATE' THEN
        INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
        SELECT project_id, triage, severity, is_present, sum(change) FROM unnest(changes)
        GROUP BY project_id, triage, severity, is_present HAVING sum(change) <> 0;
    END IF;
    PERFORM roll_up_findings(changes);
    RETURN NULL;
END
$$;
