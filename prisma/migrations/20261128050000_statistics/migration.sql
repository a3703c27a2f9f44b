-- Step, unless there is open_counts

-- CreateEnum
CREATE TYPE "open_facet" AS ENUM ('SEVERITY', 'RULE', 'CWE');

-- AlterTable
ALTER TABLE "findings" ADD COLUMN "turned_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "open_counts" (
    "id" BIGSERIAL NOT NULL,
    "project_id" UUID NOT NULL,
    "series_id" INTEGER NOT NULL,
    "facet" "open_facet" NOT NULL,
    "value" TEXT NOT NULL,
    "change" INTEGER NOT NULL,
    "is_sum" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "open_counts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "due_counts" (
    "id" BIGSERIAL NOT NULL,
    "project_id" UUID NOT NULL,
    "series_id" INTEGER NOT NULL,
    "minutes" SMALLINT NOT NULL,
    "starts_at" TIMESTAMPTZ(3) NOT NULL,
    "change" INTEGER NOT NULL,
    "is_sum" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "due_counts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "trend_counts" (
    "id" BIGSERIAL NOT NULL,
    "project_id" UUID NOT NULL,
    "series_id" INTEGER NOT NULL,
    "minutes" SMALLINT NOT NULL,
    "starts_at" TIMESTAMPTZ(3) NOT NULL,
    "info" INTEGER NOT NULL,
    "low" INTEGER NOT NULL,
    "medium" INTEGER NOT NULL,
    "high" INTEGER NOT NULL,
    "critical" INTEGER NOT NULL,
    "opened" INTEGER NOT NULL,
    "closed" INTEGER NOT NULL,
    "resolved" INTEGER NOT NULL,
    "seconds" DOUBLE PRECISION NOT NULL,
    "is_sum" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "trend_counts_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "open_counts_facet_series_id_project_id_idx" ON "open_counts"("facet", "series_id", "project_id");

-- CreateIndex
CREATE INDEX "due_counts_series_id_minutes_starts_at_idx" ON "due_counts"("series_id", "minutes", "starts_at");

-- CreateIndex
CREATE INDEX "trend_counts_series_id_minutes_starts_at_idx" ON "trend_counts"("series_id", "minutes", "starts_at");

-- What follows is written by hand: Prisma cannot say it, and its difference leaves it alone.

-- The changes that have not been added up.
CREATE INDEX "open_counts_changes_idx" ON "open_counts" ("id") WHERE NOT "is_sum";
CREATE INDEX "due_counts_changes_idx" ON "due_counts" ("id") WHERE NOT "is_sum";
CREATE INDEX "trend_counts_changes_idx" ON "trend_counts" ("id") WHERE NOT "is_sum";
CREATE INDEX "trend_counts_project_idx" ON "trend_counts" ("project_id", "minutes", "starts_at") WHERE "series_id" = 0;

-- Findings that are alike, and how many more of them there are: in the state that the first columns describe by "change", of
-- which "opened" opened at "at", and "closed" closed then. The "resolved" among them had been open for "seconds" in all.
CREATE TYPE "finding_change" AS (
    project_id UUID, series_id INTEGER, triage triage_state, severity SMALLINT, is_present BOOLEAN, rule_id TEXT, cwe_ids INTEGER[],
    due_at TIMESTAMPTZ, at TIMESTAMPTZ, change INTEGER, opened INTEGER, closed INTEGER, resolved INTEGER, seconds DOUBLE PRECISION
);

CREATE FUNCTION "is_open_finding"(is_present BOOLEAN, triage triage_state) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN is_present AND triage IN ('OPEN', 'CONFIRMED');

-- Appends the sums of changes: for each series, and as series 0 for the whole project. Times are those of UTC.
CREATE FUNCTION "roll_up_findings"(changes finding_change[]) RETURNS void LANGUAGE plpgsql SET jit = off AS $$
DECLARE
    opens finding_change[] := ARRAY(SELECT row FROM unnest(changes) AS row WHERE is_open_finding(row.is_present, row.triage));
