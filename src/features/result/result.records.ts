// Results as the records of a bulk insert: a JSON array that PostgreSQL turns into rows.
import { sql } from '../../infra/postgres/sql.js';
import { foldForSearch } from '../../validation/search-text.js';
import { scoreCvss } from './cvss.js';
import type { LocationInput, ResultInput } from './result.input.js';
import { splitVulnerabilityIds } from './vulnerability-ids.js';

/** Columns that come from the input as they are. */
export const givenColumns = sql`title, description, severity, rule_id, cwe_ids, cve_ids, vulnerability_ids, cvss_vector,
  cvss_score, location, evidence, remediation, "references", tags`;

/** Types of a record's columns, in the order in which `jsonb_to_recordset` reads them. */
export const columnTypes = sql`title text, description text, severity smallint, rule_id text, cwe_ids integer[],
  cve_ids text[], vulnerability_ids text[], cvss_vector text, cvss_score float8, location jsonb, evidence text,
  remediation text, "references" text[], tags text[], search_text text, fingerprint text`;

/**
 * Digest of a record's place and content, which an execution holds once. Severity and what it comes with (score, advice,
 * tags) are no part of it: the same thing seen again as worse is the same thing.
 */
export const contentKey = sql`encode(substring(sha256(convert_to(ROW(title, description, rule_id, cwe_ids, cve_ids,
  vulnerability_ids, location, evidence, fingerprint)::text, 'UTF8')) FOR 16), 'hex')::uuid`;

/** A record, by column. */
export type ResultRecord = Record<string, unknown> & { fault?: never };

/**
 * The record of a result.
 * @param rank of its severity, 0 to 4
 * @returns the fault of its CVSS vector where that cannot be scored
 */
export function recordOf(result: ResultInput, rank: number): ResultRecord | { fault: string } {
  const cvss = result.cvssVector == null ? null : scoreCvss(result.cvssVector);
  if (cvss !== null && 'fault' in cvss) return { fault: cvss.fault };
  const ids = idsOf(result);
  return {
    title: result.title,
    description: result.description ?? null,
    severity: rank,
    rule_id: result.ruleId ?? null,
    cwe_ids: result.cweIds ?? [],
    cve_ids: ids.cveIds,
    vulnerability_ids: ids.vulnerabilityIds,
    cvss_vector: cvss?.vector ?? null,
    cvss_score: cvss?.score ?? result.cvssScore ?? null,
    location: result.location ?? null,
    evidence: result.evidence ?? null,
    remediation: result.remediation ?? null,
    references: result.references ?? [],
    tags: result.tags ?? [],
    search_text: searchTextOf(result, ids),
    fingerprint: result.fingerprint ?? null,
  };
}

interface Ids {
  cveIds: readonly string[];
  vulnerabilityIds: readonly string[];
}

const noIds: Ids = { cveIds: [], vulnerabilityIds: [] };

function idsOf({ cveIds, vulnerabilityIds }: ResultInput): Ids {
  if (cveIds == null && vulnerabilityIds == null) return noIds;
  return splitVulnerabilityIds([...(cveIds ?? []), ...(vulnerabilityIds ?? [])]);
}

/** The text that a search looks for results in: title, rule, place and ids, one per line. */
function searchTextOf({ title, ruleId, location }: ResultInput, { cveIds, vulnerabilityIds }: Ids): string {
  const { path, url, component, host, parameter } = location ?? ({} as LocationInput);
  const parts = [title, ruleId, path, url, component, host, parameter, ...cveIds, ...vulnerabilityIds];
  return foldForSearch(parts.filter((part) => part != null).join('\n'));
}
