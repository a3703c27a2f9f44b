-- Trigrams, for searching in the middle of texts.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- CreateEnum
CREATE TYPE "role" AS ENUM ('ADMIN', 'ANALYST', 'VIEWER');

-- CreateEnum
CREATE TYPE "user_status" AS ENUM ('ACTIVE', 'DEACTIVATED');

-- CreateEnum
CREATE TYPE "test_kind" AS ENUM ('DAST', 'SAST', 'SCA', 'SECRETS', 'IAC', 'CONTAINER', 'MANUAL', 'OTHER');

-- CreateEnum
CREATE TYPE "execution_status" AS ENUM ('QUEUED', 'RUNNING', 'CANCEL_REQUESTED', 'COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED');

-- CreateEnum
CREATE TYPE "execution_event_type" AS ENUM ('CREATED', 'STARTED', 'PROGRESS', 'RESULTS_ADDED', 'CANCEL_REQUESTED', 'COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED');

-- CreateEnum
CREATE TYPE "audit_outcome" AS ENUM ('SUCCESS', 'DENIED', 'FAILURE');

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" "role" NOT NULL,
    "status" "user_status" NOT NULL DEFAULT 'ACTIVE',
    "password_hash" TEXT NOT NULL,
    "last_login_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sessions" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "counter" INTEGER NOT NULL DEFAULT 0,
    "rotated_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "idle_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ip" TEXT,
    "user_agent" TEXT,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_reason" TEXT,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "scopes" TEXT[],
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "test_executions" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "kind" "test_kind" NOT NULL,
    "status" "execution_status" NOT NULL DEFAULT 'QUEUED',
    "progress" SMALLINT NOT NULL DEFAULT 0,
    "phase" TEXT,
    "parameters" JSONB NOT NULL DEFAULT '{}',
    "tool" TEXT,
    "tool_version" TEXT,
    "branch" TEXT,
    "commit_sha" TEXT,
    "error_message" TEXT,
    "info_count" INTEGER NOT NULL DEFAULT 0,
    "low_count" INTEGER NOT NULL DEFAULT 0,
    "medium_count" INTEGER NOT NULL DEFAULT 0,
    "high_count" INTEGER NOT NULL DEFAULT 0,
    "critical_count" INTEGER NOT NULL DEFAULT 0,
    "idempotency_key" TEXT,
    "created_by_id" UUID,
    "claimed_by_id" UUID,
    "rerun_of_id" UUID,
    "runner" TEXT,
    "lease_seconds" INTEGER,
    "lease_expires_at" TIMESTAMPTZ(3),
    "last_event_number" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "test_executions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "test_results" (
    "id" UUID NOT NULL,
    "execution_id" UUID NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "severity" SMALLINT NOT NULL,
    "rule_id" TEXT,
    "cwe_ids" INTEGER[],
    "cve_ids" TEXT[],
    "cvss_vector" TEXT,
    "cvss_score" DOUBLE PRECISION,
    "location" JSONB,
    "evidence" TEXT,
    "remediation" TEXT,
    "references" TEXT[],
    "tags" TEXT[],
    "fingerprint" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "test_results_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "result_batches" (
    "execution_id" UUID NOT NULL,
    "batch_key" TEXT NOT NULL,
    "added" INTEGER NOT NULL,
    "duplicates" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "result_batches_pkey" PRIMARY KEY ("execution_id","batch_key")
);

