// CycloneDX in XML: the components, and vulnerabilities in the shape of the JSON. Before version 1.4 they are an extension
// (`v:vulnerability`) within the component; from 1.4 on a list of their own.
import type { ReportSource } from '../../format.js';
import { childOf, childrenOf, childText, type XmlElement } from '../../read/xml-element.js';
import { collectXml } from '../../read/xml-reader.js';
import { reportError } from '../../report-error.js';
import { addLabel, type Bom } from './cyclonedx-bom.js';

type Json = Record<string, unknown>;

const componentKeys = new Set(['group', 'name', 'version']);
const maxComponents = 500_000;

/** The names of a path without their prefixes. */
export function localNames(path: readonly string[]): string[] {
  return path.map((name) => name.slice(name.indexOf(':') + 1));
}

/** Whether a path leads to a vulnerability. */
export function isVulnerability(names: readonly string[]): boolean {
  return names.at(-1) === 'vulnerability' && names.at(-2) === 'vulnerabilities';
}

/**
 * Reads a BOM in XML.
 * @throws VALIDATION_FAILED for XML that is no BOM
 */
export async function readXmlBom(source: ReportSource): Promise<Bom> {
  const bom: Bom = { labels: new Map(), tool: undefined, hasVulnerabilities: false, isPartial: false };
  // Components nest: the innermost open one is the last.
  const open: Json[] = [];
  await collectXml(source, {
    roots: ['bom'],
    select: (path, attributes) => {
      const names = localNames(path);
      const name = names.at(-1) ?? '';
      if (name === 'vulnerabilities') bom.hasVulnerabilities = true;
      if (names.length === 1) return 'enter';
      if (names[1] === 'metadata') return selectOfMetadata(names);
      if (names[1] !== 'components') return 'skip';
      if (name === 'component') open.push({ 'bom-ref': attributes['bom-ref'] });
      if (name === 'components' || name === 'component') return 'enter';
      return componentKeys.has(name) && names.at(-2) === 'component' ? 'element' : 'skip';
    },
    onElement: (element, path) => {
      const names = localNames(path);
      const name = names.at(-1) ?? '';
      if (name === 'tools') bom.tool = toolIn(element);
      else if (names[1] === 'metadata') addLabel(bom, componentIn(element));
      else Object.assign(open.at(-1) ?? {}, { [name]: element.text.trim() });
    },
    onEnd: (path) => {
      if (localNames(path).at(-1) !== 'component') return;
      addLabel(bom, open.pop() ?? {});
      if (bom.labels.size > maxComponents) throw reportError(`has more than ${maxComponents} components`);
    },
  });
  return bom;
}

function selectOfMetadata(names: readonly string[]): 'element' | 'enter' | 'skip' {
  if (names.length === 2) return 'enter';
  return names[2] === 'tools' || names[2] === 'component' ? 'element' : 'skip';
}

function componentIn(element: XmlElement): Json {
  const text = (name: string) => childText(element, name);
  return {
    'bom-ref': element.attributes['bom-ref'],
    group: text('group'),
    name: text('name'),
    version: text('version'),
  };
}

/** `tool` until CycloneDX 1.4, components from 1.5. */
function toolIn(tools: XmlElement): Json | undefined {
  const first = childOf(tools, 'tool') ?? childOf(childOf(tools, 'components'), 'component');
  return first === undefined ? undefined : componentIn(first);
}

/** A vulnerability in the shape that it has in JSON. */
export function vulnerabilityFromXml(prefixed: XmlElement): Json {
  const element = withoutPrefixes(prefixed);
  const text = (name: string) => childText(element, name);
  const list = (name: string, entry: string) => childrenOf(childOf(element, name), entry);
  const { ref } = element.attributes;
  const targets = list('affects', 'target').map((target) => ({
    ref: childText(target, 'ref'),
    versions: childrenOf(childOf(target, 'versions'), 'version').map((version) => ({
      status: childText(version, 'status'),
    })),
  }));
  return {
    id: text('id'),
    'bom-ref': element.attributes['bom-ref'],
    source: sourceOf(element),
    references: list('references', 'reference').map((reference) => ({
      id: childText(reference, 'id'),
      source: sourceOf(reference),
    })),
    ratings: list('ratings', 'rating').map(ratingOf),
    cwes: list('cwes', 'cwe').map((cwe) => cwe.text),
    description: text('description'),
    detail: text('detail'),
    recommendation:
      text('recommendation') ?? childText(childOf(element, 'recommendations'), 'recommendation'),
    workaround: text('workaround'),
    advisories: list('advisories', 'advisory').map((advisory) => ({
      url: childText(advisory, 'url') ?? advisory.text.trim(),
    })),
    analysis: { state: childText(childOf(element, 'analysis'), 'state') },
    affects: ref === undefined ? targets : [{ ref }],
  };
}

function sourceOf(element: XmlElement): Json {
  return { url: childText(childOf(element, 'source'), 'url') };
}

function ratingOf(rating: XmlElement): Json {
  const score = childOf(rating, 'score');
  return {
    score: childText(score, 'base') ?? score?.text.trim(),
    severity: childText(rating, 'severity'),
    method: childText(rating, 'method'),
    vector: childText(rating, 'vector'),
  };
}

function withoutPrefixes(element: XmlElement): XmlElement {
  const [name = ''] = localNames([element.name]);
  return { ...element, name, children: element.children.map(withoutPrefixes) };
}
