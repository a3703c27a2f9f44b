// Reads results of SARIF that this server exported: what it knew of them stands in their properties.
import type { DraftItem, ItemLocation, SeverityRank } from '../../item.js';
import { firstString, objectOf, stringsOf } from '../../text.js';
import type { Json } from './sarif-runs.js';

/** Name of the property that holds a result as this server knew it. */
export const secTesterKey = 'secTester/v1';

/** Name of the tool in exports of results that no tool is known of. */
export const noTool = 'SEC-TESTER';

/** The draft of a result that this server exported; undefined for any other result. Limits apply to it as to any draft. */
export function ownDraftOf(result: Json): DraftItem | undefined {
  const own = objectOf(objectOf(result.properties)?.[secTesterKey]);
  const { title, severity } = own ?? {};
  if (own === undefined || typeof title !== 'string' || !isRank(severity)) return undefined;
  const evidence = firstString(own.evidence);
  const location = objectOf(own.location);
  return {
    title,
    severity,
    description: firstString(own.description),
    ruleId: firstString(own.ruleId),
    cweIds: Array.isArray(own.cweIds) ? own.cweIds.filter((id) => Number.isInteger(id)) : [],
    vulnerabilityIds: stringsOf(own.vulnerabilityIds),
    cvssVector: firstString(own.cvssVector),
    cvssScore: typeof own.cvssScore === 'number' ? own.cvssScore : null,
    location: location === undefined ? null : (location as ItemLocation),
    evidence,
    snippet: evidence,
    remediation: firstString(own.remediation),
    references: stringsOf(own.references),
    tags: stringsOf(own.tags),
  };
}

function isRank(value: unknown): value is SeverityRank {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 4;
}
