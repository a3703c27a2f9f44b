// The recipe: the keys that a result is recognised by in later runs. They are compared, never shown. docs/identity.md says why.
import { hash } from 'node:crypto';
import type { ItemLocation, ReportItem } from '../../../reports/item.js';
import {
  foldCode,
  foldMessage,
  foundLine,
  normalisePath,
  normaliseUrl,
  type PathOptions,
  queryOf,
  withoutVersion,
} from './normalise.js';

export { createRootFinder, type RootFinder } from './root.js';

/** Raised with every change of the keys, so that findings with keys of another recipe are known as such. */
export const recipeVersion = 1;

/** Keys of one result. All but `line` and `path` are UUID texts of the first 128 bits of a SHA-256. */
export interface IdentityKeys {
  /** Rule and normalised address: path or URL, component, host, parameter, method. */
  groupKey: string;
  /** The same without path or URL, for moves between files. */
  ruleKey: string;
  /** The tool's own fingerprint, which need not be unique. */
  fingerprintKey: string | null;
  /** The code found without white space; for packages their version, for URLs their query. */
  contentKey: string | null;
  /** Title and description without numbers and without the name of the file. */
  messageKey: string;
  /** From 1; 0 when there is none. */
  line: number;
  /** Normalised path, or URL without query; '' when there is none. */
  path: string;
}

/**
 * The keys of a result.
 * @param options `root` as a {@link createRootFinder} finds it, `pathPrefix` as the caller of an import names it
 */
export function identityOf(item: ReportItem, options: PathOptions): IdentityKeys {
  const location = item.location ?? {};
  const message = `${item.title}\n${item.description ?? ''}`;
  const rule = item.ruleId ?? item.vulnerabilityIds[0] ?? item.cveIds[0] ?? foldMessage(item.title, location);
  const path = addressOf(location, options);
  const rest = [
    location.url !== undefined ? 'url' : location.path !== undefined ? 'path' : '',
    location.component === undefined ? '' : withoutVersion(location.component),
    location.host?.toLowerCase() ?? '',
    location.parameter ?? '',
    location.method?.toUpperCase() ?? '',
  ];
  return {
    groupKey: keyOf([rule, ...rest, path]),
    ruleKey: keyOf([rule, ...rest]),
    fingerprintKey: item.toolFingerprint === null ? null : keyOf([item.toolFingerprint]),
    contentKey: contentKeyOf(item, location),
    messageKey: keyOf([foldMessage(message, location)]),
    line: location.startLine ?? 0,
    path,
  };
}

function addressOf({ url, path }: ItemLocation, options: PathOptions): string {
  if (url !== undefined) return normaliseUrl(url);
  return path === undefined ? '' : normalisePath(path, options);
}

function contentKeyOf(item: ReportItem, { url = '', component = '', startLine = 0 }: ItemLocation) {
  const code = item.snippet ?? item.evidence ?? '';
  const parts = [foldCode(foundLine(code, startLine)), queryOf(url)];
  const hasVersion = component !== '' && withoutVersion(component) !== component.toLowerCase();
  parts.push(hasVersion ? component : '');
  return parts.every((part) => part === '') ? null : keyOf(parts);
}

/** A UUID text of the first 128 bits of a SHA-256. */
function keyOf(parts: readonly string[]): string {
  const hex = hash('sha256', parts.join('\0'), 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
