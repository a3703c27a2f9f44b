-- Mails on their way to users. Only adds: servers of the version before go on meanwhile.
CREATE TYPE "mail_kind" AS ENUM ('INVITATION', 'PASSWORD_RESET', 'NEW_DEVICE', 'API_KEY_EXPIRING', 'ACCOUNT_LOCKED');
CREATE TYPE "mail_state" AS ENUM ('PENDING', 'SENT', 'FAILED', 'OBSOLETE');

CREATE TABLE "mails" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "kind" "mail_kind" NOT NULL,
    "link_id" UUID,
    "data" JSONB NOT NULL DEFAULT '{}',
    "state" "mail_state" NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "sent_at" TIMESTAMPTZ(3),
    "next_attempt_at" TIMESTAMPTZ(3),

    CONSTRAINT "mails_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "mails_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE INDEX "mails_user_id_kind_created_at_idx" ON "mails" ("user_id", "kind", "created_at");
CREATE INDEX "mails_created_at_idx" ON "mails" ("created_at");

-- The next mails to send, and how many wait.
CREATE INDEX "mails_pending_idx" ON "mails" ("next_attempt_at") WHERE "state" = 'PENDING';
-- The list of undelivered mails.
CREATE INDEX "mails_undelivered_idx" ON "mails" ("id") WHERE "state" IN ('PENDING', 'FAILED');
