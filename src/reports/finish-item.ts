// Turns a format's draft into a result within all limits; says in the notes where a limit took something away.
import { type DraftItem, type ItemLocation, itemLimits, type ReportItem } from './item.js';
import { maskSecrets } from './mask-secrets.js';
import { type ReportNotes, warn } from './notes.js';
import { cut, lineOf, textFrom, textOf } from './text.js';

const maxInt = 2_147_483_647;

/**
 * Applies the limits to a draft.
 * @param pointer where the result stands in the report, for warnings
 */
export function finishItem(draft: DraftItem, notes: ReportNotes, pointer: string): ReportItem {
  const note = (message: string) => warn(notes, message, pointer);
  const bounded = (name: keyof typeof itemLimits, value: unknown, make: typeof lineOf) => {
    const max = itemLimits[name];
    const text = make(value, max);
    if (text !== null && (textFrom(value)?.trim().length ?? 0) > max && text.endsWith('…'))
      note(`${name} was cut to ${max} characters`);
    return text;
  };
  const ids = vulnerabilityIdsOf(draft, note);
  return {
    title: bounded('title', draft.title, lineOf) ?? lineOf(draft.ruleId, itemLimits.title) ?? 'Untitled',
    severity: draft.severity,
    description: masked(bounded('description', draft.description, textOf)),
    ruleId: bounded('ruleId', draft.ruleId, lineOf),
    cweIds: kept('cweIds', [...new Set(draft.cweIds)].filter(isCwe), note),
    cveIds: ids.filter((id) => id.startsWith('CVE-')),
    vulnerabilityIds: ids.filter((id) => !id.startsWith('CVE-')),
    cvssVector: lineOf(draft.cvssVector, itemLimits.cvssVector),
    cvssScore: scoreOf(draft.cvssScore),
    location: locationOf(draft.location ?? {}, note),
    evidence: masked(bounded('evidence', draft.evidence, textOf)),
    remediation: bounded('remediation', draft.remediation, textOf),
    references: kept('references', unique(draft.references, itemLimits.reference), note),
    tags: kept('tags', unique(draft.tags, itemLimits.tag), note),
    toolFingerprint: lineOf(draft.toolFingerprint, itemLimits.toolFingerprint),
    snippet: draft.snippet == null ? null : cut(draft.snippet, itemLimits.snippet),
  };
}

function masked(text: string | null): string | null {
  return text === null ? null : maskSecrets(text);
}

function isCwe(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= 99_999;
}

function scoreOf(score: number | null | undefined): number | null {
  if (score == null || !Number.isFinite(score) || score < 0 || score > 10) return null;
  return Math.round(score * 10) / 10;
}

/** CVE ids in capitals, others as they are written but for blanks; each once, in order. */
function vulnerabilityIdsOf({ vulnerabilityIds = [] }: DraftItem, note: (message: string) => void): string[] {
  const ids = vulnerabilityIds.flatMap((given) => {
    const id = lineOf(given, itemLimits.vulnerabilityId);
    if (id === null || /\s/.test(id)) return [];
    return [/^cve-\d{4}-\d{4,19}$/i.test(id) ? id.toUpperCase() : id];
  });
  return kept('vulnerabilityIds', [...new Set(ids)], note);
}

function unique(values: readonly unknown[] = [], max: number): string[] {
  return [...new Set(values.flatMap((value) => lineOf(value, max) ?? []))];
}

function kept<T>(
  name: 'cweIds' | 'references' | 'tags' | 'vulnerabilityIds',
  values: T[],
  note: (message: string) => void,
): T[] {
  const max = itemLimits[name];
  if (values.length <= max) return values;
  note(`kept ${max} of ${values.length} ${name}`);
  return values.slice(0, max);
}

/** Half an address is none: what is too long is left out and noted. */
function locationOf(draft: ItemLocation, note: (message: string) => void): ItemLocation | null {
  const location: ItemLocation = {};
  for (const name of ['path', 'url', 'method', 'parameter', 'component', 'host'] as const) {
    const text = lineOf(draft[name], Number.MAX_SAFE_INTEGER);
    if (text === null) continue;
    if (text.length <= itemLimits[name]) location[name] = text;
    else note(`location.${name} was left out: it has more than ${itemLimits[name]} characters`);
  }
  for (const name of ['startLine', 'startColumn', 'endLine', 'endColumn'] as const) {
    const value = draft[name];
    if (value !== undefined && Number.isInteger(value) && value >= 1 && value <= maxInt)
      location[name] = value;
  }
  return Object.keys(location).length === 0 ? null : location;
}
