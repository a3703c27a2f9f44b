-- Fills the columns of the migration before. Readers are not held up; the short exclusive locks come last.

-- As the application folds texts for search (src/validation/search-text.ts); here for the rows that are there already.
CREATE FUNCTION "fold_for_search"("given" TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    "folded" TEXT;
    "result" TEXT := '';
    "letter" TEXT;
BEGIN
    IF "given" !~ '[^\x01-\x7f]' THEN
        RETURN lower("given" COLLATE "C");
    END IF;
    "folded" := lower(regexp_replace(normalize("given", NFKD), '[\u0300-\u036f]', '', 'g') COLLATE "C");
    FOREACH "letter" IN ARRAY regexp_split_to_array("folded", '') LOOP
        "result" := "result" || CASE WHEN ascii("letter") < 128 THEN "letter" ELSE 'U' || upper(to_hex(ascii("letter"))) END;
    END LOOP;
    RETURN "result";
END
$$;

UPDATE "test_executions" SET "search_text" = "fold_for_search"("name" || E'\n' || "target");

-- Each execution has held each fingerprint once, so a digest of it is unique there.
UPDATE "test_results" SET
    "content_key" = encode(substring(sha256(convert_to('fingerprint:' || "fingerprint", 'UTF8')) FOR 16), 'hex')::uuid,
    "search_text" = "fold_for_search"(concat_ws(E'\n', "title", "rule_id", "location" ->> 'path', "location" ->> 'url',
        "location" ->> 'component', "location" ->> 'host', "location" ->> 'parameter', array_to_string("cve_ids", ' ')));

DROP FUNCTION "fold_for_search"(TEXT);

CREATE UNIQUE INDEX "test_results_execution_id_content_key_key" ON "test_results"("execution_id", "content_key");
CREATE INDEX "test_executions_branch_id_idx" ON "test_executions"("branch", "id");
CREATE INDEX "test_executions_tool_id_idx" ON "test_executions"("tool", "id");
CREATE INDEX "test_executions_commit_sha_id_idx" ON "test_executions"("commit_sha", "id");

-- One index for all that is searched. Being partial, Prisma's difference leaves it alone.
CREATE INDEX "test_results_search_text_trgm_idx" ON "test_results" USING GIN ("search_text" gin_trgm_ops)
    WHERE "search_text" IS NOT NULL;
CREATE INDEX "test_executions_search_text_trgm_idx" ON "test_executions" USING GIN ("search_text" gin_trgm_ops)
    WHERE "search_text" IS NOT NULL;

-- Results by score; those without one come last.
CREATE INDEX "test_results_cvss_score_id_idx" ON "test_results" (COALESCE("cvss_score", -1), "id");

ALTER TABLE "test_results" ALTER COLUMN "content_key" SET DEFAULT gen_random_uuid();
ALTER TABLE "test_results" ADD CONSTRAINT "test_results_content_key_not_null_check" CHECK ("content_key" IS NOT NULL) NOT VALID;
ALTER TABLE "test_results" VALIDATE CONSTRAINT "test_results_content_key_not_null_check";
ALTER TABLE "test_results" ALTER COLUMN "content_key" SET NOT NULL;
ALTER TABLE "test_results" DROP CONSTRAINT "test_results_content_key_not_null_check";

DROP INDEX "test_results_execution_id_fingerprint_key";
DROP INDEX "test_results_title_trgm_idx";
DROP INDEX "test_results_rule_id_trgm_idx";
DROP INDEX "test_executions_name_trgm_idx";
DROP INDEX "test_executions_target_trgm_idx";
