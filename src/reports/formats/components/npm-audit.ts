// npm's audit report (npm 7 and later, and the one of npm 6, pnpm and yarn): each advisory of a package is a finding.
import { cvssVectorOf } from '../../cvss.js';
import type { ReportFormat, ReportSource } from '../../format.js';
import { addressesIn } from '../../html.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnreadable, type ReportNotes, skip } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { type AddItem, readJsonItems } from '../../read/read-json.js';
import { severityFromWord } from '../../severity.js';
import { firstString, numberOf, objectOf, objectsOf, paragraphs, stringsOf, textFrom } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const npmAudit: ReportFormat = {
  format: 'NPM_AUDIT',
  detect: ({ keys, isArray }) =>
    !isArray &&
    (keys.has('auditReportVersion') ||
      (keys.has('advisories') && (keys.has('metadata') || keys.has('actions'))) ||
      (keys.has('error.code') && keys.has('error.summary'))),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'npm audit';
  return readJsonItems(source, notes, (add) => {
    let hasAudited = false;
    return {
      select: (path, kind) => {
        const [section] = path;
        if (path.length === 0) return 'enter';
        if (section === 'error') return 'value';
        if (section !== 'vulnerabilities' && section !== 'advisories') return 'skip';
        hasAudited ||= kind === 'object';
        return path.length === 1 ? 'enter' : 'value';
      },
      onValue: (value, path) => {
        const entry = objectOf(value) ?? {};
        if (path[0] === 'error') {
          const reason = firstString(entry.summary, entry.message, entry.code, value) ?? 'unknown';
          markIncomplete(notes, `npm reports an error: ${reason}`, pointerOf(path));
        } else if (path.length < 2) markUnreadable(notes, 'is no list of packages', pointerOf(path));
        else if (path[0] === 'vulnerabilities') takePackage(entry, path, notes, add);
        else add(advisoryOf(entry), path);
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasAudited)
          markIncomplete(notes, 'The report has no vulnerabilities: npm did not audit.', '/vulnerabilities');
      },
    };
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

/** An advisory of npm 6, pnpm or yarn. */
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
