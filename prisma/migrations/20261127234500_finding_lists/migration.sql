-- Replaces 62b4ffa6e0509956f67260284fa1d1499de226159713636bbf5c228d79245b6a
-- Step
-- DropIndex
DROP INDEX IF EXISTS "findings_project_id_id_idx";

-- DropIndex
DROP INDEX IF EXISTS "findings_project_id_severity_id_idx";

-- DropIndex
DROP INDEX IF EXISTS "findings_project_id_rule_id_id_idx";

-- CreateIndex
CREATE INDEX IF NOT EXISTS "findings_project_id_first_seen_at_id_idx" ON "findings"("project_id", "first_seen_at", "id");

-- CreateIndex
CREATE INDEX IF NOT EXISTS "findings_project_id_rule_id_severity_first_seen_at_id_idx" ON "findings"("project_id", "rule_id", "severity", "first_seen_at", "id");

-- CreateIndex
CREATE INDEX IF NOT EXISTS "findings_series_id_severity_first_seen_at_id_idx" ON "findings"("series_id", "severity", "first_seen_at", "id");

-- What follows is written by hand: Prisma cannot say it, and its difference leaves it alone.

DROP INDEX IF EXISTS "findings_present_severity_idx";
DROP INDEX IF EXISTS "findings_due_idx";

-- Each order of the list of findings has an index in its very order, so that a page costs the same however many there are.
CREATE INDEX IF NOT EXISTS "findings_present_severity_idx" ON "findings" ("project_id", "triage", "severity", "first_seen_at", "id") WHERE "is_present";
CREATE INDEX IF NOT EXISTS "findings_absent_severity_idx" ON "findings" ("project_id", "severity", "first_seen_at", "id") WHERE NOT "is_present";
CREATE INDEX IF NOT EXISTS "findings_present_due_idx" ON "findings" ("project_id", (COALESCE("due_at", 'infinity'::timestamptz)), "id") WHERE "is_present";
CREATE INDEX IF NOT EXISTS "findings_absent_due_idx" ON "findings" ("project_id", (COALESCE("due_at", 'infinity'::timestamptz)), "id") WHERE NOT "is_present";
CREATE INDEX IF NOT EXISTS "findings_absent_last_seen_idx" ON "findings"
    ("project_id", (COALESCE("last_seen_at", 'infinity'::timestamptz)), "severity", "first_seen_at", "id") WHERE NOT "is_present";

-- The results of a run that shares its branch's rows: by severity as well as in order, so that neither reads past the others.
-- Step
DROP INDEX CONCURRENTLY IF EXISTS "test_results_branch_id_idx";

-- Step
CREATE INDEX CONCURRENTLY "test_results_branch_severity_idx" ON "test_results" ("scan_branch_id", "severity", "id") WHERE "is_shared";
