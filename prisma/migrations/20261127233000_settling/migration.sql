-- AlterTable
ALTER TABLE "staged_sightings" ADD COLUMN     "finding_id" UUID NOT NULL;

-- AlterTable
ALTER TABLE "imports" ADD COLUMN     "is_whole_run" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "path_prefix" TEXT;

-- Executions that ended and whose results have not met the findings yet; the server takes them in order. Prisma cannot say it.
CREATE INDEX "test_executions_unsettled_idx" ON "test_executions" ("finished_at", "id")
    WHERE "finished_at" IS NOT NULL AND "run_number" IS NULL;
