// Copies the results of an execution into the staging tables, with the keys that they are recognised by.
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { identityOfStored, type StoredResult, storedColumns } from './stored-identity.js';

const pageSize = 1000;

/** Stages the results of an execution under its id, of which nothing is staged. */
export async function stageOwnResults(connection: BulkConnection, executionId: string): Promise<void> {
  let after = '00000000-0000-0000-0000-000000000000';
  let position = 0;
  for (;;) {
    const page = await connection.query<StoredResult>(sql`
      SELECT ${storedColumns}
      FROM test_results WHERE execution_id = ${executionId}::uuid AND id > ${after}::uuid AND NOT is_shared
      ORDER BY id LIMIT ${pageSize}`);
    if (page.length > 0) await connection.query(insertion(executionId, position, page));
    position += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.id;
  }
}

function insertion(executionId: string, position: number, page: readonly StoredResult[]): Sql {
  const keys = page.map(identityOfStored);
  const of = (name: keyof (typeof keys)[number]) => keys.map((key) => key[name]);
  return sql`
    INSERT INTO staged_results (import_id, position, result_id, title, description, severity, rule_id, cwe_ids, cve_ids,
      vulnerability_ids, cvss_vector, cvss_score, location, evidence, remediation, "references", tags, fingerprint, content_key,
      search_text, group_key, rule_key, fingerprint_key, snippet_key, message_key, line, path)
    SELECT ${executionId}::uuid, ${position} + keyed.position, id, title, NULL, severity, rule_id, cwe_ids, cve_ids, '{}', NULL, NULL,
      NULL, NULL, NULL, '{}', '{}', '', content_key, search_text, group_key, rule_key, fingerprint_key, snippet_key, message_key,
      line, path
    FROM unnest(${page.map(({ id }) => id)}::uuid[], ${of('groupKey')}::uuid[], ${of('ruleKey')}::uuid[],
      ${of('fingerprintKey')}::uuid[], ${of('contentKey')}::uuid[], ${of('messageKey')}::uuid[], ${of('line')}::int[],
      ${of('path')}::text[]) WITH ORDINALITY
      AS keyed(result_id, group_key, rule_key, fingerprint_key, snippet_key, message_key, line, path, position)
    JOIN test_results ON id = keyed.result_id`;
}
