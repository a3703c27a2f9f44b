-- The audit trail becomes append-only, numbered and sealed; how seals are made is told in docs/audit.md.

-- CreateSequence
CREATE SEQUENCE "audit_events_number_seq" AS BIGINT;

-- The transaction has its id before it gets a number, so whoever holds a lower number than one that can be seen
-- began before it: that is what lets a sealer know when nothing more can come in below. As its owner, so that the
-- server needs no right on the sequence.
CREATE FUNCTION "next_audit_number"() RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN nextval('audit_events_number_seq');
END
$$;

ALTER TABLE "audit_events" ADD COLUMN "number" BIGINT;
UPDATE "audit_events" SET "number" = numbered.number
    FROM (SELECT "id", row_number() OVER (ORDER BY "id") AS number FROM "audit_events") AS numbered
    WHERE numbered."id" = "audit_events"."id";
SELECT setval('audit_events_number_seq', GREATEST((SELECT max("number") FROM "audit_events"), 1), EXISTS (SELECT FROM "audit_events"));
ALTER TABLE "audit_events" ALTER COLUMN "number" SET NOT NULL, ALTER COLUMN "number" SET DEFAULT next_audit_number();
ALTER SEQUENCE "audit_events_number_seq" OWNED BY "audit_events"."number";

-- CreateIndex
CREATE UNIQUE INDEX "audit_events_number_key" ON "audit_events"("number");

-- CreateTable
CREATE TABLE "audit_seals" (
    "number" BIGSERIAL NOT NULL,
    "after_event" BIGINT NOT NULL,
    "last_event" BIGINT NOT NULL,
    "first_event_id" UUID NOT NULL,
    "last_event_id" UUID NOT NULL,
    "event_hashes" BYTEA NOT NULL,
    "sealed_at" TIMESTAMPTZ(3) NOT NULL,
    "previous_hash" BYTEA NOT NULL,
    "hash" BYTEA NOT NULL,
    "signature" BYTEA,

    CONSTRAINT "audit_seals_pkey" PRIMARY KEY ("number")
);

-- CreateIndex
CREATE UNIQUE INDEX "audit_seals_after_event_key" ON "audit_seals"("after_event");

ALTER TABLE "audit_seals"
    ADD CONSTRAINT "audit_seals_range_check" CHECK ("last_event" > "after_event"),
    ADD CONSTRAINT "audit_seals_hashes_check" CHECK (
        octet_length("event_hashes") > 0 AND octet_length("event_hashes") % 32 = 0
        AND octet_length("hash") = 32 AND octet_length("previous_hash") = 32
    );

-- Whoever asks, the owner included: nothing that was written is changed or taken away.
CREATE FUNCTION "refuse_change"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: it can only be added to', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER "audit_events_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_events"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_seals_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_seals"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
