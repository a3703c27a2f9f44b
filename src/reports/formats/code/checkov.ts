// Checkov's JSON (infrastructure as code, secrets, packages): each failed check is a finding.
import { cvssVectorOf } from '../../cvss.js';
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnread, markUnreadable, type ReportNotes, skip, warn } from '../../notes.js';
import type { JsonKind, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { severityFromScore, severityFromWord } from '../../severity.js';
import { firstString, lineOf, numberOf, objectOf, paragraphs, textFrom, wordOf } from '../../text.js';
import { idsIn } from '../../vulnerability-ids.js';

export const checkov: ReportFormat = {
  format: 'CHECKOV',
  detect: ({ keys }) =>
    keys.has('checkov_version') || (keys.has('check_type') && (keys.has('results') || keys.has('summary'))),
  read,
};

type Json = Record<string, unknown>;

const lists = new Set(['passed_checks', 'failed_checks', 'skipped_checks', 'parsing_errors']);

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'checkov';
  return readJsonItems(source, notes, (add) => {
    let reports = 0;
    return {
      select: (path, kind) => selectIn(path.filter(isKey), path.length, kind),
      onValue: (value, path) => {
        const [section, list] = path.filter(isKey);
        if (section === undefined) throw reportError('is no report of Checkov', { pointer: pointerOf(path) });
        if (section === 'checkov_version' || list === 'checkov_version')
          notes.facts.toolVersion = lineOf(value, 100);
        else if (list === 'failed_checks') {
          const check = objectOf(value);
          if (check === undefined) markUnreadable(notes, 'is no check', pointerOf(path));
          else add(draftOf(check), path);
        } else if (list === 'parsing_errors') noteUnread(value, notes, pointerOf(path));
        else skip(notes, list === 'skipped_checks' ? 'suppressed' : 'passed');
      },
      onEnd: (path) => {
        if (path.at(-1) === 'results') reports += 1;
        if (path.length === 0 && reports === 0)
          markIncomplete(notes, 'Checkov found nothing that it could scan.', '');
      },
    };
  });
}

function isKey(part: string | number): part is string {
  return typeof part === 'string';
}

/** One report stands alone, several in a list. */
function selectIn(keys: readonly string[], depth: number, kind: JsonKind): Selection {
  const [section, list] = keys;
  if (section === undefined) return kind === 'scalar' || depth > 1 ? 'value' : 'enter';
  if (section === 'checkov_version') return 'value';
  if (section === 'summary')
    return keys.length === 1 ? 'enter' : list === 'checkov_version' ? 'value' : 'skip';
  if (section !== 'results') return 'skip';
  if (keys.length === 1) return 'enter';
  if (!lists.has(list ?? '')) return 'skip';
  return isListItself(keys, depth) && kind === 'array' ? 'enter' : 'value';
}

function isListItself(keys: readonly string[], depth: number): boolean {
  return keys.length === 2 && depth <= 3;
}

function noteUnread(value: unknown, notes: ReportNotes, pointer: string): void {
  const path = textFrom(value)?.replace(/^\/+/, '');
  if (path === undefined || path === '') return;
  markUnread(notes, path);
  warn(notes, `Checkov could not parse ${path}: its findings stay as they are.`, pointer);
}

function draftOf(check: Json): DraftItem {
  const range = Array.isArray(check.file_line_range) ? check.file_line_range.map(numberOf) : [];
  const code = codeOf(check.code_block);
  const details = objectOf(check.vulnerability_details);
  const score = numberOf(details?.cvss);
  const name = firstString(check.check_name, check.check_id);
  return {
    title: name ?? '',
    severity:
      severityFromWord(check.severity) ??
      severityFromWord(details?.severity) ??
      (score === undefined ? 2 : severityFromScore(score)),
    description: paragraphs(check.short_description, check.description, details?.description, name),
    ruleId: firstString(check.check_id, check.bc_check_id),
    vulnerabilityIds: idsIn([textFrom(details?.id) ?? '']),
    cvssScore: score ?? null,
    cvssVector: cvssVectorOf(details?.vector),
    location: {
      path: firstString(check.file_path, check.repo_file_path)?.replace(/^\/+/, ''),
      startLine: range[0],
      endLine: range[1],
      component: componentOf(check, details) ?? undefined,
    },
    evidence: code,
    snippet: code,
    references: [check.guideline, details?.link],
  };
}

function componentOf(check: Json, details: Json | undefined): string | null {
  const name = firstString(details?.package_name);
  if (name === null) return firstString(check.resource);
  return [name, firstString(details?.package_version)].filter(Boolean).join('@');
}

/** Lines as [number, text]. */
function codeOf(block: unknown): string | null {
  if (!Array.isArray(block) || block.length === 0) return null;
  return block.map((line) => (Array.isArray(line) ? wordOf(line[1]) : '')).join('');
}
