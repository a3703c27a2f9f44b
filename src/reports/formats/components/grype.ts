// Grype's JSON: each match of a vulnerability and a package is a finding; ignored matches are not.
import { cvssVectorOf } from '../../cvss.js';
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, markUnreadable, type ReportNotes, skip } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { severityFromScore, severityFromWord } from '../../severity.js';
import {
  firstString,
  lineOf,
  numberOf,
  objectOf,
  objectsOf,
  paragraphs,
  stringsOf,
  wordOf,
} from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

export const grype: ReportFormat = {
  format: 'GRYPE',
  detect: ({ keys, values }) =>
    keys.has('matches') &&
    (keys.has('matches.vulnerability') ||
      values.get('descriptor.name') === 'grype' ||
      keys.has('descriptor')),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'grype';
  return readJsonItems(source, notes, (add) => {
    let hasMatches = false;
    return {
      select: (path, kind) => {
        const [section, key] = path;
        if (path.length === 0) return 'enter';
        hasMatches ||= section === 'matches';
        if (section === 'matches' || section === 'ignoredMatches')
          return path.length === 1 && kind === 'array' ? 'enter' : 'value';
        if (section !== 'descriptor') return 'skip';
        return path.length === 1 ? 'enter' : key === 'version' ? 'value' : 'skip';
      },
      onValue: (value, path) => {
        if (path[0] === 'descriptor') notes.facts.toolVersion = lineOf(value, 100);
        // A list of nothing may be null.
        else if (path.length < 2 && value === null) return;
        else if (path[0] === 'ignoredMatches') skip(notes, 'ignored');
        else if (path.length < 2) markUnreadable(notes, 'is no list of matches', pointerOf(path));
        else add(draftOf(objectOf(value) ?? {}), path);
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasMatches) markIncomplete(notes, 'The report has no matches.', '/matches');
      },
    };
  });
}

function draftOf(match: Json): DraftItem {
  const vulnerability = objectOf(match.vulnerability) ?? {};
  const related = objectsOf(match.relatedVulnerabilities);
  const artifact = objectOf(match.artifact) ?? {};
  const id = firstString(vulnerability.id);
  const name = firstString(artifact.name) ?? '';
  const version = firstString(artifact.version);
  const { vector, score } = ratingOf([vulnerability, ...related]);
  const rank = severityFromWord(vulnerability.severity);
  const [location] = objectsOf(artifact.locations);
  const all = [vulnerability, ...related];
  return {
    title: `${id ?? 'Vulnerability'} in ${name}`,
    severity: rank === undefined || rank === 0 ? severityOr(rank, score) : rank,
    description: paragraphs(firstString(...all.map(({ description }) => description))),
    ruleId: id,
    cweIds: cwesIn(all.flatMap(({ cwes }) => objectsOf(cwes).map(({ cwe }) => wordOf(cwe)))),
    vulnerabilityIds: [...(id === null ? [] : [id]), ...idsIn(related.map((other) => wordOf(other.id)))],
    cvssVector: vector,
    cvssScore: score ?? null,
    location: {
      path: firstString(location?.path) ?? undefined,
      component: version === null ? name : `${name}@${version}`,
    },
    remediation: fixOf(objectOf(vulnerability.fix), name),
    references: all.flatMap((entry) => [entry.dataSource, ...stringsOf(entry.urls)]),
    tags: [artifact.type, artifact.language, fixTag(objectOf(vulnerability.fix))],
  };
}

/** Unknown severities are rated by their score; Negligible has a word of its own. */
function severityOr(rank: 0 | undefined, score: number | undefined): DraftItem['severity'] {
  return score === undefined ? (rank ?? 2) : severityFromScore(score);
}

function ratingOf(entries: readonly Json[]): { vector: string | null; score: number | undefined } {
  const ratings = entries.flatMap(({ cvss }) => objectsOf(cvss));
  const newest = ratings.sort((a, b) => (numberOf(b.version) ?? 0) - (numberOf(a.version) ?? 0))[0];
  return {
    vector: cvssVectorOf(newest?.vector, newest?.version),
    score: numberOf(objectOf(newest?.metrics)?.baseScore),
  };
}

function fixOf(fix: Json | undefined, name: string): string | null {
  const versions = stringsOf(fix?.versions);
  if (versions.length > 0) return `Upgrade ${name} to ${versions.join(' or ')}.`;
  return fix?.state === 'wont-fix' ? 'The maintainers will not fix it.' : null;
}

function fixTag(fix: Json | undefined): string | null {
  const state = firstString(fix?.state);
  return state === null || state === 'unknown' ? null : `fix:${state}`;
}
