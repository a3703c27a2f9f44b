// One SARIF result as items, one per place.
import { finishItem } from '../../finish-item.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { type ReportNotes, warn } from '../../notes.js';
import { firstString, objectOf, objectsOf, stringsOf } from '../../text.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';
import { ownDraftOf } from '../own-result.js';
import { messageOf } from './sarif-message.js';
import { placesOf } from './sarif-place.js';
import { isWebAddress, ruleOf, type SarifRule, weaknessLabels, withoutWeaknesses } from './sarif-rule.js';
import type { Json, SarifRun } from './sarif-runs.js';
import { severityOfResult } from './sarif-severity.js';

const maxPlaces = 1000;

/** The items of a result: what it says, once for each place. */
export function itemsOfResult(
  run: SarifRun,
  result: Json,
  notes: ReportNotes,
  pointer: () => string,
): ReportItem[] {
  const own = ownDraftOf(result);
  if (own !== undefined) {
    notes.read += 1;
    return [finishItem(own, notes, pointer)];
  }
  const { draft, component } = draftOf(run, result);
  const places = placesOf(run, result);
  if (places.length > maxPlaces) warn(notes, `kept ${maxPlaces} of ${places.length} locations`, pointer());
  const kept = places.length > maxPlaces ? places.slice(0, maxPlaces) : places;
  notes.read += kept.length;
  return kept.map(({ location, snippet }) => {
    draft.location = component === null ? location : { ...location, component };
    draft.snippet = snippet;
    draft.evidence = snippet;
    return finishItem(draft, notes, pointer);
  });
}

function draftOf(run: SarifRun, result: Json): { draft: DraftItem; component: string | null } {
  const rule = ruleOf(run, result);
  const ruleId = firstString(result.ruleId, objectOf(result.rule)?.id, rule.id);
  const message = messageOf(result, rule.json, rule.component);
  const firstLine = firstLineOf(message.plain);
  // Trivy and others open with a table of `Key: value` lines, which names the place rather than the problem.
  const isTable = message.plain.includes('\n') && /^[A-Z][A-Za-z ]{1,30}: /.test(firstLine);
  const { severity, score } = severityOfResult(result, rule.json);
  const summary = rule.summary ?? ruleId;
  return {
    draft: {
      title: (isTable ? summary : firstLine || summary) ?? 'Result without a message',
      severity,
      cvssScore: score,
      description: descriptionOf(message.full, rule.explanation),
      ruleId,
      remediation: rule.advice ?? fixOf(result),
      toolFingerprint: fingerprintOf(result),
      ...labelsOf(run, result, rule, ruleId),
    },
    component: isTable ? packageIn(message.plain) : null,
  };
}

function firstLineOf(text: string): string {
  const end = text.indexOf('\n');
  return (end === -1 ? text : text.slice(0, end)).trim();
}

function descriptionOf(message: string, explanation: string | null): string {
  if (explanation === null) return message;
  return message === '' ? explanation : `${message}\n\n${explanation}`;
}

type Labels = Pick<DraftItem, 'cweIds' | 'references' | 'tags' | 'vulnerabilityIds'>;

/** The rule's labels, and the result's own where it has some. */
function labelsOf(run: SarifRun, result: Json, rule: SarifRule, ruleId: string | null): Labels {
  const own = result.properties === undefined ? [] : stringsOf(objectOf(result.properties)?.tags);
  const hasOwn = own.length > 0 || result.taxa !== undefined;
  const isRuleKnown = ruleId === rule.id;
  return {
    cweIds: hasOwn
      ? [...new Set([...rule.cweIds, ...cwesIn([...own, ...weaknessLabels(run, objectsOf(result.taxa))])])]
      : rule.cweIds,
    vulnerabilityIds:
      isRuleKnown && own.length === 0 ? rule.vulnerabilityIds : idsIn([ruleId ?? '', ...rule.labels, ...own]),
    references: isWebAddress(result.hostedViewerUri)
      ? [...rule.references, result.hostedViewerUri]
      : rule.references,
    tags: own.length === 0 ? rule.tags : [...rule.tags, ...withoutWeaknesses(own)],
  };
}

function fixOf(result: Json): string | null {
  const [fix] = objectsOf(result.fixes);
  return firstString(objectOf(fix?.description)?.text);
}

/** The tool's identity of the result; it need not be unique, nor hold the name of the file. */
function fingerprintOf(result: Json): string | null {
  return fingerprintText(result.fingerprints) ?? fingerprintText(result.partialFingerprints);
}

function fingerprintText(given: unknown): string | null {
  const prints = objectOf(given);
  if (prints === undefined) return null;
  const entries = Object.entries(prints).filter(([, value]) => typeof value === 'string');
  return entries.length === 0 ? null : JSON.stringify(entries.sort());
}

/** `name@version` of a Trivy message, so that one CVE in two packages of one file is two findings. */
function packageIn(message: string): string | null {
  const name = /^Package: (\S{1,300})$/m.exec(message)?.[1];
  const version = /^Installed Version: (\S{1,150})$/m.exec(message)?.[1];
  return name === undefined ? null : version === undefined ? name : `${name}@${version}`;
}
