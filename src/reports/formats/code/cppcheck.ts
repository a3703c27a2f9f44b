// Cppcheck's XML (version 2): each error is a finding at its first location, which is the symptom.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnread, type ReportNotes, skip, warn } from '../../notes.js';
import { childOf, childrenOf, type XmlElement } from '../../read/xml-element.js';
import { readXmlItems } from '../../read/xml-reader.js';
import { severityFromWord } from '../../severity.js';
import { lineOf, numberOf } from '../../text.js';

export const cppcheck: ReportFormat = {
  format: 'CPPCHECK_XML',
  detect: ({ xmlRoot, text }) => xmlRoot === 'results' && text.includes('<cppcheck'),
  read,
};

/** Faults of a run that leave a file unread. */
const faultIds = new Set([
  'syntaxError',
  'preprocessorErrorDirective',
  'unknownMacro',
  'cppcheckError',
  'internalError',
  'internalAstError',
  'noValidConfiguration',
]);

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Cppcheck';
  return readXmlItems(source, notes, (add) => ({
    roots: ['results'],
    select: (path, attributes) => {
      if (path.length === 2 && path[1] === 'cppcheck')
        notes.facts.toolVersion = lineOf(attributes.version, 100);
      if (path.length === 1 || (path.length === 2 && path[1] === 'errors')) return 'enter';
      return path.length === 3 && path[2] === 'error' ? 'element' : 'skip';
    },
    onElement: (element) => {
      const { id = '', severity } = element.attributes;
      if (faultIds.has(id)) noteUnread(element, notes);
      else if (severity === 'information' || severity === 'debug' || severity === 'none')
        skip(notes, 'information about the run');
      else add(draftOf(element), element.place);
    },
    onTruncated: (place) => markIncomplete(notes, 'The report ends too early.', place),
  }));
}

function noteUnread(element: XmlElement, notes: ReportNotes): void {
  const file = childOf(element, 'location')?.attributes.file ?? element.attributes.file0;
  const message = element.attributes.msg ?? element.attributes.id ?? '';
  if (file === undefined || file === '') {
    markIncomplete(notes, `Cppcheck reports an error: ${message}`, element.place);
    return;
  }
  markUnread(notes, file);
  skip(notes, 'file that could not be read');
  warn(notes, `Cppcheck could not read ${file}, its findings stay as they are: ${message}`, element.place);
}

function draftOf(element: XmlElement): DraftItem {
  const { id, msg, verbose, severity, cwe, inconclusive } = element.attributes;
  const [first, ...others] = childrenOf(element, 'location');
  return {
    title: msg ?? id ?? '',
    severity: severityFromWord(severity) ?? 2,
    description: [verbose ?? msg, ...others.map(stepOf)].filter(Boolean).join('\n'),
    ruleId: id,
    cweIds: [numberOf(cwe) ?? 0],
    location:
      first === undefined
        ? null
        : {
            path: first.attributes.file,
            startLine: numberOf(first.attributes.line),
            startColumn: numberOf(first.attributes.column),
          },
    tags: [severity, inconclusive === 'true' ? 'inconclusive' : null],
  };
}

function stepOf({ attributes: { file, line, info } }: XmlElement): string {
  return `${file}:${line}${info === undefined ? '' : `: ${info}`}`;
}
