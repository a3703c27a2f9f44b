-- Replaces fe2a2ffa1831ae60a328313bf0869731274370e6c20c339166bb143256488694
-- Whether a branch shows a finding is asked for many findings at once: the index answers it without the rows.
-- Step
DROP INDEX CONCURRENTLY IF EXISTS "test_results_finding_id_idx";

-- Step
CREATE INDEX CONCURRENTLY "test_results_finding_branch_idx" ON "test_results" ("finding_id", "scan_branch_id", "until_run", "id")
    WHERE "finding_id" IS NOT NULL;
