// GitLab's reports: SAST, DAST, dependency, container and cluster image scanning, secret detection, and code quality.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, warn } from '../../notes.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { firstString, lineOf, objectOf, textFrom, wordOf } from '../../text.js';
import { qualityDraft } from './gitlab-quality.js';
import { vulnerabilityDraft } from './gitlab-vulnerability.js';

export const gitlab: ReportFormat = {
  format: 'GITLAB',
  detect: ({ keys, isArray }) =>
    isArray
      ? keys.has('description') &&
        keys.has('location.path') &&
        (keys.has('fingerprint') || keys.has('check_name'))
      : keys.has('vulnerabilities') && marks.some((key) => keys.has(key)),
  read,
};

// Keys that GitLab's reports have beside their vulnerabilities, or in them.
const marks = [
  'scan.scanner',
  'scan.status',
  'remediations',
  'dependency_files',
  'vulnerabilities.identifiers',
];

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  return readJsonItems(source, notes, (add) => {
    let hasList = false;
    return {
      select: (path, kind) => {
        hasList ||= kind === 'array' && (path.length === 0 || path[0] === 'vulnerabilities');
        return selectIn(path, kind);
      },
      onValue: (value, path) => {
        const pointer = pointerOf(path);
        const entry = objectOf(value);
        if (path[0] === 'scan') readScan(path, value, notes);
        else if (entry === undefined || path.length === 0)
          throw reportError('has an entry that is no object', { pointer });
        else if (typeof path[0] === 'number') {
          if (firstString(entry.description, entry.check_name) === null)
            throw reportError('has an issue without a description', { pointer });
          add(qualityDraft(entry), path);
        } else if (path.length === 2) {
          notes.facts.tool ??= lineOf(objectOf(entry.scanner)?.name, 200);
          add(vulnerabilityDraft(entry), path);
        } else throw reportError('has vulnerabilities that are no list', { pointer });
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasList)
          markIncomplete(
            notes,
            'The report has no vulnerabilities: nothing was scanned.',
            '/vulnerabilities',
          );
      },
    };
  });
}

function selectIn(path: JsonPath, kind: JsonKind): Selection {
  const [section, key, field] = path;
  if (path.length === 0) return kind === 'scalar' ? 'value' : 'enter';
  if (typeof section === 'number') return 'value';
  if (section === 'vulnerabilities') return path.length === 1 && kind === 'array' ? 'enter' : 'value';
  if (section !== 'scan') return 'skip';
  if (path.length === 1) return kind === 'object' ? 'enter' : 'skip';
  if (key === 'status' || key === 'messages') return 'value';
  if (key !== 'scanner') return 'skip';
  if (path.length === 2) return kind === 'object' ? 'enter' : 'skip';
  return field === 'name' || field === 'version' ? 'value' : 'skip';
}

function readScan(path: JsonPath, value: unknown, notes: ReportNotes): void {
  const [, key, field] = path;
  if (field === 'name') notes.facts.tool = lineOf(value, 200);
  else if (field === 'version') notes.facts.toolVersion = lineOf(value, 100);
  else if (key === 'status' && value !== 'success')
    markIncomplete(
      notes,
      `The scan did not succeed: its status is ${textFrom(value) ?? 'unknown'}.`,
      pointerOf(path),
    );
  else if (key === 'messages' && Array.isArray(value))
    for (const [index, message] of value.entries()) {
      const { level, value: text } = objectOf(message) ?? {};
      if (level === 'fatal' || level === 'warn' || level === 'error')
        warn(notes, firstString(text) ?? wordOf(level), `${pointerOf(path)}/${index}`);
    }
}
