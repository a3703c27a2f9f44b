-- Step

ALTER TABLE "webhooks" ADD COLUMN IF NOT EXISTS "least_severity" SMALLINT;
ALTER TABLE "webhook_deliveries" ADD COLUMN IF NOT EXISTS "order_key" TEXT NOT NULL DEFAULT '';
ALTER TABLE "findings" ADD COLUMN IF NOT EXISTS "reported_due_at" TIMESTAMPTZ(3);

-- Step

-- Nobody is told of due dates from before there was the event.
UPDATE findings SET reported_due_at = due_at
WHERE is_present AND triage IN ('OPEN', 'CONFIRMED') AND due_at <= now() AND reported_due_at IS DISTINCT FROM due_at;

-- Step

-- Open findings whose due date has not been reported as passed: a new due date brings a finding back.
CREATE INDEX CONCURRENTLY "findings_unreported_due_idx" ON "findings" ("due_at")
    WHERE "is_present" AND "triage" IN ('OPEN', 'CONFIRMED') AND "due_at" IS NOT NULL AND "reported_due_at" IS DISTINCT FROM "due_at";

-- Step

-- Webhooks that have something due, however much of it waits behind something else.
CREATE INDEX CONCURRENTLY "webhook_deliveries_due_idx" ON "webhook_deliveries" ("webhook_id", "next_attempt_at") WHERE "state" = 'PENDING';

-- Step

-- Imports under way, for their figures.
CREATE INDEX CONCURRENTLY "imports_running_idx" ON "imports" ("created_at") WHERE "state" = 'RUNNING';
