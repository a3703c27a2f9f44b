// The keys of results that are stored already, by which later runs recognise their findings.
import { raw, type Sql, sql } from '../../../infra/postgres/sql.js';
import { storedTexts } from '../../../infra/postgres/stored-texts.js';
import type { ItemLocation, ReportItem } from '../../../reports/item.js';
import { type IdentityKeys, identityOf } from '../identity/keys.js';

/** The columns of a result that keys are made of. */
export type StoredResult = Pick<
  ReportItem,
  'title' | 'description' | 'ruleId' | 'cveIds' | 'vulnerabilityIds' | 'evidence'
> & {
  id: string;
  location: ItemLocation | null;
  fingerprint: string;
};

const texts = storedTexts('test_results');
/** The select list of {@link StoredResult}, of `test_results`. */
export const storedColumns: Sql = sql`id, title, ${raw(texts.description)} AS description, rule_id AS "ruleId",
  ${raw(texts.cveIds)} AS "cveIds", ${raw(texts.vulnerabilityIds)} AS "vulnerabilityIds", location, evidence, fingerprint`;

/** Fingerprints that the server has computed hold no more than the other keys do. */
const computed = /^v\d+:/;

/** The keys of a stored result; without the lines around its place, which are not stored. */
export function identityOfStored(result: StoredResult): IdentityKeys {
  return identityOf(itemOfStored(result), {});
}

/** The result as a report says it, as far as keys and searches need it. */
export function itemOfStored(result: StoredResult): ReportItem {
  const { id: _id, fingerprint, ...rest } = result;
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
