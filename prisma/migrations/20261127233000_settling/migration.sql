-- Replaces 858afbb5df6e6b209606757db3cdb312abcdbfe66aa1d5a1c75f0406029784be
-- Step
ALTER TABLE "staged_sightings" ADD COLUMN IF NOT EXISTS "finding_id" UUID NOT NULL;
ALTER TABLE "imports" ADD COLUMN IF NOT EXISTS "is_whole_run" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN IF NOT EXISTS "path_prefix" TEXT;

-- Executions that ended and whose results have not met the findings yet; the server takes them in order. Prisma cannot say it.
-- Step
CREATE INDEX CONCURRENTLY "test_executions_unsettled_idx" ON "test_executions" ("finished_at", "id")
    WHERE "finished_at" IS NOT NULL AND "run_number" IS NULL;
