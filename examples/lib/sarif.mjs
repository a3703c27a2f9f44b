// Reads SARIF 2.1.0: a file's text to runs with results as the API takes them. It sends nothing.
import { createHash } from 'node:crypto';
import { placeOf } from './sarif-location.mjs';
import { isObject, line, list, messageOf, text, unique } from './sarif-text.mjs';

/** The API's limits on texts, in UTF-16 code units, and on lists. */
const limits = {
  title: 500,
  rule: 300,
  text: 20_000,
  evidence: 50_000,
  url: 2000,
  tag: 100,
  list: 50,
  cves: 100,
};
const severityOfLevel = { error: 'HIGH', warning: 'MEDIUM', note: 'LOW', none: 'INFO' };

/**
 * @typedef {Record<string, any>} Json
 * @typedef {{ tool: string, version: string | undefined, branch: string | undefined, commit: string | undefined,
 *   repository: string | undefined, automationId: string | undefined, failure: string | undefined,
 *   results: Json[], suppressed: number, notFindings: number }} SarifRun
 */

/**
 * Reads a SARIF log.
 * @param {string} text
 * @returns {SarifRun[]}
 * @throws {SyntaxError} with words for people when it is not SARIF 2.1.0
 */
export function readSarif(text) {
  const log = parse(text.replace(/^\uFEFF/, ''));
  if (!isObject(log) || typeof log.version !== 'string')
    throw new SyntaxError('it is no SARIF log: it has no version');
  if (!log.version.startsWith('2.1'))
    throw new SyntaxError(`it is SARIF ${log.version}; only 2.1.0 can be read`);
  if (!Array.isArray(log.runs)) throw new SyntaxError('it is no SARIF log: "runs" is not a list');
  return log.runs.map((run, index) => {
    try {
      return readRun(run);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SyntaxError(`run ${index + 1} is not as SARIF 2.1.0 has it: ${reason}`, { cause: error });
    }
  });
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`it is not JSON: ${/** @type {Error} */ (error).message}`, { cause: error });
  }
}

/** @param {Json} run @returns {SarifRun} */
function readRun(run) {
  const driver = run?.tool?.driver;
  if (typeof driver?.name !== 'string') throw new Error('tool.driver.name is missing');
  const all = list(run.results);
  if (!all.every(isObject)) throw new Error('results holds something that is no result');
  const [source] = list(run.versionControlProvenance);
  const active = all.filter((result) => !isSuppressed(result));
  const findings = active.filter(isFinding);
  /** @type {Map<string, string[]>} */
  const seen = new Map();
  return {
    tool: line(driver.name, 200) || 'unknown tool',
    version: line(driver.version ?? driver.semanticVersion ?? driver.dottedQuadFileVersion, 100),
    branch: line(source?.branch, 255),
    commit: /^[0-9a-f]{7,64}$/i.test(source?.revisionId ?? '') ? source.revisionId : undefined,
    repository: line(source?.repositoryUri, 2000),
    automationId: line(run.automationDetails?.id, 200),
    failure: failureOf(run),
    results: findings.map((result) => readResult(run, result, seen)),
    suppressed: all.length - active.length,
    notFindings: active.length - findings.length,
  };
}

/** What a tool says of a run that did not go to its end. @param {Json} run */
function failureOf(run) {
  const failed = list(run.invocations).find((invocation) => invocation.executionSuccessful === false);
  if (failed === undefined) return undefined;
  const notes = list(failed.toolExecutionNotifications).map((note) => note.message?.text);
  const reasons = [failed.exitCodeDescription, failed.exitSignalName, ...notes].filter(Boolean);
  return reasons.join('\n').slice(0, 5000) || 'The tool reported that it did not run to its end.';
}

/** Section 3.27.23: accepted, and nobody has doubts. @param {Json} result */
function isSuppressed({ suppressions }) {
  const states = list(suppressions).map(({ status, state }) => status ?? state ?? 'accepted');
  return states.length > 0 && states.every((state) => state === 'accepted');
}

/** Not what passed, does not apply, or was fixed since the baseline. @param {Json} result */
function isFinding({ kind, baselineState }) {
  return kind !== 'pass' && kind !== 'notApplicable' && baselineState !== 'absent';
}

