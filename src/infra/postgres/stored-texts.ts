// Where texts of results and findings lie in PostgreSQL: with the row, or once for many rows. For every read of them.
import { raw, type Sql } from './sql.js';

/** Prisma's names of the columns of results that may lie elsewhere, or be NULL where they are empty. */
export type StoredText =
  | 'description'
  | 'remediation'
  | 'references'
  | 'tags'
  | 'cweIds'
  | 'cveIds'
  | 'vulnerabilityIds';

/** The join that {@link storedTexts} of many rows reads texts from. */
export const joinedTexts: Sql = raw('LEFT JOIN result_texts AS text ON text.id = result.text_id');

/**
 * The SQL of these columns.
 * @param alias of test_results; `result` where {@link joinedTexts} joins the texts
 */
export function storedTexts(alias: 'test_results' | 'result'): Readonly<Record<StoredText, string>> {
  const shared = (expression: string) =>
    alias === 'result'
      ? expression
      : `(SELECT ${expression} FROM result_texts AS text WHERE text.id = ${alias}.text_id)`;
  const either = (column: string) =>
    `CASE WHEN ${alias}.text_id IS NULL THEN ${alias}."${column}" ELSE ${shared(`text."${column}"`)} END`;
  const description = shared(`CASE WHEN text.description IS NULL THEN ${alias}.description
    ELSE COALESCE(${alias}.description, ${alias}.title) || text.description END`);
  const list = (expression: string) => `COALESCE(${expression}, '{}')`;
  return {
    description: `CASE WHEN ${alias}.text_id IS NULL THEN ${alias}.description ELSE ${description} END`,
    remediation: either('remediation'),
    references: list(either('references')),
    tags: list(either('tags')),
    cweIds: list(`${alias}.cwe_ids`),
    cveIds: list(`${alias}.cve_ids`),
    vulnerabilityIds: list(`${alias}.vulnerability_ids`),
  };
}

/**
 * The text that a search finds a finding by, folded. It is stored only where it does not follow from the other columns; the
 * index findings_text_idx has this very expression.
 * @param alias of findings, or of staged results
 */
export function searchedText(alias: string): Sql {
  return raw(`CASE ${alias}.search_text WHEN '' THEN lower(${alias}.title || E'\\n' || COALESCE(${alias}.rule_id || E'\\n', '')
    || ${alias}.path COLLATE "C") ELSE ${alias}.search_text END`);
}
