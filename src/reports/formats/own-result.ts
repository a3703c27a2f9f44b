// Reads results of files that this server exported: what it knew of them stands in their properties.
import type { DraftItem, ItemLocation, SeverityRank } from '../item.js';
import { firstString, objectOf, objectsOf, stringsOf } from '../text.js';

type Json = Record<string, unknown>;

/** Name of the property that holds a result as this server knew it. */
export const secTesterKey = 'secTester/v1';

/** Name of the CycloneDX property that says whether a VEX has all results of its execution. */
export const completeKey = 'secTester/complete';

/** Name of the tool in exports of results that no tool is known of. */
export const noTool = 'SEC-TESTER';

/** The draft of a SARIF result that this server exported; undefined for any other result. */
export function ownDraftOf(result: Json): DraftItem | undefined {
  return draftOf(objectOf(result.properties)?.[secTesterKey]);
}

/** The draft of a CycloneDX vulnerability that this server exported; undefined for any other one. */
export function ownDraftOfVulnerability(vulnerability: Json): DraftItem | undefined {
  const text = propertyOf(vulnerability, secTesterKey);
  if (text === undefined) return undefined;
  try {
    return draftOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A property of CycloneDX by its name. */
export function propertyOf({ properties }: Json, key: string): string | undefined {
  const value = objectsOf(properties).find(({ name }) => name === key)?.value;
  return typeof value === 'string' ? value : undefined;
}

/** Limits apply to it as to any draft. */
function draftOf(given: unknown): DraftItem | undefined {
  const own = objectOf(given);
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
