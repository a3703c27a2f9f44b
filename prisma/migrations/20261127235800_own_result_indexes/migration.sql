-- Replaces 5b41105f6777663cb241cdb882b538539c13c926f9b57573d7f43f19810e7af7
-- Rows that runs share are found through their branch and their findings; only those of one execution need these indexes.
-- The version before reads by the old ones: "migrate finish" drops them once none of its instances runs.
-- Step
CREATE INDEX CONCURRENTLY "test_results_own_severity_idx" ON "test_results" ("execution_id", "severity", "id") WHERE NOT "is_shared";

-- Step
CREATE INDEX CONCURRENTLY "test_results_own_rule_idx" ON "test_results" ("rule_id", "id") WHERE NOT "is_shared";

-- Step
CREATE INDEX CONCURRENTLY "test_results_own_cwe_idx" ON "test_results" USING GIN ("cwe_ids") WHERE NOT "is_shared";

-- Step
CREATE INDEX CONCURRENTLY "test_results_own_text_idx" ON "test_results" USING GIN ("search_text" gin_trgm_ops) WHERE NOT "is_shared";

-- Step
DROP INDEX IF EXISTS "findings_result_id_idx";
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM "test_results") THEN -- a new database, which no other version serves
        DROP INDEX IF EXISTS "test_results_execution_id_severity_id_idx", "test_results_rule_id_id_idx",
            "test_results_cwe_ids_idx", "test_results_search_text_trgm_idx";
    END IF;
END
$$;

-- Without statistics of the new columns PostgreSQL takes half of the rows for shared ones, and reads all of them to find some.
-- Step
ANALYZE "test_results", "test_executions";
