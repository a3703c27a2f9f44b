-- Retention by number of executions, legal holds, and deleted projects, whose rows go piece by piece. Only adds: servers of the
-- version before go on meanwhile.

-- Step
ALTER TABLE "projects" ADD COLUMN IF NOT EXISTS "deleted_at" TIMESTAMPTZ(3), ADD COLUMN IF NOT EXISTS "retain_executions" INTEGER;

-- Step
ALTER TABLE "test_executions" ADD COLUMN IF NOT EXISTS "held_at" TIMESTAMPTZ(3), ADD COLUMN IF NOT EXISTS "hold_reason" TEXT;

-- Step
-- Every sign-in asks whether there are deleted projects, which nobody sees. Prisma cannot say it.
CREATE INDEX IF NOT EXISTS "projects_deleted_idx" ON "projects" ("deleted_at", "id") WHERE "deleted_at" IS NOT NULL;

-- Step
-- The rows that a run closed, for the deletion of that run. Only a row that is closed pays for it.
CREATE INDEX CONCURRENTLY "test_results_closed_idx" ON "test_results" ("scan_branch_id", "until_run", "id")
    WHERE "until_run" IS NOT NULL;

-- Step
-- Since when no result has used the text.
ALTER TABLE "result_texts" ADD COLUMN IF NOT EXISTS "unused_at" TIMESTAMPTZ(3);

-- Step
-- The executions under a legal hold, which are few.
CREATE INDEX CONCURRENTLY "test_executions_held_idx" ON "test_executions" ("project_id", "id") WHERE "held_at" IS NOT NULL;
