// The recipe: the keys that a result is recognised by in later runs. They are compared, never shown (docs/identity.md).
import { hash } from 'node:crypto';
import type { ItemLocation, ReportItem } from '../../../reports/item.js';
import { memoize } from './memo.js';
import {
  foldCode,
  foldFingerprint,
  foldMessage,
  foundLine,
  isMasked,
  normalisePath,
  normaliseUrl,
  type PathOptions,
  queryOf,
  withoutVersion,
  withoutVersions,
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
  /** The tool's own fingerprint, which need not be unique; null also when it names the line. */
  fingerprintKey: string | null;
  /** The code found without white space; for packages their version, for URLs their query. Null for masked secrets. */
  contentKey: string | null;
  /** Title, description and a masked secret without numbers and without the name of the file. */
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
  const evidence = item.evidence ?? '';
  // Evidence with a masked secret goes first, so that no key is made of the secret itself.
  const shown = isMasked(evidence) ? evidence : (item.snippet ?? evidence);
  const excerpt = foundLine(shown, location.startLine ?? 0);
  const code = isMasked(excerpt) ? '' : excerpt;
  const fold = (text: string | null) => (text === null || text === '' ? '' : foldMessage(text, location));
  const fingerprint = foldFingerprint(item.toolFingerprint, location);
  const rule = item.ruleId ?? item.vulnerabilityIds[0] ?? item.cveIds[0] ?? fold(item.title);
  const path = addressOf(location, options);
  const ruleParts = [
    rule,
    location.url !== undefined ? 'url' : location.path !== undefined ? 'path' : '',
    location.component === undefined ? '' : withoutVersion(location.component),
    location.host?.toLowerCase() ?? '',
    location.parameter ?? '',
    location.method?.toUpperCase() ?? '',
  ].join('\0');
  const messageParts = [fold(item.title), code === '' ? fold(excerpt) : '', fold(item.description)];
  return {
    groupKey: keyOf(`${ruleParts}\0${path}`),
    ruleKey: repeatedKeyOf(ruleParts),
    fingerprintKey: fingerprint === null ? null : keyOf(fingerprint),
    contentKey: contentKeyOf(code, location),
    messageKey: repeatedKeyOf(messageParts.join('\0')),
    line: location.startLine ?? 0,
    path,
  };
}

function addressOf({ url, path, component }: ItemLocation, options: PathOptions): string {
  if (url !== undefined) return normaliseUrl(url);
  if (path === undefined) return '';
  const normalised = normalisePath(path, options);
  return component === undefined ? normalised : withoutVersions(normalised);
}

function contentKeyOf(code: string, { url = '', component = '', startLine }: ItemLocation): string | null {
  const hasVersion = component !== '' && withoutVersion(component) !== component.toLowerCase();
  // Evidence of a package without a line names where it lies, such as an image with its tag.
  const isPackage = hasVersion && startLine === undefined;
  const parts = [isPackage ? '' : foldCode(code), queryOf(url), hasVersion ? component : ''];
  return parts.every((part) => part === '') ? null : keyOf(parts.join('\0'));
}

const repeatedKeyOf = memoize(keyOf);

/** A UUID text of the first 128 bits of a SHA-256. */
function keyOf(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
