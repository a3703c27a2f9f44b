// Nuclei's JSON lines or list, with the names of version 2.9 and later or earlier ones: each match is a finding.
import { cvssVectorOf } from '../../cvss.js';
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ItemLocation, ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip, warn } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { severityFromWord } from '../../severity.js';
import { firstString, labelsOf, numberOf, objectOf, paragraphs, stringsOf } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const nuclei: ReportFormat = {
  format: 'NUCLEI',
  detect: ({ keys }) => (keys.has('template-id') || keys.has('templateID')) && keys.has('info'),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Nuclei';
  return readJsonItems(source, notes, (add) => ({
    isNdjson: true,
    select: (path, kind) => (path.length === 0 && kind === 'array' ? 'enter' : 'value'),
    onValue: (value, path) => {
      const match = objectOf(value);
      const id = firstString(match?.['template-id'], match?.templateID);
      if (match === undefined || id === null)
        throw reportError('has a line that is no match of a template', { pointer: pointerOf(path) });
      if (match['matcher-status'] === false || match.matcher_status === false) skip(notes, 'no match');
      else add(draftOf(match, id), path);
    },
    // A killed scan leaves half a line.
    onTruncated: (path) => markIncomplete(notes, 'The report ends too early.', pointerOf(path)),
    onEmpty: () => warn(notes, 'The report is empty, which Nuclei writes when nothing matched.'),
  }));
}

function draftOf(match: Json, id: string): DraftItem {
  const info = objectOf(match.info) ?? {};
  const classification = objectOf(info.classification) ?? {};
  const matcher = firstString(match['matcher-name'], match.matcher_name);
  const name = firstString(info.name) ?? id;
  const tags = labelsOf(info.tags);
  const extracted = stringsOf(match['extracted-results'] ?? match.extracted_results);
  const cves = labelsOf(classification['cve-id']);
  return {
    title: matcher === null ? name : `${name}: ${matcher}`,
    severity: severityFromWord(info.severity) ?? 0,
    description: paragraphs(info.description, info.impact),
    // As Nuclei prints it.
    ruleId: matcher === null ? id : `${id}:${matcher}`,
    cweIds: cwesIn(labelsOf(classification['cwe-id'])),
    vulnerabilityIds: idsIn(cves.length > 0 ? cves : [id]),
    cvssVector: cvssVectorOf(classification['cvss-metrics']),
    cvssScore: numberOf(classification['cvss-score']) ?? null,
    location: locationOf(match),
    evidence: paragraphs(
      extracted.length === 0 ? null : `Extracted: ${extracted.join(', ')}`,
      match.request,
      match.response,
    ),
    remediation: firstString(info.remediation),
    references: referencesOf(info.reference),
    tags,
  };
}

/** A URL, or a host with its port. */
function locationOf(match: Json): ItemLocation {
  const at = firstString(match['matched-at'], match.matched, match.url, match.host);
  const location: ItemLocation = { parameter: firstString(match.fuzzing_parameter) ?? undefined };
  if (at !== null && /^https?:\/\//i.test(at) && URL.canParse(at)) {
    location.url = at;
    location.host = new URL(at).host;
  } else location.host = at ?? undefined;
  return location;
}

/** A list, or a text with one address in each line, with or without a hyphen. */
function referencesOf(reference: unknown): string[] {
  return labelsOf(reference, /\n/).map((line) => line.replace(/^-\s*/, ''));
}
