// Twins of an import: results that the branch shows as they are, in files in which other results are new. The matching may
// separate them; then they need rows of their own.
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { type Sql, sql } from '../../../infra/postgres/sql.js';
import { newIdAt } from './staged-run.js';

/**
 * The query of a cursor over the twins in files with staged results, in the order of `fileKey`: the finding's id and keys, and
 * the position of its result. The newest result of a finding has its keys.
 * @param keys select list of the keys
 */
export function twinsOf(importId: string, seriesId: number, keys: Sql): Sql {
  return sql`
    SELECT findings.id, sighting.position, ${keys}
    FROM findings JOIN staged_sightings AS sighting
      ON sighting.import_id = ${importId}::uuid AND sighting.finding_id = findings.id AND sighting.result_id = findings.result_id
    WHERE series_id = ${seriesId} AND line > 0
      AND path IN (SELECT path FROM staged_results WHERE import_id = ${importId}::uuid AND path <> '')
    ORDER BY "fileKey", findings.id`;
}

/** Stages the results at these positions as rows, instead of sightings of their findings. */
export async function stageParted(
  connection: BulkConnection,
  importId: string,
  positions: readonly number[],
  at: Date,
): Promise<void> {
  if (positions.length === 0) return;
  await connection.query(sql`
    WITH parted AS (
      DELETE FROM staged_sightings WHERE import_id = ${importId}::uuid AND position = ANY(${[...positions]}::int[])
      RETURNING position, result_id, finding_id
    )
    INSERT INTO staged_results (import_id, position, result_id, title, description, severity, rule_id, cwe_ids, cve_ids,
      vulnerability_ids, cvss_vector, cvss_score, location, evidence, remediation, "references", tags, fingerprint, content_key,
      search_text, group_key, rule_key, fingerprint_key, snippet_key, message_key, line, path, text_key)
    SELECT ${importId}::uuid, position, ${newIdAt(at)}, result.title, result.description, result.severity, result.rule_id,
      result.cwe_ids, result.cve_ids, result.vulnerability_ids, result.cvss_vector, result.cvss_score, result.location,
      result.evidence, result.remediation, result."references", result.tags, result.fingerprint, result.shared_key,
      finding.search_text, finding.group_key, finding.rule_key, finding.fingerprint_key, finding.snippet_key,
      finding.message_key, finding.line, finding.path, (SELECT digest FROM result_texts WHERE id = result.text_id)
    FROM parted
    CROSS JOIN LATERAL (SELECT * FROM test_results WHERE id = parted.result_id LIMIT 1) AS result
    CROSS JOIN LATERAL (SELECT * FROM findings WHERE id = parted.finding_id LIMIT 1) AS finding`);
}

/**
 * Forgets the twins of the default branch in files with other results: on the first run of a branch nothing is shown yet, so they
 * can be matched like the rest.
 */
export async function forgetTwins(connection: BulkConnection, importId: string): Promise<void> {
  const isMatched = sql`position IN (SELECT position FROM staged_matches WHERE import_id = ${importId}::uuid)`;
  await connection.query(sql`BEGIN`);
  // Without statistics PostgreSQL would compare each row with each match.
  await connection.query(sql`SET LOCAL enable_nestloop = off`);
  await connection.query(sql`
    DELETE FROM staged_matches WHERE import_id = ${importId}::uuid AND position IN (
      SELECT position FROM staged_results WHERE import_id = ${importId}::uuid AND line > 0 AND path IN (
        SELECT path FROM staged_results WHERE import_id = ${importId}::uuid AND path <> '' AND NOT ${isMatched}))`);
  await connection.query(sql`COMMIT`);
}
