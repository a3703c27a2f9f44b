// Semgrep's JSON: each result that no comment ignores is a finding; files with errors keep theirs.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem, SeverityRank } from '../../item.js';
import { markIncomplete, markUnread, markUnreadable, type ReportNotes, skip, warn } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { severityFromWord } from '../../severity.js';
import { firstString, lineOf, numberOf, objectOf, objectsOf, stringsOf, textFrom } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const semgrep: ReportFormat = {
  format: 'SEMGREP',
  detect: ({ keys }) =>
    keys.has('results.check_id') ||
    (keys.has('results') && keys.has('errors') && (keys.has('paths.scanned') || keys.has('skipped_rules'))) ||
    (keys.has('results') && keys.has('errors') && keys.has('version') && keys.has('paths')),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Semgrep';
  return readJsonItems(source, notes, (add) => {
    let hasResults = false;
    return {
      select: (path, kind) => {
        const [key] = path;
        if (path.length === 0) return 'enter';
        if (key === 'version') return 'value';
        hasResults ||= key === 'results' && kind === 'array';
        if (key !== 'results' && key !== 'errors') return 'skip';
        return path.length === 1 ? 'enter' : 'value';
      },
      onValue: (value, path) => {
        const entry = objectOf(value);
        if (path[0] === 'version') notes.facts.toolVersion = lineOf(value, 100);
        else if (path.length < 2 || entry === undefined)
          markUnreadable(notes, 'is no entry of Semgrep', pointerOf(path));
        else if (path[0] === 'errors') noteError(entry, notes, pointerOf(path));
        else if (objectOf(entry.extra)?.is_ignored === true) skip(notes, 'ignored by a comment');
        else add(draftOf(entry), path);
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasResults) markIncomplete(notes, 'The report has no results.', '/results');
      },
    };
  });
}

/** An error of a file keeps that file's findings, one of the whole run makes it incomplete. */
function noteError(error: Json, notes: ReportNotes, pointer: string): void {
  const spans = objectsOf(error.spans).map(({ file }) => file);
  const path = firstString(error.path, objectOf(error.location)?.path, ...spans);
  const message = (firstString(error.message, error.long_msg, error.short_msg) ?? 'unknown').slice(0, 200);
  if (path !== null) {
    markUnread(notes, path);
    warn(notes, `Semgrep could not wholly read ${path}: its findings stay as they are.`, pointer);
  } else if (error.level === 'error') markIncomplete(notes, `Semgrep reports an error: ${message}`, pointer);
  else warn(notes, `Semgrep warns: ${message}`, pointer);
}

function draftOf(result: Json): DraftItem {
  const extra = objectOf(result.extra) ?? {};
  const metadata = objectOf(extra.metadata) ?? {};
  const [start, end] = [objectOf(result.start), objectOf(result.end)];
  const ruleId = textFrom(result.check_id);
  const message = textFrom(extra.message);
  const lines = given(extra.lines);
  const labels = [...stringsOf(metadata.cwe), ...stringsOf(metadata.cve)];
  return {
    title: firstString(message?.split('\n', 1)[0], ruleId) ?? '',
    severity: severityOf(extra.severity, metadata),
    description: message,
    ruleId,
    cweIds: cwesIn(labels),
    vulnerabilityIds: idsIn([...labels, ...stringsOf(metadata['sca-vuln-database-identifier'])]),
    location: {
      path: textFrom(result.path) ?? undefined,
      startLine: numberOf(start?.line),
      startColumn: numberOf(start?.col),
      endLine: numberOf(end?.line),
      endColumn: numberOf(end?.col),
      component: componentOf(extra) ?? undefined,
    },
    evidence: lines,
    snippet: lines,
    remediation: typeof extra.fix === 'string' ? `Replace it with:\n${extra.fix}` : null,
    references: [...stringsOf(metadata.references), ...stringsOf(metadata.source)],
    tags: [...stringsOf(metadata.owasp), ...stringsOf(metadata.category), ...stringsOf(metadata.technology)],
    toolFingerprint: given(extra.fingerprint),
  };
}

/** Semgrep's own words: ERROR is high, WARNING medium, INFO low; newer rules say CRITICAL, HIGH, MEDIUM, LOW. */
function severityOf(severity: unknown, metadata: Json): SeverityRank {
  const word = textFrom(severity)?.toUpperCase();
  if (word === 'INFO') return 1;
  if (word === 'INVENTORY' || word === 'EXPERIMENT') return 0;
  return severityFromWord(word) ?? severityFromWord(metadata.severity) ?? 2;
}

/** Without a login Semgrep writes `requires login` in place of lines and fingerprints. */
function given(value: unknown): string | null {
  return typeof value === 'string' && value !== 'requires login' && value.trim() !== '' ? value : null;
}

function componentOf(extra: Json): string | null {
  const match = objectOf(objectOf(extra.sca_info)?.dependency_match);
  const found = objectOf(match?.found_dependency);
  const name = firstString(found?.package);
  return name === null ? null : [name, firstString(found?.version)].filter(Boolean).join('@');
}
