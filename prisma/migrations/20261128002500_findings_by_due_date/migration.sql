-- Due dates follow severities, so that a filter by severity leaves long stretches of the other index empty.
DROP INDEX "findings_present_due_idx";
DROP INDEX "findings_absent_due_idx";
CREATE INDEX "findings_present_due_idx" ON "findings" ("project_id", "severity", (COALESCE("due_at", 'infinity'::timestamptz)), "id") WHERE "is_present";
CREATE INDEX "findings_absent_due_idx" ON "findings" ("project_id", "severity", (COALESCE("due_at", 'infinity'::timestamptz)), "id") WHERE NOT "is_present";
