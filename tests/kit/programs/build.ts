// dist for the tests that start programs from it: built when a source is newer, by one worker at a time.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';

/** What is built anew is taken away first: two at once would spoil each other's. */
export async function build(): Promise<void> {
  const lock = new pg.Client({ connectionString: process.env.TEST_POSTGRES_URL as string });
  await lock.connect();
  try {
    await lock.query('SELECT pg_advisory_lock(1)');
    await promisify(execFile)(process.execPath, ['scripts/build.mjs', '--if-stale']);
  } finally {
    await lock.end();
  }
}
