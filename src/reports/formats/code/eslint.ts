// ESLint's JSON, and secretlint's, which has the same shape: each message of a rule is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem, SeverityRank } from '../../item.js';
import { maskSecretIn } from '../../mask-secrets.js';
import { markUnread, type ReportNotes, skip, warn } from '../../notes.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { severityFromWord } from '../../severity.js';
import { firstString, numberOf, objectOf, textFrom } from '../../text.js';

export const eslint: ReportFormat = {
  format: 'ESLINT',
  detect: ({ keys, isArray }) =>
    isArray && keys.has('filePath') && (keys.has('messages') || keys.has('sourceContent')),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'ESLint';
  return readJsonItems(source, notes, (add) => {
    let file: string | null = null;
    let hasMessages = false;
    return {
      select: (path, kind) => {
        if (path.length === 1) {
          file = null;
          hasMessages = false;
        }
        hasMessages ||= path[1] === 'messages';
        // Only secretlint writes the whole source, secrets and all: it is passed over.
        if (path[1] === 'sourceContent') notes.facts.tool = 'secretlint';
        return selectIn(path, kind);
      },
      onValue: (value, path) => {
        if (path.length < 2) throw reportError('is no list of files', { pointer: pointerOf(path) });
        const message = objectOf(value) ?? {};
        if (path[1] === 'filePath') file = textFrom(value);
        else if (path[1] === 'suppressedMessages') skip(notes, 'suppressed');
        else if (message.fatal === true) noteUnread(file, notes, pointerOf(path));
        else if (firstString(message.ruleId) === null) skip(notes, 'notice without a rule');
        else add(draftOf(message, file), path);
      },
      onEnd: (path) => {
        if (path.length === 1 && !hasMessages)
          throw reportError('has a file without messages', { pointer: pointerOf(path) });
      },
    };
  });
}

function selectIn(path: JsonPath, kind: JsonKind): Selection {
  const [, key] = path;
  if (path.length < 2) return kind === (path.length === 0 ? 'array' : 'object') ? 'enter' : 'value';
  if (key === 'filePath') return 'value';
  if (key !== 'messages' && key !== 'suppressedMessages') return 'skip';
  return path.length === 2 && kind === 'array' ? 'enter' : 'value';
}

function noteUnread(file: string | null, notes: ReportNotes, pointer: string): void {
  if (file !== null) markUnread(notes, file);
  skip(notes, 'file that could not be read');
  warn(notes, `ESLint could not parse ${file ?? 'a file'}: its findings stay as they are.`, pointer);
}

function draftOf(message: Json, file: string | null): DraftItem {
  const range = objectOf(message.loc);
  const ruleId = firstString(message.ruleId);
  const messageId = range === undefined ? null : firstString(message.messageId);
  const title = withoutSecrets(textFrom(message.message) ?? '', message.data);
  return {
    title,
    severity: severityOf(message.severity),
    description: title,
    ruleId: messageId === null ? ruleId : `${ruleId}/${messageId}`,
    location: { path: file ?? undefined, ...(range === undefined ? linesOf(message) : linesIn(range)) },
    references: [message.docsUrl],
  };
}

/** As the levels of ESLint's SARIF: 2 is an error (HIGH), 1 a warning (MEDIUM); secretlint writes words. */
function severityOf(severity: unknown): SeverityRank {
  return severity === 2 ? 3 : (severityFromWord(severity) ?? 2);
}

/** secretlint puts what it found into `data`, masked or not. */
function withoutSecrets(text: string, data: unknown): string {
  const values = Object.values(objectOf(data) ?? {}).slice(0, 20);
  const secrets = values.filter((value) => typeof value === 'string');
  return secrets.reduce((masked, secret) => maskSecretIn(masked, secret), text);
}

function linesOf(message: Json): DraftItem['location'] {
  return {
    startLine: numberOf(message.line),
    startColumn: numberOf(message.column),
    endLine: numberOf(message.endLine),
    endColumn: numberOf(message.endColumn),
  };
}

/** secretlint counts columns from 0. */
function linesIn(range: Json): DraftItem['location'] {
  const [start, end] = [objectOf(range.start), objectOf(range.end)];
  const columnOf = (place: Json | undefined) => {
    const column = numberOf(place?.column);
    return column === undefined ? undefined : column + 1;
  };
  return {
    startLine: numberOf(start?.line),
    startColumn: columnOf(start),
    endLine: numberOf(end?.line),
    endColumn: columnOf(end),
  };
}
