// Drops what only earlier versions need, once none of their instances runs: the last part of an upgrade.
import pg from 'pg';

/** Indexes of test_results that have successors; both are kept while instances of either version may read. */
const indexes = [
  'test_results_execution_id_id_idx',
  'test_results_execution_id_severity_id_idx',
  'test_results_fingerprint_id_idx',
  'test_results_rule_id_id_idx',
  'test_results_cwe_ids_idx',
  'test_results_search_text_trgm_idx',
  'test_results_execution_id_id_idx',
  'test_results_fingerprint_id_idx',
];

/** Names of the indexes that only earlier versions read. */
export async function listLeftovers(client: Pick<pg.ClientBase, 'query'>): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE oid = ANY(SELECT to_regclass(quote_ident(name)) FROM unnest($1::text[]) AS given(name))
     ORDER BY 1`,
    [indexes],
  );
  return rows.map(({ name }) => name);
}

/**
 * Drops them; readers and writers go on meanwhile.
 * @returns the names of the indexes dropped
 */
export async function dropLeftovers(client: pg.ClientBase): Promise<string[]> {
  const names = await listLeftovers(client);
  for (const name of names)
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${pg.escapeIdentifier(name)}`);
  return names;
}
