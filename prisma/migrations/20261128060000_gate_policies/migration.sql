-- CreateEnum
CREATE TYPE "gate_mode" AS ENUM ('ENFORCE', 'LOG');

-- CreateTable
CREATE TABLE "gate_policies" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "max_critical" INTEGER,
    "max_high" INTEGER,
    "max_medium" INTEGER,
    "max_low" INTEGER,
    "only_new" BOOLEAN NOT NULL DEFAULT false,
    "base_branch" TEXT,
    "fail_on_overdue" BOOLEAN NOT NULL DEFAULT false,
    "mode" "gate_mode" NOT NULL DEFAULT 'ENFORCE',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "gate_policies_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "gate_policies_project_id_name_key" ON "gate_policies"("project_id", "name");

-- AddForeignKey
ALTER TABLE "gate_policies" ADD CONSTRAINT "gate_policies_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;
