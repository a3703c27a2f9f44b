-- Step

-- Counts the findings that are there, in a transaction of its own. Writers of findings wait for it, readers do not.
LOCK TABLE "findings" IN SHARE ROW EXCLUSIVE MODE;

-- Open findings that had been closed: since when they are open again.
UPDATE findings AS finding SET turned_at = turn.at
FROM (
    SELECT DISTINCT ON (finding_id) finding_id, at FROM triage_events
    WHERE "to" IN ('OPEN', 'CONFIRMED') AND "from" NOT IN ('OPEN', 'CONFIRMED') ORDER BY finding_id, at DESC
) AS turn
WHERE finding.id = turn.finding_id AND is_open_finding(finding.is_present, finding.triage);

DO $$
DECLARE
    series INTEGER;
BEGIN
    TRUNCATE open_counts, due_counts, trend_counts;
    FOR series IN SELECT id FROM scan_series ORDER BY id LOOP
        -- Open ones: since when. Closed ones: from when they were first seen until they were seen last, or decided.
        PERFORM roll_up_findings(ARRAY(
            SELECT ROW(project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at, coalesce(turned_at, first_seen_at),
                count(*), count(*), 0, 0, 0)::finding_change
            FROM findings WHERE series_id = series AND is_open_finding(is_present, triage)
            GROUP BY project_id, series_id, triage, severity, is_present, rule_id, cwe_ids, due_at, coalesce(turned_at, first_seen_at)));
        PERFORM roll_up_findings(ARRAY(
            SELECT ROW(finding.project_id, finding.series_id, 'RESOLVED', finding.severity, false, NULL, NULL, NULL, turn.at, 0,
                sum(turn.opened), sum(turn.closed), sum(CASE WHEN ending.is_fix THEN turn.closed ELSE 0 END),
                sum(CASE WHEN ending.is_fix AND turn.closed = 1
                    THEN extract(epoch FROM ending.at - finding.first_seen_at) ELSE 0 END))::finding_change
            FROM findings AS finding
            CROSS JOIN LATERAL (
                SELECT max(event.at) AS at FROM triage_events AS event WHERE event.finding_id = finding.id
                    AND event."from" IN ('OPEN', 'CONFIRMED') AND event."to" NOT IN ('OPEN', 'CONFIRMED')
            ) AS decided
            CROSS JOIN LATERAL (
                SELECT least(decided.at, finding.last_seen_at) AS at, finding.triage = 'RESOLVED' OR NOT finding.is_present AS is_fix
            ) AS ending
            CROSS JOIN LATERAL (VALUES (finding.first_seen_at, 1, 0), (ending.at, 0, 1)) AS turn(at, opened, closed)
            WHERE finding.series_id = series AND NOT is_open_finding(finding.is_present, finding.triage)
                AND ending.at >= finding.first_seen_at
            GROUP BY finding.project_id, finding.series_id, finding.severity, turn.at));
    END LOOP;
END
$$;
