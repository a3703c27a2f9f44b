-- Addresses are compared by a column that the application folds: lower() follows the locale, which makes an I an ı in Turkish.
ALTER TABLE "users" ADD COLUMN "email_key" TEXT, ADD COLUMN "search_text" TEXT NOT NULL DEFAULT '';
-- So far addresses are ASCII, where the locale "C" folds as the application does.
UPDATE "users" SET "email_key" = lower("email" COLLATE "C"), "search_text" = lower("name" || E'\n' || "email" COLLATE "C");
ALTER TABLE "users" ALTER COLUMN "email_key" SET NOT NULL;
CREATE UNIQUE INDEX "users_email_key_key" ON "users"("email_key");
CREATE INDEX "users_search_text_trgm_idx" ON "users" USING GIN ("search_text" gin_trgm_ops) WHERE "search_text" IS NOT NULL;
DROP INDEX "users_email_key";
DROP INDEX "users_name_trgm_idx";
DROP INDEX "users_email_trgm_idx";

-- A link ends with what it was made for.
ALTER TABLE "password_links" ADD COLUMN "state_hash" BYTEA;

-- Numbers begin at 1: an event below would lie outside of what the seals cover.
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_number_positive_check" CHECK ("number" >= 1);

-- Locks after failed attempts outlive Redis.
CREATE TABLE "attempt_locks" (
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "failed" INTEGER NOT NULL,
    "locked_until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "attempt_locks_pkey" PRIMARY KEY ("name", "key")
);
CREATE INDEX "attempt_locks_locked_until_idx" ON "attempt_locks"("locked_until");
