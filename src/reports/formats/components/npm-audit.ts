// Audit reports of npm (7 and later, and 6), pnpm, Yarn and Bun: each advisory of a package is a finding.
import { cvssVectorOf } from '../../cvss.js';
import type { ReportFormat, ReportHead, ReportSource } from '../../format.js';
import { addressesIn } from '../../html.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnreadable, type ReportNotes, skip, warn } from '../../notes.js';
import type { JsonHandler, JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { type AddItem, readJsonItems } from '../../read/read-json.js';
import { severityFromWord } from '../../severity.js';
import { firstString, numberOf, objectOf, objectsOf, paragraphs, stringsOf, textFrom } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const npmAudit: ReportFormat = { format: 'NPM_AUDIT', detect, read };

type Json = Record<string, unknown>;

function detect({ keys, values, isArray }: ReportHead): boolean {
  if (isArray) return false;
  const has = (...needed: string[]) => needed.every((key) => keys.has(key));
  return (
    has('auditReportVersion') ||
    (has('advisories') && (has('metadata') || has('actions'))) ||
    has('error.code', 'error.summary') ||
    has('data.advisory', 'data.resolution') ||
    (values.get('type') === 'auditSummary' && has('data.vulnerabilities')) ||
    has('value', 'children.ID', 'children.Vulnerable Versions') ||
    [...keys].some((key) => key.endsWith('.vulnerable_versions') && has(key.replace(/[^.]*$/, 'severity')))
  );
}

async function* read(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  notes.facts.tool = 'npm audit';
  const audit: Audit = { notes, package: '', hasAudited: false, hasKeys: false };
  yield* readJsonItems(source, notes, (add) => handlerOf(audit, add));
  if (!audit.hasKeys) warn(notes, 'The report is {}, which Bun writes when no package is vulnerable.');
  else if (!audit.hasAudited)
    markIncomplete(notes, 'The report has no vulnerabilities: npm did not audit.', '/vulnerabilities');
}

/** The state of a report while it is read. */
interface Audit {
  notes: ReportNotes;
  /** Name of the package of the line (Yarn 2 and later). */
  package: string;
  hasAudited: boolean;
  hasKeys: boolean;
}

function handlerOf(audit: Audit, add: AddItem): JsonHandler {
  return {
    isNdjson: true,
    select: (path, kind) => {
      if (path.length === 0) return 'enter';
      audit.hasKeys = true;
      return selectIn(path, kind, audit);
    },
    onValue: (value, path) => {
      const [section] = path;
      const entry = objectOf(value) ?? {};
      if (section === 'error' && path.length === 1) noteError(value, path, audit.notes);
      else if (section === 'value') audit.package = textFrom(value) ?? '';
      else if (section === 'children') add(lineOfYarn(entry, audit.package), path);
      else if (section === 'data') takeLine(entry, path, audit, add);
      else if (path.length < 2) markUnreadable(audit.notes, 'is no list of packages', pointerOf(path));
      else if (section === 'vulnerabilities') takePackage(entry, path, audit.notes, add);
      else if (section === 'advisories') add(advisoryOf(entry), path);
      else add(advisoryOf({ ...entry, module_name: section }), path);
    },
  };
}

/** Sections of npm that are lists, unlike the packages of Bun. */
const lists = new Set<unknown>(['actions', 'muted']);

function selectIn(path: JsonPath, kind: JsonKind, audit: Audit): Selection {
  const [section] = path;
  if (path.length > 1) return 'value';
  if (section === 'vulnerabilities' || section === 'advisories') {
    audit.hasAudited ||= kind === 'object';
    return 'enter';
  }
  if (kind === 'array' && !lists.has(section)) {
    audit.notes.facts.tool = 'bun audit';
    audit.hasAudited = true;
    return 'enter';
  }
  if (kind === 'object' && (section === 'data' || section === 'children')) {
    audit.notes.facts.tool = 'yarn audit';
    audit.hasAudited ||= section === 'children';
    return 'value';
  }
  return section === 'error' || (section === 'value' && kind === 'scalar') ? 'value' : 'skip';
}

function noteError(value: unknown, path: JsonPath, notes: ReportNotes): void {
  const error = objectOf(value) ?? {};
  const reason = firstString(error.summary, error.message, error.code, value) ?? 'unknown';
  markIncomplete(notes, `npm reports an error: ${reason}`, pointerOf(path));
}

/** A line of Yarn 1: the summary, or an advisory, which it repeats for each path to the package. */
function takeLine(data: Json, path: JsonPath, audit: Audit, add: AddItem): void {
  const advisory = objectOf(data.advisory);
  audit.hasAudited ||= advisory !== undefined || objectOf(data.vulnerabilities) !== undefined;
  if (advisory !== undefined) add(advisoryOf(advisory), path);
}

/** A line of Yarn 2 and later. */
function lineOfYarn(line: Json, name: string): DraftItem {
  const versions = stringsOf(line['Tree Versions']);
  return advisoryOf({
    id: line.ID,
    module_name: name,
    title: line.Issue,
    url: line.URL,
    severity: line.Severity,
    vulnerable_versions: line['Vulnerable Versions'],
    findings: versions.map((version) => ({ version, paths: line.Dependents })),
  });
}

/** A package lists its own advisories as objects, and the packages that it is vulnerable through as names. */
function takePackage(
  entry: Json,
  path: readonly (string | number)[],
  notes: ReportNotes,
  add: AddItem,
): void {
  const advisories = objectsOf(entry.via);
  if (advisories.length === 0) skip(notes, 'package that depends on a vulnerable one');
  for (const [index, advisory] of advisories.entries()) add(viaOf(advisory, entry), [...path, 'via', index]);
}

function viaOf(advisory: Json, entry: Json): DraftItem {
  const name = firstString(advisory.name, entry.name) ?? '';
  const url = firstString(advisory.url);
  const score = numberOf(objectOf(advisory.cvss)?.score);
  return {
    title: titleOf(advisory, name),
    severity: severityFromWord(advisory.severity) ?? severityFromWord(entry.severity) ?? 2,
    description: paragraphs(advisory.title, `Vulnerable versions: ${textFrom(advisory.range) ?? 'unknown'}`),
    ruleId: ruleOf(url, advisory.source),
    cweIds: cwesIn(stringsOf(advisory.cwe)),
    vulnerabilityIds: idsIn([url ?? '']),
    cvssVector: cvssVectorOf(objectOf(advisory.cvss)?.vectorString),
    cvssScore: score === 0 ? null : (score ?? null),
    location: { component: name },
    evidence: paragraphs(...stringsOf(entry.nodes), dependentsOf(entry)),
    remediation: fixOf(entry.fixAvailable, name),
    references: [url],
    tags: [entry.isDirect === true ? 'direct' : 'transitive'],
  };
}

function titleOf({ title }: Json, name: string): string {
  const text = firstString(title) ?? 'Vulnerability';
  return text.includes(name) ? text : `${text} in ${name}`;
}

function dependentsOf({ effects }: Json): string | null {
  const names = stringsOf(effects);
  return names.length === 0 ? null : `Needed by: ${names.join(', ')}`;
}

function fixOf(fix: unknown, name: string): string | null {
  if (fix === true) return `Run npm audit fix to update ${name}.`;
  const { name: parent, version, isSemVerMajor } = objectOf(fix) ?? {};
  if (typeof parent !== 'string') return null;
  const breaking = isSemVerMajor === true ? ', a major version' : '';
  return `Upgrade ${parent} to ${textFrom(version) ?? 'another version'}${breaking}.`;
}

/** The advisory's GHSA id, or its number. */
function ruleOf(url: string | null, id: unknown): string | null {
  return idsIn([url ?? ''])[0] ?? textFrom(id);
}

/** An advisory as npm 6, pnpm, Yarn 1 and Bun have it; the last has neither CVEs nor versions. */
function advisoryOf(advisory: Json): DraftItem {
  const name = firstString(advisory.module_name) ?? '';
  const findings = objectsOf(advisory.findings);
  const versions = [...new Set(findings.flatMap(({ version }) => firstString(version) ?? []))];
  const url = firstString(advisory.url);
  const ghsa = firstString(advisory.github_advisory_id);
  const score = numberOf(objectOf(advisory.cvss)?.score);
  return {
    title: titleOf(advisory, name),
    severity: severityFromWord(advisory.severity) ?? 2,
    description: paragraphs(
      advisory.overview,
      `Vulnerable versions: ${textFrom(advisory.vulnerable_versions)}`,
    ),
    ruleId: ghsa ?? ruleOf(url, advisory.id),
    cweIds: cwesIn(stringsOf(advisory.cwe)),
    vulnerabilityIds: idsIn([...stringsOf(advisory.cves), ghsa ?? '', url ?? '']),
    cvssVector: cvssVectorOf(objectOf(advisory.cvss)?.vectorString),
    cvssScore: score === 0 ? null : (score ?? null),
    location: { component: versions.length === 1 ? `${name}@${versions[0]}` : name },
    evidence: paragraphs(...findings.flatMap(({ paths }) => stringsOf(paths)).slice(0, 500)),
    remediation: firstString(advisory.recommendation),
    references: [url, ...addressesIn(firstString(advisory.references))],
  };
}
