// Bandit's JSON (Python): each result is a finding; files that it could not parse keep their findings.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnread, markUnreadable, type ReportNotes, skip, warn } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { severityFromWord } from '../../severity.js';
import { firstString, numberOf, objectOf, textFrom, wordOf } from '../../text.js';

export const bandit: ReportFormat = {
  format: 'BANDIT',
  detect: ({ keys }) => keys.has('metrics._totals') && keys.has('generated_at'),
  read,
};

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Bandit';
  return readJsonItems(source, notes, (add) => {
    let hasResults = false;
    return {
      select: (path, kind) => {
        if (path.length === 0) return 'enter';
        const isList = path[0] === 'results' || path[0] === 'errors';
        hasResults ||= path[0] === 'results' && kind === 'array';
        return isList ? (path.length === 1 ? 'enter' : 'value') : 'skip';
      },
      onValue: (value, path) => {
        const entry = objectOf(value);
        if (path.length < 2 || entry === undefined)
          markUnreadable(notes, 'is no entry of Bandit', pointerOf(path));
        else if (path[0] === 'results') add(draftOf(entry), path);
        else noteError(entry, notes, pointerOf(path));
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasResults) markIncomplete(notes, 'The report has no results.', '/results');
      },
    };
  });
}

function noteError({ filename, reason }: Record<string, unknown>, notes: ReportNotes, pointer: string): void {
  const path = firstString(filename);
  if (path === null) {
    markIncomplete(notes, `Bandit reports an error: ${textFrom(reason) ?? 'unknown'}`, pointer);
    return;
  }
  markUnread(notes, path);
  skip(notes, 'file that could not be read');
  warn(notes, `Bandit could not read ${path}: its findings stay as they are.`, pointer);
}

function draftOf(result: Record<string, unknown>): DraftItem {
  const line = numberOf(result.line_number);
  const range = Array.isArray(result.line_range) ? result.line_range.map(numberOf) : [];
  const column = numberOf(result.col_offset);
  const code = textFrom(result.code);
  const confidence = textFrom(result.issue_confidence)?.toLowerCase();
  return {
    title: textFrom(result.issue_text) ?? wordOf(result.test_name),
    severity: severityFromWord(result.issue_severity) ?? 2,
    description: textFrom(result.issue_text),
    ruleId: firstString(result.test_id, result.test_name),
    cweIds: [numberOf(objectOf(result.issue_cwe)?.id) ?? 0],
    location: {
      path: textFrom(result.filename) ?? undefined,
      startLine: line,
      endLine: range.at(-1),
      // Bandit counts columns from 0, and writes -1 where it knows none.
      startColumn: column === undefined ? undefined : column + 1,
    },
    evidence: code,
    snippet: snippetOf(code, line),
    references: [result.more_info, objectOf(result.issue_cwe)?.link],
    tags: confidence === undefined ? [] : [`confidence:${confidence}`],
  };
}

/**
 * The line of the result without the number that Bandit puts in front of it.
 * The range is no use for it: it reaches over blank lines to the next statement.
 */
function snippetOf(code: string | null, line: number | undefined): string | null {
  for (const text of code?.split('\n') ?? []) {
    const [, number, rest] = /^(\d{1,9}) (.*)$/.exec(text) ?? [];
    if (rest !== undefined && Number(number) === line) return rest;
  }
  return null;
}
