// Entries of Trivy's reports as drafts: a vulnerability of a package, a failed check, a secret (which Trivy has masked).
import { cvssVectorOf } from '../../cvss.js';
import type { DraftItem, ItemLocation, SeverityRank } from '../../item.js';
import { severityFromScore, severityFromWord } from '../../severity.js';
import { firstString, numberOf, objectOf, objectsOf, paragraphs, stringsOf, wordOf } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

type Json = Record<string, unknown>;

/** The target that entries belong to; `resource` is namespace, kind and name in a cluster. */
export interface TrivyTarget {
  name?: string;
  class?: string;
  type?: string;
  resource?: string | undefined;
}

/** A vulnerability of one installed package. */
export function vulnerabilityOf(entry: Json, target: TrivyTarget): DraftItem {
  const id = firstString(entry.VulnerabilityID);
  const name = firstString(entry.PkgName) ?? '';
  const version = firstString(entry.InstalledVersion);
  const { vector, score } = ratingOf(entry);
  const fixed = firstString(entry.FixedVersion);
  const title = firstString(entry.Title);
  return {
    title: `${id ?? 'Vulnerability'} in ${name}${title === null ? '' : `: ${title}`}`,
    severity: severityOf(entry.Severity, score),
    description: paragraphs(entry.Description, title),
    ruleId: id,
    cweIds: cwesIn(stringsOf(entry.CweIDs)),
    vulnerabilityIds: [...(id === null ? [] : [id]), ...idsIn(stringsOf(entry.VendorIDs))],
    cvssVector: vector,
    cvssScore: score ?? null,
    location: {
      path: packagePath(entry, target),
      component: version === null ? name : `${name}@${version}`,
    },
    evidence: paragraphs(target.name, entry.PkgPath, target.resource),
    remediation: fixed === null ? null : `Upgrade ${name} to ${fixed}.`,
    references: [entry.PrimaryURL, ...stringsOf(entry.References)],
    tags: [target.class, target.type, firstString(entry.Status)],
  };
}

/** A check that failed. */
export function misconfigurationOf(entry: Json, target: TrivyTarget): DraftItem {
  const cause = objectOf(entry.CauseMetadata) ?? {};
  const code = codeOf(cause.Code);
  const message = firstString(entry.Message);
  return {
    title: firstString(entry.Title, message, entry.ID) ?? '',
    severity: severityOf(entry.Severity, undefined),
    description: paragraphs(message, entry.Description),
    ruleId: firstString(entry.ID, entry.AVDID),
    location: {
      ...linesOf(cause),
      path: placeOf(target),
      component: firstString(cause.Resource) ?? undefined,
    },
    evidence: code,
    // Trivy shows the whole block: blank lines in it are no other code.
    snippet: code?.replace(/\n(?:[ \t]{0,200}\n){1,500}/g, '\n') ?? null,
    remediation: firstString(entry.Resolution),
    references: [entry.PrimaryURL, ...stringsOf(entry.References)],
    tags: [target.class, target.type, firstString(cause.Service)],
  };
}

/** A secret in a file. */
export function secretOf(entry: Json, target: TrivyTarget): DraftItem {
  const match = firstString(entry.Match);
  return {
    title: firstString(entry.Title, entry.RuleID) ?? '',
    severity: severityOf(entry.Severity, undefined),
    description: firstString(entry.Category),
    ruleId: firstString(entry.RuleID),
    cweIds: [798],
    location: { ...linesOf(entry), path: placeOf(target) },
    evidence: match,
    snippet: match,
    tags: [target.class, firstString(entry.Category)],
  };
}

/** UNKNOWN is rated by its score where there is one. */
function severityOf(word: unknown, score: number | undefined): SeverityRank {
  const isKnown = typeof word === 'string' && word.toUpperCase() !== 'UNKNOWN';
  const rank = isKnown ? severityFromWord(word) : undefined;
  return rank ?? (score === undefined ? (severityFromWord(word) ?? 2) : severityFromScore(score));
}

/** The rating of the source that the severity is from, else of another one; the newest version of CVSS. */
function ratingOf(entry: Json): { vector: string | null; score: number | undefined } {
  const cvss = objectOf(entry.CVSS) ?? {};
  const sources = [wordOf(entry.SeveritySource), 'nvd', 'ghsa', 'redhat', ...Object.keys(cvss)];
  const ratings = objectsOf(sources.map((source) => cvss[source]));
  for (const version of ['V40', 'V3', 'V2'])
    for (const rating of ratings) {
      const vector = cvssVectorOf(rating[`${version}Vector`]);
      const score = numberOf(rating[`${version}Score`]);
      if (vector !== null || score !== undefined) return { vector, score };
    }
  return { vector: null, score: undefined };
}

/** Packages of an operating system have no file; others are in a lock file or in the package itself. */
function packagePath(entry: Json, target: TrivyTarget): string | undefined {
  if (target.resource !== undefined) return target.resource;
  const own = firstString(entry.PkgPath);
  if (own !== null) return own;
  return target.class === 'lang-pkgs' ? target.name : undefined;
}

function placeOf({ resource, name }: TrivyTarget): string | undefined {
  return resource ?? name;
}

function linesOf(place: Json): ItemLocation {
  return { startLine: numberOf(place.StartLine), endLine: numberOf(place.EndLine) };
}

function codeOf(code: unknown): string | null {
  const lines = objectsOf(objectOf(code)?.Lines);
  return lines.length === 0 ? null : lines.map(({ Content }) => wordOf(Content)).join('\n');
}
