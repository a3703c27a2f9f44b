// Messages of SARIF with their arguments put in, and with links to related locations written out.
import { objectOf, objectsOf, textFrom, wordOf } from '../../text.js';
import type { Json, SarifComponent } from './sarif-runs.js';

/** `full` with the addresses of related places, `plain` without links. */
export interface SarifMessage {
  full: string;
  plain: string;
}

/** Builds the message of a result (SARIF 3.11). */
export function messageOf(result: Json, rule: Json, component: SarifComponent): SarifMessage {
  const message = objectOf(result.message) ?? {};
  const plainText = fastText(message);
  if (plainText !== undefined) return { full: plainText, plain: plainText };
  const id = wordOf(message.id);
  const source =
    objectOf(objectOf(rule.messageStrings)?.[id]) ??
    objectOf(objectOf(component.properties.globalMessageStrings)?.[id]) ??
    {};
  const places = new Map(objectsOf(result.relatedLocations).map((place) => [wordOf(place.id), place]));
  const values = Array.isArray(message.arguments) ? message.arguments : [];
  const text = fill(message.text ?? source.text, values);
  const markdown = fill(message.markdown ?? source.markdown, values);
  // [here](1) points to a related location.
  const full = (markdown || text).replace(
    /(?<!\\)\[((?:[^[\]\n\\]|\\.){0,1000})\]\((\d{1,9})\)/g,
    (_found, label: string, place: string) => label + addressOf(places.get(place)),
  );
  return {
    full,
    plain: text
      .replace(/(?<!\\)\[((?:[^[\]\n\\]|\\.){0,1000})\]\([^)\s]{0,2000}\)/g, '$1')
      .replace(/\\([[\]\\])/g, '$1'),
  };
}

/** The text of a message without arguments, Markdown, links, placeholders and escapes, as most are. */
function fastText({ text, markdown, id }: Json): string | undefined {
  return typeof text === 'string' && markdown === undefined && id === undefined && !/[[{}\\]/.test(text)
    ? text
    : undefined;
}

function fill(template: unknown, values: readonly unknown[]): string {
  if (typeof template !== 'string') return '';
  return template.replace(/\{\{|\}\}|\{(\d{1,4})\}/g, (found, index?: string) =>
    index === undefined ? (found[0] ?? '') : (textFrom(values[Number(index)]) ?? found),
  );
}

function addressOf(place: Json | undefined): string {
  const physical = objectOf(place?.physicalLocation);
  const uri = objectOf(physical?.artifactLocation)?.uri;
  const startLine = objectOf(physical?.region)?.startLine;
  if (typeof uri !== 'string') return '';
  return ` (${uri}${startLine === undefined ? '' : `:${startLine}`})`;
}