-- CreateTable
CREATE TABLE "execution_events" (
    "id" UUID NOT NULL,
    "execution_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "type" "execution_event_type" NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "snapshot" JSONB NOT NULL,
    "result_ids" UUID[],

    CONSTRAINT "execution_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_events" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "action" TEXT NOT NULL,
    "outcome" "audit_outcome" NOT NULL,
    "actor_id" UUID,
    "actor_label" TEXT NOT NULL,
    "target_type" TEXT,
    "target_id" UUID,
    "ip" TEXT,
    "user_agent" TEXT,
    "correlation_id" TEXT NOT NULL,
    "changes" JSONB,

    CONSTRAINT "audit_events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "users_role_id_idx" ON "users"("role", "id");

-- CreateIndex
CREATE INDEX "users_status_id_idx" ON "users"("status", "id");

-- CreateIndex
CREATE INDEX "sessions_user_id_id_idx" ON "sessions"("user_id", "id");

-- CreateIndex
CREATE INDEX "api_keys_user_id_id_idx" ON "api_keys"("user_id", "id");

-- CreateIndex
CREATE INDEX "test_executions_status_id_idx" ON "test_executions"("status", "id");

-- CreateIndex
CREATE INDEX "test_executions_kind_id_idx" ON "test_executions"("kind", "id");

-- CreateIndex
CREATE INDEX "test_executions_target_id_idx" ON "test_executions"("target", "id");

-- CreateIndex
CREATE INDEX "test_executions_created_by_id_id_idx" ON "test_executions"("created_by_id", "id");

-- CreateIndex
CREATE INDEX "test_executions_name_id_idx" ON "test_executions"("name", "id");

-- CreateIndex
CREATE INDEX "test_executions_claimed_by_id_idx" ON "test_executions"("claimed_by_id");

-- CreateIndex
CREATE INDEX "test_executions_rerun_of_id_idx" ON "test_executions"("rerun_of_id");

-- CreateIndex
CREATE UNIQUE INDEX "test_executions_created_by_id_idempotency_key_key" ON "test_executions"("created_by_id", "idempotency_key");

-- CreateIndex
CREATE INDEX "test_results_execution_id_id_idx" ON "test_results"("execution_id", "id");

-- CreateIndex
CREATE INDEX "test_results_execution_id_severity_id_idx" ON "test_results"("execution_id", "severity", "id");

-- CreateIndex
CREATE INDEX "test_results_severity_id_idx" ON "test_results"("severity", "id");

-- CreateIndex
CREATE INDEX "test_results_rule_id_id_idx" ON "test_results"("rule_id", "id");

-- CreateIndex
CREATE INDEX "test_results_fingerprint_id_idx" ON "test_results"("fingerprint", "id");

-- CreateIndex
CREATE INDEX "test_results_cwe_ids_idx" ON "test_results" USING GIN ("cwe_ids");

-- CreateIndex
CREATE UNIQUE INDEX "test_results_execution_id_fingerprint_key" ON "test_results"("execution_id", "fingerprint");

-- CreateIndex
CREATE UNIQUE INDEX "execution_events_execution_id_number_key" ON "execution_events"("execution_id", "number");

-- CreateIndex
CREATE INDEX "audit_events_action_id_idx" ON "audit_events"("action", "id");

-- CreateIndex
CREATE INDEX "audit_events_actor_id_id_idx" ON "audit_events"("actor_id", "id");

-- CreateIndex
CREATE INDEX "audit_events_target_id_id_idx" ON "audit_events"("target_id", "id");

-- CreateIndex
CREATE INDEX "audit_events_outcome_id_idx" ON "audit_events"("outcome", "id");

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "test_executions" ADD CONSTRAINT "test_executions_created_by_id_fkey" FOREIGN KEY ("created_by_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "test_executions" ADD CONSTRAINT "test_executions_claimed_by_id_fkey" FOREIGN KEY ("claimed_by_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "test_executions" ADD CONSTRAINT "test_executions_rerun_of_id_fkey" FOREIGN KEY ("rerun_of_id") REFERENCES "test_executions"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "test_results" ADD CONSTRAINT "test_results_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "test_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "result_batches" ADD CONSTRAINT "result_batches_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "test_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "execution_events" ADD CONSTRAINT "execution_events_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "test_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What follows is written by hand: Prisma cannot say it, and its difference leaves it alone.

-- E-mail is unique without regard to case.
CREATE UNIQUE INDEX "users_email_key" ON "users" (lower("email"));

-- Limits that hold whatever the code does.
ALTER TABLE "users"
    ADD CONSTRAINT "users_email_length_check" CHECK (char_length("email") BETWEEN 3 AND 254),
    ADD CONSTRAINT "users_name_length_check" CHECK (char_length("name") BETWEEN 1 AND 200);

ALTER TABLE "sessions"
    ADD CONSTRAINT "sessions_counter_not_negative_check" CHECK ("counter" >= 0),
    ADD CONSTRAINT "sessions_expires_after_creation_check" CHECK ("expires_at" > "created_at");

ALTER TABLE "test_executions"
    ADD CONSTRAINT "test_executions_progress_percent_check" CHECK ("progress" BETWEEN 0 AND 100),
    ADD CONSTRAINT "test_executions_counts_not_negative_check" CHECK (
        "info_count" >= 0 AND "low_count" >= 0 AND "medium_count" >= 0 AND "high_count" >= 0 AND "critical_count" >= 0
    ),
    ADD CONSTRAINT "test_executions_last_event_number_not_negative_check" CHECK ("last_event_number" >= 0),
    ADD CONSTRAINT "test_executions_lease_seconds_range_check" CHECK ("lease_seconds" BETWEEN 10 AND 3600),
    -- A final state has an end, every other has none.
    ADD CONSTRAINT "test_executions_finished_at_matches_status_check" CHECK (
        ("finished_at" IS NOT NULL) = ("status" IN ('COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'))
    ),
    ADD CONSTRAINT "test_executions_running_has_started_at_check" CHECK ("status" <> 'RUNNING' OR "started_at" IS NOT NULL),
    -- Twice the 64 KiB that callers may send: jsonb prints with spaces of its own.
    ADD CONSTRAINT "test_executions_parameters_size_check" CHECK (octet_length("parameters"::text) <= 131072);

ALTER TABLE "test_results"
    ADD CONSTRAINT "test_results_title_length_check" CHECK (char_length("title") BETWEEN 1 AND 500),
    ADD CONSTRAINT "test_results_severity_rank_check" CHECK ("severity" BETWEEN 0 AND 4),
    ADD CONSTRAINT "test_results_cvss_score_range_check" CHECK ("cvss_score" BETWEEN 0 AND 10);

ALTER TABLE "execution_events"
    ADD CONSTRAINT "execution_events_number_positive_check" CHECK ("number" >= 1);

ALTER TABLE "audit_events"
    ADD CONSTRAINT "audit_events_target_id_has_type_check" CHECK ("target_id" IS NULL OR "target_type" IS NOT NULL);

-- Search for a part of a text (ILIKE '%part%', which implies IS NOT NULL). Being partial, they are nothing that
-- Prisma knows; whole ones its difference would drop.
CREATE INDEX "users_name_trgm_idx" ON "users" USING GIN ("name" gin_trgm_ops) WHERE "name" IS NOT NULL;
CREATE INDEX "users_email_trgm_idx" ON "users" USING GIN ("email" gin_trgm_ops) WHERE "email" IS NOT NULL;
CREATE INDEX "test_executions_name_trgm_idx" ON "test_executions" USING GIN ("name" gin_trgm_ops) WHERE "name" IS NOT NULL;
CREATE INDEX "test_executions_target_trgm_idx" ON "test_executions" USING GIN ("target" gin_trgm_ops) WHERE "target" IS NOT NULL;
CREATE INDEX "test_results_title_trgm_idx" ON "test_results" USING GIN ("title" gin_trgm_ops) WHERE "title" IS NOT NULL;
CREATE INDEX "test_results_rule_id_trgm_idx" ON "test_results" USING GIN ("rule_id" gin_trgm_ops) WHERE "rule_id" IS NOT NULL;

-- Executions by their end; those without one come last, as if they never ended.
CREATE INDEX "test_executions_finished_id_idx" ON "test_executions" (COALESCE("finished_at", 'infinity'::timestamptz), "id");

-- The few rows that runners, the reaper and the list of open sessions look for.
CREATE INDEX "test_executions_queued_id_idx" ON "test_executions" ("id") INCLUDE ("kind") WHERE "status" = 'QUEUED';
CREATE INDEX "test_executions_lease_idx" ON "test_executions" ("lease_expires_at") WHERE "lease_expires_at" IS NOT NULL;
CREATE INDEX "sessions_open_user_id_idx" ON "sessions" ("user_id") WHERE "revoked_at" IS NULL;
