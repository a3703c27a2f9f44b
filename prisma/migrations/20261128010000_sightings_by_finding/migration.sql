-- Whether a branch shows a finding is asked for many findings at once: the index answers it without the rows.
CREATE INDEX "test_results_finding_branch_idx" ON "test_results" ("finding_id", "scan_branch_id", "until_run", "id") WHERE "finding_id" IS NOT NULL;
DROP INDEX "test_results_finding_id_idx";
