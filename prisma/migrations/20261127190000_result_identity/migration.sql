-- New columns only, so that the locks are short; the next migration fills them.
ALTER TABLE "test_results"
    ADD COLUMN "vulnerability_ids" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "content_key" UUID,
    ADD COLUMN "search_text" TEXT NOT NULL DEFAULT '';

ALTER TABLE "test_executions"
    ADD COLUMN "idempotency_digest" BYTEA,
    ADD COLUMN "search_text" TEXT NOT NULL DEFAULT '';

ALTER TABLE "result_batches" ADD COLUMN "digest" BYTEA;

-- A lease by hand is long: a day.
ALTER TABLE "test_executions" DROP CONSTRAINT "test_executions_lease_seconds_range_check";
ALTER TABLE "test_executions"
    ADD CONSTRAINT "test_executions_lease_seconds_range_check" CHECK ("lease_seconds" BETWEEN 10 AND 604800);
