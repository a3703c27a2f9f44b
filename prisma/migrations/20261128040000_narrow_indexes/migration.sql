-- Indexes take half of what a result takes: narrower ones, each built beside the old one, which serves meanwhile.

-- Rows that runs share are found through their branch and their finding; what deletes an execution has the unique index.
CREATE INDEX "test_results_own_execution_idx" ON "test_results" ("execution_id", "id") WHERE NOT "is_shared";
DROP INDEX "test_results_execution_id_id_idx";

-- A fingerprint is looked up as a whole, never by its beginning or in order.
CREATE INDEX "test_results_fingerprint_idx" ON "test_results" USING HASH ("fingerprint");
DROP INDEX "test_results_fingerprint_id_idx";

-- Few rows have the same finding and branch, or the same rule, severity and moment, so that a read can sort those by id; equal
-- entries take a tenth.
CREATE INDEX "test_results_finding_run_idx" ON "test_results" ("finding_id", "scan_branch_id", "until_run")
    WHERE "finding_id" IS NOT NULL;
DROP INDEX "test_results_finding_branch_idx";
CREATE INDEX "findings_project_id_rule_id_severity_first_seen_at_idx" ON "findings" ("project_id", "rule_id", "severity", "first_seen_at");
DROP INDEX "findings_project_id_rule_id_severity_first_seen_at_id_idx";

-- Nothing reads by group: runs are matched file by file.
DROP INDEX "findings_series_id_group_key_id_idx";

-- Staged rows are merged by severity, so that the indexes that begin with it grow at their ends.
ALTER TABLE "staged_results" DROP CONSTRAINT "staged_results_pkey";
ALTER TABLE "staged_results" ADD CONSTRAINT "staged_results_pkey" PRIMARY KEY ("import_id", "severity", "position");
