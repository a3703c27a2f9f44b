// One SARIF result as items, one per place.
import { finishItem } from '../../finish-item.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { type ReportNotes, warn } from '../../notes.js';
import { objectOf, objectsOf, stringsOf, textOf } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';
import { messageOf } from './sarif-message.js';
import { placesOf } from './sarif-place.js';
import type { Json, SarifComponent, SarifRun } from './sarif-runs.js';
import { severityOfResult } from './sarif-severity.js';

const maxPlaces = 1000;

/** The items of a result: what it says, once for each place. */
export function itemsOfResult(
  run: SarifRun,
  result: Json,
  notes: ReportNotes,
  pointer: string,
): ReportItem[] {
  const draft = draftOf(run, result);
  const places = placesOf(run, result);
  if (places.length > maxPlaces) warn(notes, `kept ${maxPlaces} of ${places.length} locations`, pointer);
  const kept = places.slice(0, maxPlaces);
  notes.read += kept.length;
  return kept.map(({ location, snippet }) =>
    finishItem(
      { ...draft, location: withComponent(location, draft.component), snippet, evidence: snippet },
      notes,
      pointer,
    ),
  );
}

function draftOf(run: SarifRun, result: Json): DraftItem & { component: string | null } {
  const { component, rule } = ruleOf(run, result);
  const ruleReference = objectOf(result.rule);
  const ruleId = firstString(result.ruleId, ruleReference?.id, rule.id);
  const message = messageOf(result, rule, component);
  const summary = firstString(
    objectOf(rule.shortDescription)?.text,
    objectOf(rule.fullDescription)?.text,
    rule.name,
    ruleId,
  );
  const firstLine = message.plain.split(/\r?\n/, 1)[0]?.trim() ?? '';
  // Trivy and others open with a table of `Key: value` lines, which names the place rather than the problem.
  const isTable = /^[A-Z][A-Za-z ]{1,30}: /.test(firstLine) && message.plain.includes('\n');
  const tags = [
    ...stringsOf(objectOf(rule.properties)?.tags),
    ...stringsOf(objectOf(result.properties)?.tags),
  ];
  const explanation = firstString(
    objectOf(rule.fullDescription)?.text,
    objectOf(rule.shortDescription)?.text,
  );
  const { severity, score } = severityOfResult(result, rule);
  return {
    title: (isTable ? summary : firstLine || summary) ?? 'Result without a message',
    severity,
    cvssScore: score,
    description: [message.full, explanation].filter(Boolean).join('\n\n'),
    ruleId,
    cweIds: cwesOf(run, result, rule, tags),
    vulnerabilityIds: idsIn([ruleId ?? '', ...tags]),
    remediation: remediationOf(result, rule),
    references: [rule.helpUri, result.hostedViewerUri].filter(isWebAddress),
    tags: tags.filter((tag) => !/\bcwe-?\d/i.test(tag)),
    toolFingerprint: fingerprintOf(result),
    component: isTable ? packageIn(message.plain) : null,
  };
}

/** The rule's metadata, in the driver or an extension; {} when the log has none. */
function ruleOf(run: SarifRun, result: Json): { component: SarifComponent; rule: Json } {
  const reference = objectOf(result.rule) ?? {};
  const { index, guid } = objectOf(reference.toolComponent) ?? {};
  const component =
    (typeof index === 'number' ? run.extensions[index] : undefined) ??
    run.extensions.find((extension) => typeof guid === 'string' && extension?.guid === guid) ??
    run.driver;
  const id = firstString(result.ruleId, reference.id);
  const position = [result.ruleIndex, reference.index].find(
    (value) => typeof value === 'number' && value >= 0,
  );
  const rule =
    component.rules[position as number] ??
    ruleById(component, id) ??
    // A hierarchical id (CA1000/1) may stand for a rule that is listed by its first part.
    ruleById(component, id?.replace(/\/[^/]*$/, ''));
  return { component, rule: rule ?? {} };
}

function ruleById({ rules, ruleIndexById }: SarifComponent, id: string | null | undefined): Json | undefined {
  const index = id == null ? undefined : ruleIndexById.get(id);
  return index === undefined ? undefined : rules[index];
}

/** From tags (external/cwe/cwe-079, CWE-79: …), taxa, the rule's relationships and its help. */
function cwesOf(run: SarifRun, result: Json, rule: Json, tags: readonly string[]): number[] {
  const targets = objectsOf(rule.relationships).map((relation) => objectOf(relation.target) ?? {});
  const labels = [...objectsOf(result.taxa), ...targets].flatMap((reference) => {
    const { name, index } = objectOf(reference.toolComponent) ?? {};
    const taxonomy = name ?? (typeof index === 'number' ? run.taxonomies[index]?.name : undefined);
    return /^cwe$/i.test(String(taxonomy ?? '')) ? `CWE-${String(reference.id).replace(/^cwe-/i, '')}` : [];
  });
  return cwesIn([...tags, ...labels, String(rule.helpUri ?? '')]);
}

function remediationOf(result: Json, rule: Json): string | null {
  const help = objectOf(rule.help);
  const [fix] = objectsOf(result.fixes);
  return firstString(help?.markdown, help?.text, objectOf(fix?.description)?.text);
}

/** The tool's identity of the result; it need not be unique, nor hold the name of the file. */
function fingerprintOf(result: Json): string | null {
  for (const given of [result.fingerprints, result.partialFingerprints]) {
    const entries = Object.entries(objectOf(given) ?? {}).filter(([, value]) => typeof value === 'string');
    if (entries.length > 0) return JSON.stringify(entries.sort());
  }
  return null;
}

/** `name@version` of a Trivy message, so that one CVE in two packages of one file is two findings. */
function packageIn(message: string): string | null {
  const name = /^Package: (\S{1,300})$/m.exec(message)?.[1];
  const version = /^Installed Version: (\S{1,150})$/m.exec(message)?.[1];
  return name === undefined ? null : version === undefined ? name : `${name}@${version}`;
}

function withComponent(location: DraftItem['location'], component: string | null): DraftItem['location'] {
  return component === null ? location : { ...location, component };
}

function firstString(...values: unknown[]): string | null {
  return (
    (values.find((value) => typeof value === 'string' && value.trim() !== '') as string | undefined) ?? null
  );
}

function isWebAddress(value: unknown): boolean {
  return textOf(value, 2001) !== null && /^https?:\/\/\S+$/.test(String(value));
}
