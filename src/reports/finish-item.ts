// Turns a format's draft into a result within all limits, with its secrets masked; notes each cut.

import { isSyntaxError } from './formats/syntax-errors.js';
import { type DraftItem, type ItemLocation, itemLimits, type ReportItem } from './item.js';
import { maskSecrets } from './mask-secrets.js';
import { markUnread, type ReportNotes, warn } from './notes.js';
import { cut, lineOf, textFrom, textOf } from './text.js';

const maxInt = 2_147_483_647;

/** Takes a warning about a limit. */
type Note = (message: string) => void;

/** Where the result stands in the report; a function where it costs something to say. */
export type Pointer = string | (() => string);

/**
 * Applies the limits to a draft.
 * @param pointer where the result stands in the report, for warnings
 */
export function finishItem(draft: DraftItem, notes: ReportNotes, pointer: Pointer): ReportItem {
  const note: Note = (message) => warn(notes, message, typeof pointer === 'string' ? pointer : pointer());
  const ids = vulnerabilityIdsOf(draft, note);
  const evidence = masked('evidence', bounded('evidence', draft.evidence, textOf, note));
  const title =
    bounded('title', draft.title, lineOf, note) ?? lineOf(draft.ruleId, itemLimits.title) ?? 'Untitled';
  const ruleId = bounded('ruleId', draft.ruleId, lineOf, note);
  const location = draft.location == null ? null : locationOf(draft.location, note);
  if (location?.path !== undefined && isSyntaxError(ruleId, notes.facts.tool))
    markUnread(notes, location.path);
  return {
    title: cut(maskSecrets(title), itemLimits.title),
    severity: draft.severity,
    description: masked('description', bounded('description', draft.description, textOf, note)),
    ruleId,
    cweIds: cweIdsOf(draft, note),
    cveIds: ids.length === 0 ? [] : ids.filter((id) => id.startsWith('CVE-')),
    vulnerabilityIds: ids.length === 0 ? [] : ids.filter((id) => !id.startsWith('CVE-')),
    cvssVector: lineOf(draft.cvssVector, itemLimits.cvssVector),
    cvssScore: scoreOf(draft.cvssScore),
    location,
    evidence,
    remediation: remediationOf(draft.remediation, notes, note),
    references: listOf('references', draft.references, itemLimits.reference, note),
    tags: listOf('tags', draft.tags, itemLimits.tag, note),
    toolFingerprint: lineOf(draft.toolFingerprint, itemLimits.toolFingerprint),
    snippet: snippetOf(draft, evidence),
  };
}

function bounded(
  name: keyof typeof itemLimits,
  value: unknown,
  make: typeof lineOf,
  note: Note,
): string | null {
  if (value == null) return null;
  const max = itemLimits[name];
  const text = make(value, max);
  // Only a text of the full length can have been cut.
  if (
    text !== null &&
    text.length >= max - 1 &&
    (textFrom(value)?.trim().length ?? 0) > max &&
    text.endsWith('…')
  )
    note(`${name} was cut to ${max} characters`);
  return text;
}

/** A mask may be longer than a short secret. */
function masked(name: 'description' | 'evidence' | 'remediation', text: string | null): string | null {
  return text === null ? null : cut(maskSecrets(text), itemLimits[name]);
}

/** Most results have the evidence for their snippet, which is masked already. */
function snippetOf({ snippet, evidence }: DraftItem, finished: string | null): string | null {
  if (snippet == null) return null;
  const isEvidence = snippet === evidence && finished !== null;
  const text = isEvidence ? finished : maskSecrets(cut(snippet, itemLimits.evidence));
  return cut(text, itemLimits.snippet);
}

// Advice is a rule's: the results of one rule share its text, which is finished once.
const remediations = new WeakMap<ReportNotes, Map<string, string | null>>();
const maxRemediations = 500;

