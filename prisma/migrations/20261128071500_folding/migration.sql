-- Searches for users and projects compare texts that the application folds, so that the locale of the database changes nothing.
ALTER TABLE "projects" ADD COLUMN "folded_text" TEXT;

-- As the application folds texts (src/validation/search-text.ts), for the rows that are there already. Lower case beyond ASCII
-- comes from Unicode's own rules where the server has them, else from the locale.
CREATE FUNCTION "fold_for_search"("given" TEXT) RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
DECLARE
    "folded" TEXT;
    "result" TEXT := '';
    "letter" TEXT;
BEGIN
    IF "given" !~ '[^\x01-\x7f]' THEN
        RETURN lower("given" COLLATE "C");
    END IF;
    "folded" := lower(regexp_replace(normalize("given", NFKD), '[\u0300-\u036f]', '', 'g') COLLATE "C");
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        EXECUTE 'SELECT lower($1 COLLATE "und-x-icu")' INTO "folded" USING "folded";
    END IF;
    FOREACH "letter" IN ARRAY regexp_split_to_array("folded", '') LOOP
        "result" := "result" || CASE WHEN ascii("letter") < 128 THEN "letter" ELSE 'U' || upper(to_hex(ascii("letter"))) END;
    END LOOP;
    RETURN "result";
END
$$;

UPDATE "projects" SET "folded_text" = "fold_for_search"("key" || E'\n' || "name");
-- The migration that brought this column folded ASCII alone.
UPDATE "users" SET "search_text" = "fold_for_search"("name" || E'\n' || "email") WHERE "search_text" ~ '[^\x01-\x7f]';

DROP FUNCTION "fold_for_search"(TEXT);
