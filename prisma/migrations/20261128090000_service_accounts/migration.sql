-- Step

-- Service accounts: programs with API keys and without a password, of all projects or of one, with which they are deleted.
DO $$ BEGIN CREATE TYPE "user_kind" AS ENUM ('PERSON', 'SERVICE'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER TABLE "users"
    ADD COLUMN IF NOT EXISTS "kind" "user_kind" NOT NULL DEFAULT 'PERSON',
    ADD COLUMN IF NOT EXISTS "project_id" UUID;
ALTER TABLE "api_keys"
    ADD COLUMN IF NOT EXISTS "replaced_by_id" UUID,
    ADD COLUMN IF NOT EXISTS "expiry_reported_at" TIMESTAMPTZ(3);

-- Step

ALTER TABLE "users" DROP CONSTRAINT IF EXISTS "users_project_id_fkey",
    ADD CONSTRAINT "users_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    DROP CONSTRAINT IF EXISTS "users_kind_check",
    ADD CONSTRAINT "users_kind_check" CHECK ("kind" = 'SERVICE' AND "password_hash" IS NULL OR "kind" = 'PERSON' AND "project_id" IS NULL);

-- Step

CREATE INDEX CONCURRENTLY "users_project_id_idx" ON "users" ("project_id") WHERE "project_id" IS NOT NULL;

-- Step

-- Keys whose end is near and has not been reported.
CREATE INDEX CONCURRENTLY "api_keys_unreported_expiry_idx" ON "api_keys" ("expires_at")
    WHERE "revoked_at" IS NULL AND "replaced_by_id" IS NULL AND "expiry_reported_at" IS NULL;
