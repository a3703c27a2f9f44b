-- Rows that runs share are found through their branch and their findings; only those of one execution need these indexes.
-- Each is built beside the old one, which serves meanwhile.
CREATE INDEX "test_results_own_severity_idx" ON "test_results" ("execution_id", "severity", "id") WHERE NOT "is_shared";
DROP INDEX "test_results_execution_id_severity_id_idx";
CREATE INDEX "test_results_own_rule_idx" ON "test_results" ("rule_id", "id") WHERE NOT "is_shared";
DROP INDEX "test_results_rule_id_id_idx";
CREATE INDEX "test_results_own_cwe_idx" ON "test_results" USING GIN ("cwe_ids") WHERE NOT "is_shared";
DROP INDEX "test_results_cwe_ids_idx";
CREATE INDEX "test_results_own_text_idx" ON "test_results" USING GIN ("search_text" gin_trgm_ops) WHERE NOT "is_shared";
DROP INDEX "test_results_search_text_trgm_idx";
DROP INDEX "findings_result_id_idx";
