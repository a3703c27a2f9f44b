// Copies the results of an execution into the staging tables, with the keys that they are recognised by.
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { raw, type Sql, sql } from '../../../infra/postgres/sql.js';
import { storedTexts } from '../../../infra/postgres/stored-texts.js';
import type { ItemLocation, ReportItem } from '../../../reports/item.js';
import { identityOf } from '../identity/keys.js';

type OwnResult = Pick<
  ReportItem,
  'title' | 'description' | 'ruleId' | 'cveIds' | 'vulnerabilityIds' | 'evidence'
> & {
  id: string;
  location: ItemLocation | null;
  fingerprint: string;
};

const texts = storedTexts('test_results');
const pageSize = 1000;
/** Fingerprints that the server has computed hold no more than the other keys do. */
const computed = /^v\d+:/;

/** Stages the results of an execution under its id, of which nothing is staged. */
export async function stageOwnResults(connection: BulkConnection, executionId: string): Promise<void> {
  let after = '00000000-0000-0000-0000-000000000000';
  let position = 0;
  for (;;) {
    const page = await connection.query<OwnResult>(sql`
      SELECT id, title, ${raw(texts.description)} AS description, rule_id AS "ruleId", ${raw(texts.cveIds)} AS "cveIds",
        ${raw(texts.vulnerabilityIds)} AS "vulnerabilityIds", location, evidence, fingerprint
      FROM test_results WHERE execution_id = ${executionId}::uuid AND id > ${after}::uuid AND NOT is_shared
      ORDER BY id LIMIT ${pageSize}`);
    if (page.length > 0) await connection.query(insertion(executionId, position, page));
    position += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.id;
  }
}

function insertion(executionId: string, position: number, page: readonly OwnResult[]): Sql {
  const keys = page.map((result) => identityOf(itemOf(result), {}));
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

function itemOf(result: OwnResult): ReportItem {
  const { fingerprint, ...rest } = result;
  return {
    ...rest,
    severity: 0,
    cweIds: [],
    cvssVector: null,
    cvssScore: null,
    remediation: null,
    references: [],
    tags: [],
    toolFingerprint: computed.test(fingerprint) ? null : fingerprint,
    snippet: null,
  };
}
