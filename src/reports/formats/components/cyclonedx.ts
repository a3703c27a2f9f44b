// CycloneDX JSON (SBOM or VEX): each component that a vulnerability affects is a finding, unless its analysis clears it.
// A first pass reads the names of the components, wherever they stand; a second one reads the vulnerabilities.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip, warn } from '../../notes.js';
import { type JsonKind, type JsonPath, keptLimits, type Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { collectJson, readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { firstString, lineOf, objectOf, objectsOf } from '../../text.js';
import { clearedState, draftsOf } from './cyclonedx-vulnerability.js';

export const cyclonedx: ReportFormat = {
  format: 'CYCLONEDX',
  detect: ({ keys, values }) =>
    values.get('bomFormat') === 'CycloneDX' || (keys.has('specVersion') && keys.has('components')),
  read,
};

type Json = Record<string, unknown>;

async function* read(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  const bom = await readBom(source);
  const [tool] = toolsOf(bom.tools);
  notes.facts.tool = lineOf(tool?.name, 200);
  notes.facts.toolVersion = lineOf(tool?.version, 100);
  if (!bom.hasVulnerabilities)
    markIncomplete(
      notes,
      'The BOM has no vulnerabilities: it lists components that nothing was looked up for.',
      '/vulnerabilities',
    );
  yield* readJsonItems(source, notes, (add) => ({
    select: (path, kind) => {
      if (path.length === 0) return 'enter';
      if (path[0] !== 'vulnerabilities') return 'skip';
      return path.length === 1 && kind === 'array' ? 'enter' : 'value';
    },
    onValue: (value, path) => {
      const vulnerability = objectOf(value);
      if (path.length < 2 || vulnerability === undefined)
        throw reportError('has vulnerabilities that are no list of objects', { pointer: pointerOf(path) });
      const state = clearedState(vulnerability);
      if (state === null)
        for (const draft of draftsOf(vulnerability, bom.labels, (text) => warn(notes, text, pointerOf(path))))
          add(draft, path);
      else skip(notes, `analysis ${state}`);
    },
  }));
}

interface Bom {
  /** `name@version` of components by their references. */
  labels: Map<string, string>;
  tools: unknown;
  hasVulnerabilities: boolean;
}

const componentKeys = new Set(['bom-ref', 'group', 'name', 'version']);

async function readBom(source: ReportSource): Promise<Bom> {
  const bom: Bom = { labels: new Map(), tools: undefined, hasVulnerabilities: false };
  // Components nest: the innermost open one is the last.
  const open: Json[] = [];
  let format: unknown;
  const select = (path: JsonPath, kind: JsonKind): Selection => {
    if (path[0] === 'vulnerabilities') bom.hasVulnerabilities = true;
    if (path.length === 0) return 'enter';
    if (path[0] === 'metadata') return selectOfMetadata(path);
    if (path[0] === 'bomFormat' || path[0] === 'specVersion') return 'value';
    if (path[0] !== 'components') return 'skip';
    const last = path.at(-1);
    if (last === 'components') return 'enter';
    if (typeof last === 'string') return componentKeys.has(last) ? 'value' : 'skip';
    if (kind !== 'object') return 'skip';
    open.push({});
    return 'enter';
  };
  const onValue = (value: unknown, path: JsonPath) => {
    const [section, key] = path;
    if (path.length === 0) throw reportError('is no BOM: it is no object');
    if (section === 'bomFormat') format = value;
    else if (section === 'metadata' && key === 'tools') bom.tools = value;
    else if (section === 'metadata') label(bom, objectOf(value) ?? {});
    else if (section === 'components' && path.length > 2)
      Object.assign(open.at(-1) ?? {}, { [String(path.at(-1))]: value });
  };
  const onEnd = (path: JsonPath) => {
    if (path[0] === 'components' && typeof path.at(-1) === 'number') label(bom, open.pop() ?? {});
  };
  await collectJson(source, { select, onValue, onEnd }, keptLimits);
  if (format !== undefined && format !== 'CycloneDX')
    throw reportError('is no BOM of CycloneDX', { pointer: '/bomFormat' });
  return bom;
}

function selectOfMetadata(path: JsonPath): Selection {
  if (path.length === 1) return 'enter';
  return path[1] === 'tools' || path[1] === 'component' ? 'value' : 'skip';
}

function label({ labels }: Bom, component: Json): void {
  const reference = firstString(component['bom-ref']);
  const name = firstString(component.name);
  if (reference === null || name === null) return;
  const group = firstString(component.group);
  const version = firstString(component.version);
  labels.set(
    reference,
    `${group === null ? '' : `${group}/`}${name}${version === null ? '' : `@${version}`}`,
  );
}

/** A list until CycloneDX 1.4, components and services from 1.5. */
function toolsOf(tools: unknown): Json[] {
  return Array.isArray(tools) ? objectsOf(tools) : objectsOf(objectOf(tools)?.components);
}
