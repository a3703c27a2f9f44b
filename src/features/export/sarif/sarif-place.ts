// Where a result is, in SARIF. JSON is written by hand: a million results pass here.
import { copyNull, textOf } from '../../../infra/postgres/bulk/copy-text.js';
import type { ItemLocation } from '../../../reports/item.js';

/** A place that most paths have: nothing in it needs percent-encoding, and it begins without a slash. */
const plainPath = /^[\w.~-][\w./~-]*$/;

/**
 * The locations of a result; an empty list for a result that names no place.
 * @param field the location as COPY sends it
 * @param evidence JSON of the evidence
 * @param isForGithub points at the first line where a result names a file alone: GitHub asks for a line
 */
export function locationsJson(field: string, evidence: string, isForGithub: boolean): string {
  const json = textOf(field);
  if (json === null) return '[]';
  const { path, url, component, startColumn, endLine, endColumn, ...place } = JSON.parse(
    json,
  ) as ItemLocation;
  const startLine = place.startLine ?? (isForGithub ? 1 : undefined);
  const uri = path === undefined ? webAddressOf(url) : uriOf(path);
  let text = '';
  if (uri !== undefined) {
    text = `"physicalLocation":{"artifactLocation":{"uri":"${uri}"}`;
    if (startLine !== undefined) {
      text += `,"region":{"startLine":${startLine}`;
      if (startColumn !== undefined) text += `,"startColumn":${startColumn}`;
      if (endLine !== undefined && endLine >= startLine) text += `,"endLine":${endLine}`;
      if (isEndColumn(startLine, startColumn, endLine, endColumn)) text += `,"endColumn":${endColumn}`;
      text += evidence === 'null' ? '}' : `,"snippet":{"text":${evidence}}}`;
    }
    text += '}';
  }
  if (component !== undefined)
    text += `${text === '' ? '' : ','}"logicalLocations":[{"fullyQualifiedName":${JSON.stringify(component)}}]`;
  return text === '' ? '[]' : `[{${text}}]`;
}

/** Whether a region may end there: SARIF 3.30.7 lets none end before it starts. */
function isEndColumn(startLine: number, startColumn = 1, endLine = startLine, endColumn?: number): boolean {
  return endColumn !== undefined && (endLine > startLine || endColumn >= startColumn);
}

/** Whether a result has a place in a file, as GitHub needs it. */
export function hasPath(field: string): boolean {
  return field !== copyNull && 'path' in (JSON.parse(textOf(field) ?? '{}') as ItemLocation);
}

/** A path as a relative reference; absolute ones become file URIs. */
function uriOf(path: string): string {
  if (plainPath.test(path)) return path;
  const encoded = path.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('/') ? `file://${encoded}` : encoded;
}

function webAddressOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url)
    ? new URL(url).href.replaceAll('"', '%22').replaceAll('\\', '%5C')
    : undefined;
}
