-- Replaces 1827cdc16389db26b68a0f7c73d34f7f3e52df421e40f9f9bb6022311359b38c
-- Indexes take half of what a result takes: narrower ones, each built beside the old one, which serves meanwhile.

-- Rows that runs share are found through their branch and their finding; what deletes an execution has the unique index.
-- Step
CREATE INDEX CONCURRENTLY "test_results_own_execution_idx" ON "test_results" ("execution_id", "id") WHERE NOT "is_shared";

-- A fingerprint is looked up as a whole, never by its beginning or in order.
-- Step
CREATE INDEX CONCURRENTLY "test_results_fingerprint_idx" ON "test_results" USING HASH ("fingerprint");

-- Few rows have the same finding and branch, or the same rule, severity and moment, so that a read can sort those by id; equal
-- entries take a tenth.
-- Step
CREATE INDEX CONCURRENTLY "test_results_finding_run_idx" ON "test_results" ("finding_id", "scan_branch_id", "until_run")
    WHERE "finding_id" IS NOT NULL;

-- Step
CREATE INDEX CONCURRENTLY "findings_project_id_rule_id_severity_first_seen_at_idx" ON "findings"
    ("project_id", "rule_id", "severity", "first_seen_at");

-- Nothing reads by group: runs are matched file by file.
-- Step
DROP INDEX IF EXISTS "findings_series_id_group_key_id_idx", "findings_project_id_rule_id_severity_first_seen_at_id_idx",
    "test_results_finding_branch_idx";
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM "test_results") THEN -- a new database, which no other version serves
        DROP INDEX IF EXISTS "test_results_execution_id_id_idx", "test_results_fingerprint_id_idx";
    END IF;
END
$$;

-- Staged rows are merged by severity, so that the indexes that begin with it grow at their ends.
-- Step
ALTER TABLE "staged_results" DROP CONSTRAINT IF EXISTS "staged_results_pkey",
    ADD CONSTRAINT "staged_results_pkey" PRIMARY KEY ("import_id", "severity", "position");
