// CycloneDX, JSON and XML (SBOM or VEX): each component that a vulnerability affects is a finding, unless its analysis clears it.
// A first pass reads the names of the components, wherever they stand; a second one reads the vulnerabilities.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip, warn } from '../../notes.js';
import { firstCharacter } from '../../read/first-character.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { readXmlItems } from '../../read/xml-reader.js';
import { reportError } from '../../report-error.js';
import { lineOf, objectOf } from '../../text.js';
import { noTool, ownDraftOfVulnerability } from '../own-result.js';
import { type Bom, readJsonBom } from './cyclonedx-bom.js';
import { clearedState, draftsOf } from './cyclonedx-vulnerability.js';
import { isVulnerability, localNames, readXmlBom, vulnerabilityFromXml } from './cyclonedx-xml.js';

export const cyclonedx: ReportFormat = {
  format: 'CYCLONEDX',
  detect: ({ keys, values, xmlRoot, xmlAttributes }) =>
    xmlRoot === 'bom'
      ? /cyclonedx/i.test(xmlAttributes.xmlns ?? '')
      : values.get('bomFormat') === 'CycloneDX' || (keys.has('specVersion') && keys.has('components')),
  read,
};

async function* read(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  const isXml = (await firstCharacter(source)) === '<';
  const bom = isXml ? await readXmlBom(source) : await readJsonBom(source);
  const tool = lineOf(bom.tool?.name, 200);
  notes.facts.tool = tool === noTool ? null : tool;
  notes.facts.toolVersion = tool === noTool ? null : lineOf(bom.tool?.version, 100);
  if (!bom.hasVulnerabilities)
    markIncomplete(
      notes,
      'The BOM has no vulnerabilities: it lists components that nothing was looked up for.',
      isXml ? '1:1' : '/vulnerabilities',
    );
  if (bom.isPartial)
    markIncomplete(
      notes,
      'The VEX leaves out results without the id of a vulnerability.',
      '/metadata/properties',
    );
  yield* isXml ? readXml(source, notes, bom) : readJson(source, notes, bom);
}

function readJson(source: ReportSource, notes: ReportNotes, bom: Bom): AsyncIterable<ReportItem[]> {
  return readJsonItems(source, notes, (add) => ({
    select: (path, kind) => {
      if (path.length === 0) return 'enter';
      if (path[0] !== 'vulnerabilities') return 'skip';
      return path.length === 1 && kind === 'array' ? 'enter' : 'value';
    },
    onValue: (value, path) => {
      const vulnerability = objectOf(value);
      if (path.length < 2 || vulnerability === undefined)
        throw reportError('has vulnerabilities that are no list of objects', { pointer: pointerOf(path) });
      const at = [...path];
      for (const draft of openDrafts(vulnerability, bom, notes, pointerOf(at))) add(draft, at);
    },
  }));
}

function readXml(source: ReportSource, notes: ReportNotes, bom: Bom): AsyncIterable<ReportItem[]> {
  return readXmlItems(source, notes, (add) => ({
    roots: ['bom'],
    select: (path) => {
      const names = localNames(path);
      if (isVulnerability(names)) return 'element';
      // Vulnerabilities stand at the end, or, before CycloneDX 1.4, in their components.
      const isOnTheWay = names.slice(1).every((name) => /^(?:components?|vulnerabilities)$/.test(name));
      return isOnTheWay ? 'enter' : 'skip';
    },
    onElement: (element) => {
      const vulnerability = vulnerabilityFromXml(element);
      for (const draft of openDrafts(vulnerability, bom, notes, element.place)) add(draft, element.place);
    },
  }));
}

function openDrafts(vulnerability: Record<string, unknown>, bom: Bom, notes: ReportNotes, place: string) {
  // Decisions that this server exported are its own: the finding keeps them.
  const own = ownDraftOfVulnerability(vulnerability);
  if (own !== undefined) return [own];
  const state = clearedState(vulnerability);
  if (state === null) return draftsOf(vulnerability, bom.labels, (text) => warn(notes, text, place));
  skip(notes, `analysis ${state}`);
  return [];
}