/** @param {Json} run @param {Json} result @param {Map<string, string[]>} seen @returns {Json} a ResultInput */
function readResult(run, result, seen) {
  const { component, rule } = ruleOf(run, result);
  const ruleId = line(result.ruleId ?? result.rule?.id ?? rule.id, limits.rule);
  const message = messageOf(result, rule, component);
  const summary = line(rule.shortDescription?.text, limits.title);
  const title = line(message.plain.split(/\r?\n/)[0], limits.title) || summary || ruleId;
  const tags = [...list(rule.properties?.tags), ...list(result.properties?.tags)].filter(
    (tag) => typeof tag === 'string',
  );
  const { location, snippet } = placeOf(run, result);
  const explanation = rule.fullDescription?.text ?? rule.shortDescription?.text;
  const remediation = rule.help?.markdown || rule.help?.text || list(result.fixes)[0]?.description?.text;
  return {
    title: title ?? 'Finding without a message',
    description: text([message.full, explanation].filter(Boolean).join('\n\n'), limits.text),
    severity: severityOf(result, rule),
    ruleId,
    cweIds: cwesOf(run, result, rule, tags),
    cveIds: unique(
      [ruleId, ...tags].flatMap((label) => String(label).match(/CVE-\d{4}-\d{4,19}/g) ?? []),
      limits.cves,
    ),
    location,
    evidence: text(snippet, limits.evidence),
    remediation: text(remediation, limits.text),
    references: unique([rule.helpUri, result.hostedViewerUri].filter(isWebAddress), limits.list),
    tags: unique(
      tags.filter((tag) => !/cwe-\d/i.test(tag)).map((tag) => line(tag, limits.tag)),
      limits.list,
    ),
    fingerprint: fingerprintOf(run, result, { ruleId, location, title, snippet }, seen),
  };
}

/** The rule's metadata, in the driver or an extension; {} when the log has none. @param {Json} run @param {Json} result */
function ruleOf(run, result) {
  const reference = result.rule ?? {};
  const { index, guid } = reference.toolComponent ?? {};
  const extensions = list(run.tool.extensions);
  const component =
    extensions[index] ??
    extensions.find((extension) => guid !== undefined && extension.guid === guid) ??
    run.tool.driver;
  const rules = list(component.rules);
  const id = result.ruleId ?? reference.id;
  // A hierarchical id (CA1000/1) may stand for a rule that is listed by its first part.
  const rule =
    rules[result.ruleIndex ?? reference.index] ??
    rules.find((candidate) => candidate.id === id) ??
    rules.find((candidate) => typeof id === 'string' && candidate.id === id.replace(/\/[^/]*$/, ''));
  return { component, rule: isObject(rule) ? rule : {} };
}

/** A score (security-severity) says more than a level. @param {Json} result @param {Json} rule */
function severityOf(result, rule) {
  const score = Number(
    result.properties?.['security-severity'] ?? rule.properties?.['security-severity'] ?? Number.NaN,
  );
  if (score >= 9) return 'CRITICAL';
  if (score >= 7) return 'HIGH';
  if (score >= 4) return 'MEDIUM';
  if (score >= 0) return score > 0 ? 'LOW' : 'INFO';
  const isOther = result.kind !== undefined && result.kind !== 'fail';
  const level = result.level ?? (isOther ? 'none' : (rule.defaultConfiguration?.level ?? 'warning'));
  return severityOfLevel[/** @type {'error'} */ (level)] ?? 'MEDIUM';
}

/** From tags (external/cwe/cwe-079, CWE-79: …), taxa, the rule's relationships and its help. */
function cwesOf(
  /** @type {Json} */ run,
  /** @type {Json} */ result,
  /** @type {Json} */ rule,
  /** @type {string[]} */ tags,
) {
  const taxonomies = list(run.taxonomies);
  const isCwe = (/** @type {Json} */ reference) => {
    const { name, index } = reference?.toolComponent ?? {};
    return /^cwe$/i.test(name ?? taxonomies[index]?.name ?? '');
  };
  const references = [...list(result.taxa), ...list(rule.relationships).map((relation) => relation.target)];
  const labels = references
    .filter(isCwe)
    .map((reference) => `cwe-${String(reference.id).replace(/^cwe-/i, '')}`);
  const numbers = [...tags, ...labels, String(rule.helpUri)].flatMap(
    (label) =>
      /\bcwe-0*(\d{1,5})\b|cwe\.mitre\.org\/data\/definitions\/(\d{1,5})/i
        .exec(label)
        ?.slice(1)
        .filter(Boolean) ?? [],
  );
  return unique(
    numbers.map(Number).filter((number) => number > 0),
    limits.list,
  );
}

/**
 * The tool's own fingerprints where it gives any, else what the finding says and shows; no line numbers, so that a
 * finding keeps its identity when code moves. What only looks alike within a run is told apart by counting.
 * @param {Json} run @param {Json} result @param {Json} content @param {Map<string, string[]>} seen
 */
function fingerprintOf(run, result, { ruleId, location, title, snippet }, seen) {
  const given = Object.entries(result.fingerprints ?? {}).sort();
  const partial = Object.entries(result.partialFingerprints ?? {}).sort();
  const place = location?.path ?? location?.url ?? location?.component;
  const identity = given.length > 0 ? given : [place, partial.length > 0 ? partial : [title, snippet]];
  const base = digest([run.tool.driver.name, ruleId, identity]);
  if (given.length > 0) return `sarif1:${base}`;
  const exact = digest([location, title]);
  const alike = seen.get(base) ?? [];
  if (!alike.includes(exact)) seen.set(base, [...alike, exact]);
  return `sarif1:${base}:${(seen.get(base) ?? []).indexOf(exact) + 1}`;
}

/** @param {unknown} value */
function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

/** @param {unknown} value */
function isWebAddress(value) {
  return typeof value === 'string' && value.length <= limits.url && /^https?:\/\/[^\s\p{Cc}]+$/u.test(value);
}