BEGIN
    IF cardinality(opens) > 0 THEN
        INSERT INTO open_counts (project_id, series_id, facet, value, change)
        SELECT project_id, series_id, 'SEVERITY'::open_facet, severity::text, sum(change) FROM unnest(opens)
        GROUP BY project_id, series_id, severity HAVING sum(change) <> 0
        UNION ALL
        SELECT project_id, coalesce(series_id, 0), 'RULE', rule_id, sum(change) FROM unnest(opens) WHERE rule_id IS NOT NULL
        GROUP BY GROUPING SETS ((project_id, series_id, rule_id), (project_id, rule_id)) HAVING sum(change) <> 0
        UNION ALL
        SELECT project_id, coalesce(series_id, 0), 'CWE', cwe_id::text, sum(change)
        FROM unnest(opens) AS row CROSS JOIN LATERAL (SELECT DISTINCT unnest(row.cwe_ids) AS cwe_id) AS cwe
        GROUP BY GROUPING SETS ((project_id, series_id, cwe_id), (project_id, cwe_id)) HAVING sum(change) <> 0;

        INSERT INTO due_counts (project_id, series_id, minutes, starts_at, change)
        SELECT project_id, coalesce(series_id, 0), minutes, starts_at, sum(change)
        FROM unnest(opens) AS row CROSS JOIN (VALUES (60), (1440)) AS length(minutes)
            CROSS JOIN LATERAL date_bin(make_interval(mins => minutes), row.due_at, timestamptz 'epoch') AS starts_at
        WHERE due_at IS NOT NULL
        GROUP BY GROUPING SETS ((project_id, series_id, minutes, starts_at), (project_id, minutes, starts_at))
        HAVING sum(change) <> 0;
    END IF;

    INSERT INTO trend_counts (project_id, series_id, minutes, starts_at, info, low, medium, high, critical, opened, closed, resolved,
        seconds)
    SELECT * FROM (
        SELECT project_id, coalesce(series_id, 0), minutes, starts_at,
            coalesce(sum(change) FILTER (WHERE severity = 0), 0) AS info, coalesce(sum(change) FILTER (WHERE severity = 1), 0) AS low,
            coalesce(sum(change) FILTER (WHERE severity = 2), 0) AS medium, coalesce(sum(change) FILTER (WHERE severity = 3), 0) AS high,
            coalesce(sum(change) FILTER (WHERE severity = 4), 0) AS critical,
            sum(opened) AS opened, sum(closed) AS closed, sum(resolved) AS resolved, sum(seconds)
        FROM (
            SELECT project_id, series_id, severity, at, opened, closed, resolved, seconds,
                CASE WHEN is_open_finding(is_present, triage) THEN change ELSE 0 END AS change
            FROM unnest(changes)
        ) AS turn CROSS JOIN (VALUES (15), (60), (1440)) AS length(minutes)
            CROSS JOIN LATERAL date_bin(make_interval(mins => minutes), turn.at, timestamptz 'epoch') AS starts_at
        GROUP BY GROUPING SETS ((project_id, series_id, minutes, starts_at), (project_id, minutes, starts_at))
    ) AS summed
    WHERE (info, low, medium, high, critical, opened, closed, resolved) <> (0, 0, 0, 0, 0, 0, 0, 0);
END
$$;

-- Replaces the function of the triggers, which keep their names. A finding that is deleted while it is open has never opened;
-- one that is closed did open and close. A plan is kept for all numbers of rows, so it must not loop over one table within the
-- other.
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
            WHERE (was.project_id, was.series_id, was.triage, was.severity, was.is_present, was.rule_id, was.cwe_ids, was.due_at)
                IS DISTINCT FROM
                (now.project_id, now.series_id, now.triage, now.severity, now.is_present, now.rule_id, now.cwe_ids, now.due_at)
            GROUP BY side.project_id, side.series_id, side.triage, side.severity, side.is_present, side.rule_id, side.cwe_ids,
                side.due_at, turn.at);
    END IF;
    IF cardinality(changes) = 0 THEN RETURN NULL; END IF;
    INSERT INTO finding_counts (project_id, triage, severity, is_present, change)
    SELECT project_id, triage, severity, is_present, sum(change) FROM unnest(changes)
    GROUP BY project_id, triage, severity, is_present HAVING sum(change) <> 0;
    PERFORM roll_up_findings(changes);
    RETURN NULL;
END
$$;

-- A server of the version before goes on writing findings while this is applied: its role may write what the trigger writes.
DO $$
DECLARE
    writer TEXT;
BEGIN
    FOR writer IN
        SELECT grantee FROM information_schema.role_table_grants
        WHERE table_name = 'finding_counts' AND privilege_type = 'INSERT' AND grantee <> current_user
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON open_counts, due_counts, trend_counts TO %I', writer);
        EXECUTE format('GRANT USAGE ON SEQUENCE open_counts_id_seq, due_counts_id_seq, trend_counts_id_seq TO %I', writer);
    END LOOP;
END
$$;
