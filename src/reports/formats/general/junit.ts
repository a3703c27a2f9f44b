// JUnit's XML, which many scanners write: each test case with a failure or an error is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ItemLocation, ReportItem, SeverityRank } from '../../item.js';
import { type ReportNotes, skip } from '../../notes.js';
import { childOf, type XmlElement } from '../../read/xml-element.js';
import { readXmlItems } from '../../read/xml-reader.js';
import { severityFromWord } from '../../severity.js';
import { firstString, lineOf, numberOf, paragraphs } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const junit: ReportFormat = {
  format: 'JUNIT',
  detect: ({ xmlRoot }) => xmlRoot === 'testsuites' || xmlRoot === 'testsuite',
  read,
};

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  return readXmlItems(source, notes, (add) => {
    let suite = '';
    return {
      roots: ['testsuites', 'testsuite'],
      select: (path, attributes) => {
        const name = path.at(-1);
        if (path.length === 1) stateTool(attributes.name, notes);
        if (name === 'testsuite') suite = attributes.name ?? '';
        if (name === 'testsuites' || name === 'testsuite') return 'enter';
        return name === 'testcase' ? 'element' : 'skip';
      },
      onElement: (test) => {
        const fault = childOf(test, 'failure') ?? childOf(test, 'error');
        if (fault !== undefined) add(draftOf(test, fault, suite), test.place);
        else skip(notes, childOf(test, 'skipped') === undefined ? 'passed' : 'skipped test');
      },
    };
  });
}

/** Patterns look into the name: it is bounded. */
function nameOf(test: XmlElement): string {
  return (test.attributes.name ?? '').slice(0, 2000);
}

/** The root's name where it is a tool's, with its version behind it: `PHP_CodeSniffer 3.7.1`. */
function stateTool(name: string | undefined, notes: ReportNotes): void {
  const [, tool, version] =
    /^([A-Za-z][\w .+-]{0,80}?)(?: v?(\d[\w.-]{0,40}))?$/.exec(name?.trim() ?? '') ?? [];
  notes.facts.tool = lineOf(tool ?? 'JUnit', 200);
  notes.facts.toolVersion = version ?? null;
}

function draftOf(test: XmlElement, fault: XmlElement, suite: string): DraftItem {
  const { classname } = test.attributes;
  const name = nameOf(test);
  const { message, type, more_info: moreInfo } = fault.attributes;
  const text = fault.text.trim();
  const labels = [message ?? '', name, text.slice(0, 1000)];
  return {
    title: firstString(message?.split('\n', 1)[0], text.split('\n', 1)[0], name) ?? '',
    severity: severityOf(type, text),
    description: paragraphs(text.includes(message ?? '') ? null : message, text),
    ruleId: ruleOf(name, text),
    cweIds: cwesIn(labels),
    vulnerabilityIds: idsIn(labels),
    location: locationOf(test, text, suite),
    references: [moreInfo],
    tags: [suite, isPath(classname) ? null : (classname ?? null)],
  };
}

/** The type where it names a severity, a severity in the text (`Severity: HIGH`, `line 1, col 2, Error - …`), else MEDIUM. */
function severityOf(type: string | undefined, text: string): SeverityRank {
  const head = text.slice(0, 2000);
  const stated =
    /\bseverity\s{0,3}[:=]\s{0,3}"?([a-z]{2,20})/i.exec(head) ??
    /^line \d{1,9}, col \d{1,9}, ([A-Za-z]{2,20}) -/.exec(head);
  return severityFromWord(type) ?? severityFromWord(stated?.[1]) ?? 2;
}

/** The test's name without the place that some tools put into it: `Rule at /a.php (1:7)`. */
function ruleOf(name: string, text: string): string | null {
  const id = /\bTest ID: ([\w.-]{1,100})/.exec(text)?.[1];
  return firstString(id, name.replace(/ at [^()]{1,1000} \(\d{1,9}:\d{1,9}\)$/, ''));
}

function locationOf(test: XmlElement, text: string, suite: string): ItemLocation {
  const { file, line, classname } = test.attributes;
  const name = nameOf(test);
  const head = text.slice(0, 2000);
  const inName = / at ([^()]{1,1000}) \((\d{1,9}):(\d{1,9})\)$/.exec(name);
  const inText = /^Location (.{1,1000}):(\d{1,9})$/m.exec(head);
  const lines = /\bline (\d{1,9}), col(?:umn)? (\d{1,9})/i.exec(head);
  const path = firstString(file, inName?.[1], inText?.[1], ...[suite, classname].filter(isPath));
  return {
    path: path ?? undefined,
    startLine: numberOf(line ?? inName?.[2] ?? inText?.[2] ?? lines?.[1]),
    startColumn: numberOf(inName?.[3] ?? lines?.[2]),
    component: isPath(classname) ? undefined : classname,
  };
}

function isPath(text: string | undefined): boolean {
  return text !== undefined && /[\\/]|\.[a-z]{1,10}$/i.test(text) && !/^https?:/i.test(text);
}
