// The parts of a CycloneDX BOM that its vulnerabilities point to: the names of the components, and the tool.
import type { ReportSource } from '../../format.js';
import { type JsonKind, type JsonPath, keptLimits, type Selection } from '../../read/json-handler.js';
import { collectJson } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { firstString, objectOf, objectsOf, wordOf } from '../../text.js';
import { completeKey, propertyOf } from '../own-result.js';

type Json = Record<string, unknown>;

/** A BOM without its vulnerabilities. */
export interface Bom {
  /** `name@version` of components by their references. */
  labels: Map<string, string>;
  /** The first tool that wrote it. */
  tool: Json | undefined;
  hasVulnerabilities: boolean;
  /** Whether an export of this server says that it lacks results. */
  isPartial: boolean;
}

const metadataKeys = new Set(['tools', 'component', 'properties']);
const componentKeys = new Set(['bom-ref', 'group', 'name', 'version']);

/**
 * Reads a BOM in JSON.
 * @throws VALIDATION_FAILED for JSON that is no BOM
 */
export async function readJsonBom(source: ReportSource): Promise<Bom> {
  const bom: Bom = { labels: new Map(), tool: undefined, hasVulnerabilities: false, isPartial: false };
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
    else if (section === 'metadata' && key === 'tools') [bom.tool] = toolsOf(value);
    else if (section === 'metadata' && key === 'properties')
      bom.isPartial = propertyOf({ properties: value }, completeKey) === 'false';
    else if (section === 'metadata') addLabel(bom, objectOf(value) ?? {});
    else if (section === 'components' && path.length > 2)
      Object.assign(open.at(-1) ?? {}, { [wordOf(path.at(-1))]: value });
  };
  const onEnd = (path: JsonPath) => {
    if (path[0] === 'components' && typeof path.at(-1) === 'number') addLabel(bom, open.pop() ?? {});
  };
  await collectJson(source, { select, onValue, onEnd }, keptLimits);
  if (format !== undefined && format !== 'CycloneDX')
    throw reportError('is no BOM of CycloneDX', { pointer: '/bomFormat' });
  return bom;
}

function selectOfMetadata(path: JsonPath): Selection {
  if (path.length === 1) return 'enter';
  return metadataKeys.has(path[1] as string) ? 'value' : 'skip';
}

/** Adds the name of a component by its reference. */
export function addLabel({ labels }: Bom, component: Json): void {
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
