-- Step

-- Filters compare commits in lower case, as they are stored from now on.
UPDATE "test_executions" SET "commit_sha" = lower("commit_sha" COLLATE "C") WHERE "commit_sha" ~ '[A-F]';
