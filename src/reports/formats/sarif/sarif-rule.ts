// Collects the parts that a SARIF result takes from its rule, once for each rule, as runs have few rules and many results.
import { shareList } from '../../finish-item.js';
import { firstString, objectOf, objectsOf, stringsOf, wordOf } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';
import type { Json, SarifComponent, SarifRun } from './sarif-runs.js';

/** A rule as its results need it. */
export interface SarifRule {
  component: SarifComponent;
  /** The rule's metadata; {} when the log has none. */
  json: Json;
  id: string | null;
  /** The rule in one line. */
  summary: string | null;
  explanation: string | null;
  advice: string | null;
  /** All labels, with those of weaknesses. */
  labels: string[];
  /** Labels that are no weaknesses. */
  tags: readonly string[];
  cweIds: readonly number[];
  vulnerabilityIds: readonly string[];
  references: readonly string[];
}

const rulesOf = new WeakMap<SarifRun, Map<Json | SarifComponent, SarifRule>>();

/** The rule of a result, in the driver or an extension. */
export function ruleOf(run: SarifRun, result: Json): SarifRule {
  const { component, json } = findRule(run, result);
  let rules = rulesOf.get(run);
  if (rules === undefined) {
    rules = new Map();
    rulesOf.set(run, rules);
  }
  const key = json ?? component;
  let rule = rules.get(key);
  if (rule === undefined) {
    rule = describe(run, component, json ?? {});
    rules.set(key, rule);
  }
  return rule;
}

function findRule(run: SarifRun, result: Json): { component: SarifComponent; json: Json | undefined } {
  const reference = result.rule === undefined ? undefined : objectOf(result.rule);
  const component = componentOf(run, reference);
  const id = firstString(result.ruleId, reference?.id);
  const index = positionOf(result.ruleIndex) ?? positionOf(reference?.index);
  const json =
    (index === undefined ? undefined : component.rules[index]) ??
    ruleById(component, id) ??
    // A hierarchical id (CA1000/1) may stand for a rule that is listed by its first part.
    ruleById(component, id?.replace(/\/[^/]*$/, ''));
  return { component, json };
}

function componentOf(run: SarifRun, reference: Json | undefined): SarifComponent {
  const { index, guid } = objectOf(reference?.toolComponent) ?? {};
  return (
    (typeof index === 'number' ? run.extensions[index] : undefined) ??
    (typeof guid === 'string' ? run.extensions.find((extension) => extension?.guid === guid) : undefined) ??
    run.driver
  );
}

function positionOf(index: unknown): number | undefined {
  return typeof index === 'number' && index >= 0 ? index : undefined;
}

function ruleById({ rules, ruleIndexById }: SarifComponent, id: string | null | undefined): Json | undefined {
  const index = id == null ? undefined : ruleIndexById.get(id);
  return index === undefined ? undefined : rules[index];
}

function describe(run: SarifRun, component: SarifComponent, json: Json): SarifRule {
  const id = firstString(json.id);
  const short = objectOf(json.shortDescription)?.text;
  const long = objectOf(json.fullDescription)?.text;
  const help = objectOf(json.help);
  const labels = stringsOf(objectOf(json.properties)?.tags);
  const targets = objectsOf(json.relationships).map((relation) => objectOf(relation.target) ?? {});
  const weaknesses = cwesIn([...labels, ...weaknessLabels(run, targets), wordOf(json.helpUri)]);
  return {
    component,
    json,
    id,
    summary: firstString(short, long, json.name, id),
    explanation: firstString(long, short),
    advice: firstString(help?.markdown, help?.text),
    labels,
    tags: shareList(withoutWeaknesses(labels)),
    cweIds: weaknesses,
    vulnerabilityIds: idsIn([id ?? '', ...labels]),
    references: shareList([json.helpUri].filter(isWebAddress)),
  };
}

/** References to reporting descriptors of the taxonomy CWE, as labels. */
export function weaknessLabels(run: SarifRun, references: readonly Json[]): string[] {
  return references.flatMap((reference) => {
    const { name, index } = objectOf(reference.toolComponent) ?? {};
    const taxonomy = name ?? (typeof index === 'number' ? run.taxonomies[index]?.name : undefined);
    return /^cwe$/i.test(wordOf(taxonomy)) ? `CWE-${wordOf(reference.id).replace(/^cwe-/i, '')}` : [];
  });
}

/** Labels that name no weakness: those are in cweIds. */
export function withoutWeaknesses(labels: readonly string[]): string[] {
  return labels.filter((label) => !/\bcwe-?\d/i.test(label));
}

/** Whether a value is a web address. */
export function isWebAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 2000 && /^https?:\/\/\S+$/.test(value);
}
