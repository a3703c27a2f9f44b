// The parts of SARIF runs that results point to: tool, rules, artifacts, bases, taxonomies, invocations.
import type { ReportSource } from '../../format.js';
import { type JsonKind, type JsonPath, keptLimits, type Selection } from '../../read/json-handler.js';
import { collectJson } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { lineOf, objectOf } from '../../text.js';

/** A JSON object of unknown shape. */
export type Json = Record<string, unknown>;

/** A tool component: the driver or an extension. */
export interface SarifComponent {
  name: string | null;
  guid: string | null;
  properties: Json;
  rules: Json[];
  /** Position of a rule by its id, the first one where an id repeats. */
  ruleIndexById: Map<string, number>;
}

/** One run without its results. */
export interface SarifRun {
  tool: string | null;
  toolVersion: string | null;
  driver: SarifComponent;
  extensions: SarifComponent[];
  /** Locations of artifacts by index. */
  artifacts: (Json | undefined)[];
  bases: Json;
  provenance: Json[];
  taxonomies: Json[];
  invocations: Json[];
  results: 'absent' | 'invalid' | 'present';
  hasExternalResults: boolean;
}

const maxRuns = 10_000;

/**
 * Reads the runs, passing over their results.
 * @throws VALIDATION_FAILED for a log that is not SARIF 2.1.0
 */
export async function readSarifRuns(source: ReportSource): Promise<SarifRun[]> {
  const runs: SarifRun[] = [];
  let version: unknown;
  let hasRuns = false;
  const runAt = (index: unknown): SarifRun => {
    if ((index as number) >= maxRuns)
      throw reportError(`has more than ${maxRuns} runs`, { pointer: `/runs/${index}` });
    runs[index as number] ??= emptyRun();
    return runs[index as number] as SarifRun;
  };
  const select = (path: JsonPath, kind: JsonKind): Selection => {
    if (path[0] === 'runs') {
      hasRuns = true;
      if (path.length === 1) return kind === 'array' ? 'enter' : 'value';
      const run = runAt(path[1]);
      if (path.length === 3 && path[2] === 'results') {
        run.results = kind === 'array' ? 'present' : 'invalid';
        return 'skip';
      }
      return path.length === 2 ? 'enter' : selectOfRun(path);
    }
    return path.length === 0 ? 'enter' : path[0] === 'version' ? 'value' : 'skip';
  };
  const onValue = (value: unknown, path: JsonPath) => {
    if (path[0] === 'version') version = value;
    else if (path.length === 0) throw reportError('is no SARIF log: it is no object');
    else if (path.length === 1) throw reportError('has runs that are no list', { pointer: '/runs' });
    else if (path.length === 2)
      throw reportError('has a run that is no object', { pointer: `/runs/${path[1]}` });
    else take(runAt(path[1]), path.slice(2), value);
  };
  await collectJson(source, { select, onValue }, keptLimits);
  if (typeof version !== 'string')
    throw reportError('is no SARIF log: it has no version', { pointer: '/version' });
  if (!version.startsWith('2.1'))
    throw reportError(`is SARIF ${version.slice(0, 40)}; only 2.1.0 is supported`, { pointer: '/version' });
  if (!hasRuns) throw reportError('is no SARIF log: it has no runs', { pointer: '/runs' });
  return runs;
}

const componentLists = new Set(['notifications', 'taxa', 'supportedTaxonomies', 'locations', 'contents']);
const runValues = new Set([
  'originalUriBaseIds',
  'versionControlProvenance',
  'externalPropertyFileReferences',
]);

/** Selection below `/runs/i`. */
function selectOfRun(path: JsonPath): Selection {
  const [, , key, second, third, fourth] = path;
  const depth = path.length - 2;
  if (runValues.has(key as string)) return 'value';
  switch (key) {
    case 'results':
      return depth === 1 ? 'enter' : 'skip';
    case 'artifacts':
      if (depth < 3) return 'enter';
      return third === 'location' ? 'value' : 'skip';
    case 'invocations':
      return depth === 1 ? 'enter' : 'value';
    case 'taxonomies':
      if (depth < 3) return 'enter';
      return third === 'name' || third === 'guid' ? 'value' : 'skip';
    case 'tool':
      if (depth === 1) return 'enter';
      if (second === 'driver') return selectOfComponent(depth - 2, third);
      if (second === 'extensions') return depth === 2 ? 'enter' : selectOfComponent(depth - 3, fourth);
      return 'skip';
    default:
      return 'skip';
  }
}

function selectOfComponent(depth: number, key: unknown): Selection {
  if (depth === 0) return 'enter';
  if (key === 'rules') return depth === 1 ? 'enter' : 'value';
  return componentLists.has(key as string) ? 'skip' : 'value';
}

/** Puts a value below `/runs/i` where it belongs. */
function take(run: SarifRun, path: JsonPath, value: unknown): void {
  const [key, second, third, fourth] = path;
  if (key === 'originalUriBaseIds') run.bases = objectOf(value) ?? {};
  else if (key === 'versionControlProvenance') run.provenance = listOf(value);
  else if (key === 'externalPropertyFileReferences')
    run.hasExternalResults = objectOf(value)?.results !== undefined;
  else if (key === 'artifacts' && third === 'location') run.artifacts[second as number] = objectOf(value);
  else if (key === 'invocations' && path.length === 2) run.invocations.push(objectOf(value) ?? {});
  else if (key === 'taxonomies' && path.length === 3)
    run.taxonomies[second as number] = { ...run.taxonomies[second as number], [third as string]: value };
  else if (key === 'tool' && second === 'driver') takeComponent(run.driver, third, value, run);
  else if (key === 'tool' && second === 'extensions' && path.length > 3) {
    run.extensions[third as number] ??= emptyComponent();
    takeComponent(run.extensions[third as number] as SarifComponent, fourth, value);
  }
}

function takeComponent(component: SarifComponent, key: unknown, value: unknown, run?: SarifRun): void {
  if (key === 'rules') {
    const rule = objectOf(value) ?? {};
    const { id } = rule;
    if (typeof id === 'string' && !component.ruleIndexById.has(id))
      component.ruleIndexById.set(id, component.rules.length);
    component.rules.push(rule);
    return;
  }
  // Assigned as it is, this key would change the prototype.
  if (key !== '__proto__') component.properties[key as string] = value;
  if (key === 'name') component.name = lineOf(value, 200);
  if (key === 'guid') component.guid = lineOf(value, 100);
  if (run === undefined) return;
  if (key === 'name') run.tool = component.name;
  if (key === 'version' || (key === 'semanticVersion' && run.toolVersion === null))
    run.toolVersion = lineOf(value, 100);
}

function listOf(value: unknown): Json[] {
  if (!Array.isArray(value)) return [];
  return value.map(objectOf).filter((item) => item !== undefined);
}

function emptyComponent(): SarifComponent {
  return { name: null, guid: null, properties: {}, rules: [], ruleIndexById: new Map() };
}

function emptyRun(): SarifRun {
  return {
    tool: null,
    toolVersion: null,
    driver: emptyComponent(),
    extensions: [],
    artifacts: [],
    bases: {},
    provenance: [],
    taxonomies: [],
    invocations: [],
    results: 'absent',
    hasExternalResults: false,
  };
}
