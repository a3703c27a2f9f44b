-- What was committed when an event was written: tells, for a cursor, which events of the same moment came before it.
-- Two steps, so that rows of the past keep NULL and no table is rewritten.
ALTER TABLE "execution_events" ADD COLUMN "written_in" pg_snapshot;
ALTER TABLE "execution_events" ALTER COLUMN "written_in" SET DEFAULT pg_current_snapshot();
