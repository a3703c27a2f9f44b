-- Step

-- Trust rules for tokens of workloads, and the sessions that they open. Only adds: servers of the version before go on meanwhile.
CREATE TABLE IF NOT EXISTS "workload_trusts" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "claims" JSONB NOT NULL,
    "user_id" UUID NOT NULL,
    "project_id" UUID,
    "scopes" TEXT[],
    "lifetime_seconds" INTEGER NOT NULL,
    "is_enabled" BOOLEAN NOT NULL DEFAULT true,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "workload_trusts_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "workload_trusts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "workload_trusts_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "workload_trusts_lifetime_check" CHECK ("lifetime_seconds" BETWEEN 60 AND 3600)
);
CREATE UNIQUE INDEX IF NOT EXISTS "workload_trusts_name_key" ON "workload_trusts" ("name");
CREATE INDEX IF NOT EXISTS "workload_trusts_issuer_idx" ON "workload_trusts" ("issuer");
CREATE INDEX IF NOT EXISTS "workload_trusts_user_id_idx" ON "workload_trusts" ("user_id");
CREATE INDEX IF NOT EXISTS "workload_trusts_project_id_idx" ON "workload_trusts" ("project_id");

-- Step

ALTER TABLE "sessions" ADD COLUMN IF NOT EXISTS "workload_trust_id" UUID, ADD COLUMN IF NOT EXISTS "scopes" TEXT[];

-- Step

ALTER TABLE "sessions" DROP CONSTRAINT IF EXISTS "sessions_workload_trust_id_fkey",
    ADD CONSTRAINT "sessions_workload_trust_id_fkey" FOREIGN KEY ("workload_trust_id") REFERENCES "workload_trusts" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE NOT VALID;

-- Step

ALTER TABLE "sessions" VALIDATE CONSTRAINT "sessions_workload_trust_id_fkey";

-- Step

CREATE INDEX CONCURRENTLY "sessions_workload_trust_id_expires_at_idx" ON "sessions" ("workload_trust_id", "expires_at")
    WHERE "workload_trust_id" IS NOT NULL;
