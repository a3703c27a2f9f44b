-- Texts that many results of a report have in common, such as the explanation of their rule, are stored once.
-- Step, unless there is result_texts
CREATE TABLE "result_texts" (
    "id" SERIAL NOT NULL,
    "digest" UUID NOT NULL,
    "description" TEXT,
    "remediation" TEXT,
    "references" TEXT[],
    "tags" TEXT[],

    CONSTRAINT "result_texts_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "result_texts_digest_key" ON "result_texts"("digest");

-- Step
ALTER TABLE "staged_results" ADD COLUMN IF NOT EXISTS "text_key" UUID;

-- Without a foreign key on texts, whose check would cost each of a million rows.
-- What an execution holds once is of no use for rows that runs share: they leave that key out, and equal entries of an index
-- take little. Branches look their rows up by a key of their own.
-- Step
ALTER TABLE "test_results" ADD COLUMN IF NOT EXISTS "text_id" INTEGER, ADD COLUMN IF NOT EXISTS "shared_key" UUID,
    ALTER COLUMN "content_key" DROP NOT NULL;

-- Step
UPDATE "test_results" SET "shared_key" = "content_key", "content_key" = NULL WHERE "is_shared" AND "shared_key" IS NULL;

-- Step
CREATE INDEX CONCURRENTLY "test_results_open_shared_idx" ON "test_results" ("scan_branch_id", "shared_key")
    WHERE "until_run" IS NULL AND "shared_key" IS NOT NULL;

-- The folded text of most findings follows from their other columns, and is stored only where it does not. A short
-- list of pending entries keeps the index small, and searches fast.
-- Step
CREATE INDEX CONCURRENTLY "findings_text_idx" ON "findings" USING GIN ((
    CASE "search_text" WHEN '' THEN lower("title" || E'\n' || COALESCE("rule_id" || E'\n', '') || "path" COLLATE "C")
    ELSE "search_text" END) gin_trgm_ops) WITH (gin_pending_list_limit = 1024);

-- One key a row: entered at once, the index takes a fifth.
-- Step
DROP INDEX IF EXISTS "test_results_open_content_idx", "findings_search_text_trgm_idx";
ALTER INDEX "findings_cwe_ids_idx" SET (fastupdate = off);