function remediationOf(value: string | null | undefined, notes: ReportNotes, note: Note): string | null {
  if (value == null) return null;
  if (value.length > itemLimits.remediation)
    return masked('remediation', bounded('remediation', value, textOf, note));
  let known = remediations.get(notes);
  if (known === undefined || known.size >= maxRemediations) {
    known = new Map();
    remediations.set(notes, known);
  }
  const found = known.get(value);
  if (found !== undefined) return found;
  const text = masked('remediation', textOf(value, itemLimits.remediation));
  known.set(value, text);
  return text;
}

function cweIdsOf({ cweIds }: DraftItem, note: Note): number[] {
  if (cweIds === undefined || cweIds.length === 0) return [];
  if (cweIds.length === 1) return isCwe(cweIds[0] ?? 0) ? [cweIds[0] ?? 0] : [];
  return kept('cweIds', [...new Set(cweIds)].filter(isCwe), note);
}

function isCwe(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= 99_999;
}

function scoreOf(score: number | null | undefined): number | null {
  if (score == null || !Number.isFinite(score) || score < 0 || score > 10) return null;
  return Math.round(score * 10) / 10;
}

/** CVE ids in capitals, others as they are written but for blanks; each once, in order. */
function vulnerabilityIdsOf({ vulnerabilityIds = [] }: DraftItem, note: Note): string[] {
  if (vulnerabilityIds.length === 0) return [];
  const ids = vulnerabilityIds.flatMap((given) => {
    const id = lineOf(given, itemLimits.vulnerabilityId);
    if (id === null || /\s/.test(id)) return [];
    return [/^cve-\d{4}-\d{4,19}$/i.test(id) ? id.toUpperCase() : id];
  });
  return kept('vulnerabilityIds', [...new Set(ids)], note);
}

const sharedLists = new WeakMap<readonly string[], { lines: string[] | undefined }>();

/** Marks a list that many drafts share as references or as tags, so that it is finished once. */
export function shareList(values: readonly string[]): readonly string[] {
  sharedLists.set(values, { lines: undefined });
  return values;
}

function listOf(
  name: 'references' | 'tags',
  values: readonly unknown[] | undefined,
  max: number,
  note: Note,
): string[] {
  if (values === undefined || values.length === 0) return [];
  const shared = sharedLists.get(values as readonly string[]);
  let lines = shared?.lines;
  if (lines === undefined) {
    lines = [...new Set(values.flatMap((value) => lineOf(value, max) ?? []))].map((line) =>
      cut(maskSecrets(line), max),
    );
    if (shared !== undefined) shared.lines = lines;
  }
  return kept(name, lines, note);
}

function kept<T>(name: 'cweIds' | 'references' | 'tags' | 'vulnerabilityIds', values: T[], note: Note): T[] {
  const max = itemLimits[name];
  if (values.length <= max) return values;
  note(`kept ${max} of ${values.length} ${name}`);
  return values.slice(0, max);
}

const textFields = ['path', 'url', 'method', 'parameter', 'component', 'host'] as const;
const numberFields = ['startLine', 'startColumn', 'endLine', 'endColumn'] as const;

/** Half an address is none: what is too long is left out and noted. */
function locationOf(draft: ItemLocation, note: Note): ItemLocation | null {
  const location: ItemLocation = {};
  let isEmpty = true;
  for (const name of textFields) {
    if (draft[name] === undefined) continue;
    const line = lineOf(draft[name], Number.MAX_SAFE_INTEGER);
    if (line === null) continue;
    const isShort = line.length <= itemLimits[name];
    const text = isShort && (name === 'url' || name === 'host') ? maskSecrets(line) : line;
    if (text.length > itemLimits[name]) {
      note(`location.${name} was left out: it has more than ${itemLimits[name]} characters`);
      continue;
    }
    location[name] = text;
    isEmpty = false;
  }
  for (const name of numberFields) {
    const value = draft[name];
    if (value === undefined || !Number.isInteger(value) || value < 1 || value > maxInt) continue;
    location[name] = value;
    isEmpty = false;
  }
  return isEmpty ? null : location;
}
