-- Replaces d90e8f7989f2f811213ae7a5f0b0487232194d56e024162415f40776c882ea44
-- An instance of the version before serves all the while: columns first, which rewrite no row, then indexes that stop no writer.
-- The lines that begin with "-- Step" cut the script: each part is a transaction of its own, and may be repeated.

-- Step
ALTER TABLE "test_results"
    ADD COLUMN IF NOT EXISTS "delta" SMALLINT,
    ADD COLUMN IF NOT EXISTS "finding_id" UUID,
    ADD COLUMN IF NOT EXISTS "from_run" INTEGER,
    ADD COLUMN IF NOT EXISTS "is_shared" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS "scan_branch_id" INTEGER,
    ADD COLUMN IF NOT EXISTS "until_run" INTEGER;

-- Step
ALTER TABLE "test_executions"
    ADD COLUMN IF NOT EXISTS "category" TEXT,
    ADD COLUMN IF NOT EXISTS "is_shared" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS "project_id" UUID NOT NULL DEFAULT '00000000-0000-7000-8000-000000000001'::uuid,
    ADD COLUMN IF NOT EXISTS "run_number" INTEGER,
    ADD COLUMN IF NOT EXISTS "scan_branch_id" INTEGER;

-- Step
ALTER TABLE "api_keys" ADD COLUMN IF NOT EXISTS "project_id" UUID;

-- Step
CREATE INDEX CONCURRENTLY "api_keys_project_id_idx" ON "api_keys"("project_id");

-- Step
CREATE INDEX CONCURRENTLY "test_executions_project_id_id_idx" ON "test_executions"("project_id", "id");

-- Step
CREATE INDEX CONCURRENTLY "test_executions_scan_branch_id_run_number_idx" ON "test_executions"("scan_branch_id", "run_number");

-- What a branch shows at present: an import looks its results up there by place and content.
-- Step
CREATE INDEX CONCURRENTLY "test_results_open_content_idx" ON "test_results" ("scan_branch_id", "content_key")
    WHERE "until_run" IS NULL AND "scan_branch_id" IS NOT NULL;

-- Step, unless there is projects
-- CreateEnum
CREATE TYPE "project_visibility" AS ENUM ('INTERNAL', 'PRIVATE');

-- CreateEnum
CREATE TYPE "project_role" AS ENUM ('ANALYST', 'VIEWER');

-- CreateEnum
CREATE TYPE "report_format" AS ENUM ('SARIF', 'CYCLONEDX', 'GITLAB', 'ZAP_JSON', 'ZAP_XML', 'NUCLEI', 'TRIVY', 'GRYPE', 'SEMGREP', 'GITLEAKS', 'BANDIT', 'CHECKOV', 'NPM_AUDIT', 'ESLINT', 'CPPCHECK_XML', 'NMAP_XML', 'TESTSSL', 'BURP_XML', 'JUNIT', 'GENERIC_JSON', 'GENERIC_CSV');

-- CreateEnum
CREATE TYPE "import_state" AS ENUM ('RUNNING', 'COMPLETED', 'FAILED');

-- CreateEnum
CREATE TYPE "triage_state" AS ENUM ('OPEN', 'CONFIRMED', 'FALSE_POSITIVE', 'RISK_ACCEPTED', 'RESOLVED');

-- CreateTable
CREATE TABLE "projects" (
    "id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "visibility" "project_visibility" NOT NULL DEFAULT 'INTERNAL',
    "default_branch" TEXT,
    "days_critical" INTEGER,
    "days_high" INTEGER,
    "days_medium" INTEGER,
    "days_low" INTEGER,
    "retain_days" INTEGER,
    "archived_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "projects_pkey" PRIMARY KEY ("id")
);

-- The project that everything belongs to unless it names another.
INSERT INTO "projects" ("id", "key", "name", "created_at")
VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default', date_trunc('milliseconds', now()));

-- CreateTable
CREATE TABLE "project_members" (
    "project_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" "project_role" NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "project_members_pkey" PRIMARY KEY ("project_id","user_id")
);

