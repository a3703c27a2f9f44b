-- Replaces d687772c826025ae7290e993ca9249320fb02c7166f8504cc520895ac0578f1b
-- What was committed when an event was written: tells, for a cursor, which events of the same moment came before it.
-- Two statements, so that rows of the past keep NULL and no table is rewritten.
-- Step
ALTER TABLE "execution_events" ADD COLUMN IF NOT EXISTS "written_in" pg_snapshot;
ALTER TABLE "execution_events" ALTER COLUMN "written_in" SET DEFAULT pg_current_snapshot();
