// A result in the words of addResults as a draft, checked: for the generic formats, whose writers read our error messages.
import type { DraftItem, ItemLocation } from '../../item.js';
import { reportError } from '../../report-error.js';
import { severityFromWord } from '../../severity.js';
import { firstString, numberOf, wordOf } from '../../text.js';
import { cwesIn } from '../../vulnerability-ids.js';

/** Names of a result's fields. */
export const resultFields = [
  'title',
  'severity',
  'description',
  'ruleId',
  'cweIds',
  'cveIds',
  'vulnerabilityIds',
  'cvssVector',
  'cvssScore',
  'location',
  'evidence',
  'remediation',
  'references',
  'tags',
  'fingerprint',
] as const;
/** Names of a location's fields. */
export const locationFields = [
  'path',
  'startLine',
  'startColumn',
  'endLine',
  'endColumn',
  'url',
  'method',
  'parameter',
  'component',
  'host',
] as const;

/** A field of a result and where it stands in the report. */
export type PlaceOf = (field: string) => { pointer?: string; line?: number; column?: number };

type Fields = Readonly<Record<string, unknown>>;

/**
 * @throws VALIDATION_FAILED with the place of a field that is missing or of another kind
 */
export function genericDraft(fields: Fields, placeOf: PlaceOf): DraftItem {
  const title = firstString(fields.title);
  if (title === null) throw reportError('has a result without a title', placeOf('title'));
  const severity = severityFromWord(fields.severity);
  if (severity === undefined)
    throw reportError(
      'has a result without a severity: INFO, LOW, MEDIUM, HIGH or CRITICAL',
      placeOf('severity'),
    );
  const text = (name: string) => textField(fields, name, placeOf);
  const list = (name: string) => listField(fields, name, placeOf);
  return {
    title,
    severity,
    description: text('description'),
    ruleId: text('ruleId'),
    cweIds: list('cweIds').flatMap((cwe) => numberOf(cwe) ?? cwesIn([wordOf(cwe)])),
    vulnerabilityIds: [...list('cveIds'), ...list('vulnerabilityIds')].map(String),
    cvssVector: text('cvssVector'),
    cvssScore: scoreField(fields, placeOf),
    location: locationField(fields.location, placeOf),
    evidence: text('evidence'),
    remediation: text('remediation'),
    references: list('references'),
    tags: list('tags'),
    toolFingerprint: text('fingerprint'),
  };
}

function textField(fields: Fields, name: string, placeOf: PlaceOf): string | null {
  const value = fields[name] ?? null;
  if (value !== null && typeof value !== 'string')
    throw reportError(`has a ${name} that is no text`, placeOf(name));
  return value;
}

function listField(fields: Fields, name: string, placeOf: PlaceOf): (string | number)[] {
  const value = fields[name] ?? [];
  const isList =
    Array.isArray(value) && value.every((entry) => typeof entry === 'string' || typeof entry === 'number');
  if (!isList) throw reportError(`has ${name} that are no list of texts or numbers`, placeOf(name));
  return value;
}

function scoreField({ cvssScore }: Fields, placeOf: PlaceOf): number | null {
  if (cvssScore == null || cvssScore === '') return null;
  const score = numberOf(cvssScore);
  if (score === undefined || score < 0 || score > 10)
    throw reportError('has a cvssScore that is no number from 0 to 10', placeOf('cvssScore'));
  return score;
}

function locationField(value: unknown, placeOf: PlaceOf): ItemLocation | null {
  if (value == null) return null;
  if (typeof value !== 'object' || Array.isArray(value))
    throw reportError('has a location that is no object', placeOf('location'));
  const fields = value as Fields;
  const location: Record<string, unknown> = {};
  for (const name of locationFields) {
    const given = fields[name] ?? null;
    if (given === null || given === '') continue;
    const isNumber = /Line|Column/.test(name);
    const number = numberOf(given);
    if (
      isNumber ? number === undefined || !Number.isInteger(number) || number < 1 : typeof given !== 'string'
    )
      throw reportError(
        `has a location.${name} that is no ${isNumber ? 'number from 1' : 'text'}`,
        placeOf(`location/${name}`),
      );
    location[name] = isNumber ? number : given;
  }
  return location;
}