-- CreateTable
CREATE TABLE "scan_series" (
    "id" SERIAL NOT NULL,
    "project_id" UUID NOT NULL,
    "target" TEXT NOT NULL,
    "tool" TEXT NOT NULL,
    "category" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "scan_series_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "scan_branches" (
    "id" SERIAL NOT NULL,
    "series_id" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "is_default" BOOLEAN NOT NULL,
    "last_run" INTEGER NOT NULL DEFAULT 0,
    "last_execution_id" UUID,
    "last_run_at" TIMESTAMPTZ(3),

    CONSTRAINT "scan_branches_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "findings" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "series_id" INTEGER NOT NULL,
    "result_id" UUID NOT NULL,
    "title" TEXT NOT NULL,
    "rule_id" TEXT,
    "severity" SMALLINT NOT NULL,
    "reported_severity" SMALLINT NOT NULL,
    "severity_override" SMALLINT,
    "cwe_ids" INTEGER[],
    "cve_ids" TEXT[],
    "triage" "triage_state" NOT NULL DEFAULT 'OPEN',
    "triage_reason" TEXT,
    "triage_comment" TEXT,
    "accepted_until" TIMESTAMPTZ(3),
    "assignee_id" UUID,
    "due_at" TIMESTAMPTZ(3),
    "is_present" BOOLEAN NOT NULL,
    "first_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "first_seen_in_id" UUID,
    "last_seen_at" TIMESTAMPTZ(3),
    "last_seen_in_id" UUID,
    "recipe" SMALLINT NOT NULL,
    "group_key" UUID NOT NULL,
    "rule_key" UUID NOT NULL,
    "fingerprint_key" UUID,
    "snippet_key" UUID,
    "message_key" UUID NOT NULL,
    "line" INTEGER NOT NULL,
    "path" TEXT NOT NULL,
    "search_text" TEXT NOT NULL,

    CONSTRAINT "findings_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "finding_counts" (
    "id" BIGSERIAL NOT NULL,
    "project_id" UUID NOT NULL,
    "triage" "triage_state" NOT NULL,
    "severity" SMALLINT NOT NULL,
    "is_present" BOOLEAN NOT NULL,
    "change" INTEGER NOT NULL,

    CONSTRAINT "finding_counts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "triage_events" (
    "id" UUID NOT NULL,
    "finding_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "actor_id" UUID,
    "actor_label" TEXT NOT NULL,
    "from" "triage_state",
    "to" "triage_state",
    "severity_from" SMALLINT,
    "severity_to" SMALLINT,
    "reason" TEXT,
    "comment" TEXT,

    CONSTRAINT "triage_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "imports" (
    "id" UUID NOT NULL,
    "execution_id" UUID NOT NULL,
    "state" "import_state" NOT NULL DEFAULT 'RUNNING',
    "format" "report_format",
    "content_sha256" BYTEA NOT NULL,
    "bytes" BIGINT NOT NULL,
    "read" INTEGER NOT NULL DEFAULT 0,
    "added" INTEGER NOT NULL DEFAULT 0,
    "duplicates" INTEGER NOT NULL DEFAULT 0,
    "skipped" INTEGER NOT NULL DEFAULT 0,
    "new_findings" INTEGER NOT NULL DEFAULT 0,
    "unchanged_findings" INTEGER NOT NULL DEFAULT 0,
    "reopened_findings" INTEGER NOT NULL DEFAULT 0,
    "absent_findings" INTEGER NOT NULL DEFAULT 0,
    "info_count" INTEGER NOT NULL DEFAULT 0,
    "low_count" INTEGER NOT NULL DEFAULT 0,
    "medium_count" INTEGER NOT NULL DEFAULT 0,
    "high_count" INTEGER NOT NULL DEFAULT 0,
    "critical_count" INTEGER NOT NULL DEFAULT 0,
    "skipped_reasons" JSONB NOT NULL DEFAULT '{}',
    "warnings" JSONB NOT NULL DEFAULT '[]',
    "warning_count" INTEGER NOT NULL DEFAULT 0,
    "incomplete" TEXT[],
    "error_message" TEXT,
    "created_by_id" UUID,
    "idempotency_key" TEXT,
    "request_digest" BYTEA,
    "lease_expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "imports_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE UNLOGGED TABLE "staged_results" (
    "import_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "result_id" UUID NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "severity" SMALLINT NOT NULL,
    "rule_id" TEXT,
    "cwe_ids" INTEGER[],
    "cve_ids" TEXT[],
    "vulnerability_ids" TEXT[],
    "cvss_vector" TEXT,
    "cvss_score" DOUBLE PRECISION,
    "location" JSONB,
    "evidence" TEXT,
    "remediation" TEXT,
    "references" TEXT[],
    "tags" TEXT[],
    "fingerprint" TEXT NOT NULL,
    "content_key" UUID NOT NULL,
    "search_text" TEXT NOT NULL,
    "group_key" UUID NOT NULL,
    "rule_key" UUID NOT NULL,
    "fingerprint_key" UUID,
    "snippet_key" UUID,
    "message_key" UUID NOT NULL,
    "line" INTEGER NOT NULL,
    "path" TEXT NOT NULL,

    CONSTRAINT "staged_results_pkey" PRIMARY KEY ("import_id","position")
);

-- CreateTable
CREATE UNLOGGED TABLE "staged_sightings" (
    "import_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "result_id" UUID NOT NULL,

    CONSTRAINT "staged_sightings_pkey" PRIMARY KEY ("import_id","position")
);

-- CreateTable
CREATE UNLOGGED TABLE "staged_matches" (
    "import_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "finding_id" UUID NOT NULL,

    CONSTRAINT "staged_matches_pkey" PRIMARY KEY ("import_id","position")
);

-- CreateIndex
CREATE UNIQUE INDEX "projects_key_key" ON "projects"("key");

-- CreateIndex
CREATE INDEX "project_members_user_id_idx" ON "project_members"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "scan_series_project_id_target_tool_category_key" ON "scan_series"("project_id", "target", "tool", "category");

-- CreateIndex
CREATE UNIQUE INDEX "scan_branches_series_id_name_key" ON "scan_branches"("series_id", "name");

-- CreateIndex
CREATE INDEX "findings_project_id_id_idx" ON "findings"("project_id", "id");

-- CreateIndex
CREATE INDEX "findings_project_id_severity_id_idx" ON "findings"("project_id", "severity", "id");

-- CreateIndex
CREATE INDEX "findings_project_id_rule_id_id_idx" ON "findings"("project_id", "rule_id", "id");

-- CreateIndex
CREATE INDEX "findings_series_id_group_key_id_idx" ON "findings"("series_id", "group_key", "id");

-- CreateIndex
CREATE INDEX "findings_result_id_idx" ON "findings"("result_id");

-- CreateIndex
CREATE INDEX "finding_counts_project_id_idx" ON "finding_counts"("project_id");

-- CreateIndex
CREATE INDEX "triage_events_finding_id_id_idx" ON "triage_events"("finding_id", "id");

-- CreateIndex
CREATE INDEX "imports_execution_id_id_idx" ON "imports"("execution_id", "id");

-- CreateIndex
CREATE INDEX "imports_lease_expires_at_idx" ON "imports"("lease_expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "imports_created_by_id_idempotency_key_key" ON "imports"("created_by_id", "idempotency_key");

-- AddForeignKey
ALTER TABLE "project_members" ADD CONSTRAINT "project_members_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "scan_series" ADD CONSTRAINT "scan_series_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "scan_branches" ADD CONSTRAINT "scan_branches_series_id_fkey" FOREIGN KEY ("series_id") REFERENCES "scan_series"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "triage_events" ADD CONSTRAINT "triage_events_finding_id_fkey" FOREIGN KEY ("finding_id") REFERENCES "findings"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What follows is written by hand: Prisma cannot say it, and its difference leaves it alone.

ALTER TABLE "projects"
    ADD CONSTRAINT "projects_key_form_check" CHECK ("key" ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    ADD CONSTRAINT "projects_name_length_check" CHECK (char_length("name") BETWEEN 1 AND 200);

ALTER TABLE "findings"
    ADD CONSTRAINT "findings_severity_rank_check" CHECK ("severity" BETWEEN 0 AND 4),
    ADD CONSTRAINT "findings_accepted_until_an_end_check" CHECK ("triage" <> 'RISK_ACCEPTED' OR "accepted_until" IS NOT NULL);

-- Findings by what their list filters and orders by.
CREATE INDEX "findings_present_severity_idx" ON "findings" ("project_id", "severity", "id") WHERE "is_present";
CREATE INDEX "findings_due_idx" ON "findings" ("project_id", "due_at", "id") WHERE "due_at" IS NOT NULL;
CREATE INDEX "findings_accepted_until_idx" ON "findings" ("accepted_until") WHERE "triage" = 'RISK_ACCEPTED';
CREATE INDEX "findings_assignee_idx" ON "findings" ("assignee_id", "id") WHERE "assignee_id" IS NOT NULL;
CREATE INDEX "findings_cwe_ids_idx" ON "findings" USING GIN ("cwe_ids") WHERE "cwe_ids" <> '{}';
CREATE INDEX "findings_cve_ids_idx" ON "findings" USING GIN ("cve_ids") WHERE "cve_ids" <> '{}';
CREATE INDEX "findings_search_text_trgm_idx" ON "findings" USING GIN ("search_text" gin_trgm_ops) WHERE "search_text" IS NOT NULL;

-- The numbers of findings, kept by the database itself, so that no writer can forget them.
CREATE FUNCTION "count_findings"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO "finding_counts" ("project_id", "triage", "severity", "is_present", "change")
        SELECT "project_id", "triage", "severity", "is_present", count(*) FROM "after" GROUP BY 1, 2, 3, 4;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO "finding_counts" ("project_id", "triage", "severity", "is_present", "change")
        SELECT "project_id", "triage", "severity", "is_present", -count(*) FROM "before" GROUP BY 1, 2, 3, 4;
    ELSE
        INSERT INTO "finding_counts" ("project_id", "triage", "severity", "is_present", "change")
        SELECT "project_id", "triage", "severity", "is_present", sum("change") FROM (
            SELECT "project_id", "triage", "severity", "is_present", 1 AS "change" FROM "after"
            UNION ALL SELECT "project_id", "triage", "severity", "is_present", -1 FROM "before"
        ) AS "changes" GROUP BY 1, 2, 3, 4 HAVING sum("change") <> 0;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER "findings_counted_on_insert" AFTER INSERT ON "findings" REFERENCING NEW TABLE AS "after"
    FOR EACH STATEMENT EXECUTE FUNCTION "count_findings"();
CREATE TRIGGER "findings_counted_on_update" AFTER UPDATE ON "findings" REFERENCING OLD TABLE AS "before" NEW TABLE AS "after"
    FOR EACH STATEMENT EXECUTE FUNCTION "count_findings"();
CREATE TRIGGER "findings_counted_on_delete" AFTER DELETE ON "findings" REFERENCING OLD TABLE AS "before"
    FOR EACH STATEMENT EXECUTE FUNCTION "count_findings"();

-- Last, as it locks tables that the version before writes to: keys are checked for new rows at once, and for old ones below.
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE NOT VALID;
ALTER TABLE "test_executions" ADD CONSTRAINT "test_executions_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "test_executions" ADD CONSTRAINT "test_executions_scan_branch_id_fkey" FOREIGN KEY ("scan_branch_id") REFERENCES "scan_branches"("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
ALTER TABLE "project_members" ADD CONSTRAINT "project_members_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "findings" ADD CONSTRAINT "findings_assignee_id_fkey" FOREIGN KEY ("assignee_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "imports" ADD CONSTRAINT "imports_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "test_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Step
ALTER TABLE "api_keys" VALIDATE CONSTRAINT "api_keys_project_id_fkey";

-- Step
ALTER TABLE "test_executions" VALIDATE CONSTRAINT "test_executions_project_id_fkey";

-- Step
ALTER TABLE "test_executions" VALIDATE CONSTRAINT "test_executions_scan_branch_id_fkey";
