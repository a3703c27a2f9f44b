// What GitHub documents that it refuses of a SARIF file, and what it needs to show a result: docs.github.com, "SARIF support for
// code scanning" and "SARIF results exceed one or more limits".
import { gzipSync } from 'node:zlib';

interface Place {
  physicalLocation?: { artifactLocation?: { uri?: string }; region?: { startLine?: number } };
}
interface Result {
  ruleId?: string;
  message?: { text?: string };
  locations?: Place[];
  partialFingerprints?: { primaryLocationLineHash?: string };
}
interface Rule {
  id?: string;
  shortDescription?: { text?: string };
  fullDescription?: { text?: string };
  help?: { text?: string };
  properties?: { tags?: string[]; 'security-severity'?: string };
}
interface Run {
  tool: { driver: { name?: string; rules?: Rule[] }; extensions?: object[] };
  automationDetails?: { id?: string };
  results?: Result[];
}

const limits = {
  runs: 20,
  results: 5000,
  rules: 25_000,
  extensions: 100,
  tags: 10,
  locations: 100,
  text: 1024,
};

/** The breaches of a file; empty for one that GitHub takes whole. */
export function githubErrors(text: string): string[] {
  const { $schema, version, runs } = JSON.parse(text) as { $schema?: string; version?: string; runs: Run[] };
  const errors: string[] = [];
  const demand = (isMet: boolean, breach: string) => {
    if (!isMet) errors.push(breach);
  };
  demand($schema !== undefined && version === '2.1.0', 'names no schema or another version');
  demand(gzipSync(text).length < 10_000_000, 'has 10 MB and more when it is compressed');
  demand(runs.length <= limits.runs, `${runs.length} runs`);
  const categories = runs.map(
    ({ tool, automationDetails }) => `${tool.driver.name} ${automationDetails?.id ?? ''}`,
  );
  demand(new Set(categories).size === runs.length, 'two runs of one tool and category');
  return [...errors, ...runs.flatMap(errorsOfRun)];
}

function errorsOfRun({ tool, results }: Run): string[] {
  const rules = tool.driver.rules ?? [];
  return [
    ...(tool.driver.name ? [] : ['tool without a name']),
    ...(results === undefined ? ['run without results'] : []),
    ...((results ?? []).length > limits.results ? ['more results than GitHub stores'] : []),
    ...(rules.length > limits.rules ? ['too many rules'] : []),
    ...((tool.extensions ?? []).length > limits.extensions ? ['too many extensions'] : []),
    ...rules.flatMap(errorsOfRule),
    ...(results ?? []).flatMap(errorsOfResult),
  ];
}

function errorsOfRule({ id, shortDescription, fullDescription, help, properties }: Rule): string[] {
  const isText = (text: string | undefined) =>
    text !== undefined && text !== '' && text.length <= limits.text;
  const score = Number(properties?.['security-severity']);
  return [
    ...(id ? [] : ['rule without an id']),
    ...(isText(shortDescription?.text) ? [] : [`shortDescription of ${id}`]),
    ...(isText(fullDescription?.text) ? [] : [`fullDescription of ${id}`]),
    ...(help?.text ? [] : [`help of ${id}`]),
    ...((properties?.tags ?? []).length > limits.tags ? [`tags of ${id}`] : []),
    ...(score >= 0 && score <= 10 ? [] : [`security-severity of ${id}`]),
  ];
}

function errorsOfResult({ ruleId, message, locations = [], partialFingerprints }: Result): string[] {
  const place = locations[0]?.physicalLocation;
  return [
    ...(ruleId ? [] : ['result without a rule']),
    ...(message?.text ? [] : ['result without a message']),
    ...(locations.length > limits.locations ? ['too many locations'] : []),
    ...(place?.artifactLocation?.uri ? [] : [`result of ${ruleId} without a file`]),
    ...(Number(place?.region?.startLine) >= 1 ? [] : [`result of ${ruleId} without a line`]),
    ...(partialFingerprints?.primaryLocationLineHash ? [] : ['result without a fingerprint']),
  ];
}
