// Reduces addresses and texts of results to the parts that survive a rescan:
// another checkout, re-indentation, shifted lines, an upgrade.
import type { ItemLocation } from '../../../reports/item.js';
import { pathFromUri } from '../../../reports/paths.js';
import { memoize } from './memo.js';

/** Longest part of a description that a message key looks at, in UTF-16 code units. */
const maxMessageLength = 4000;

/** Where paths of a report are put: below `pathPrefix`, without the `root` that they have in common. */
export interface PathOptions {
  pathPrefix?: string;
  root?: string;
}

/** A path with slashes, without the root, `.` and `..`, below the prefix. */
export function normalisePath(path: string, { root = '', pathPrefix = '' }: PathOptions): string {
  const local = /^file:/i.test(path) ? pathFromUri(path) : path;
  const isBelow = root !== '' && local.startsWith(root);
  const slashed = (isBelow ? local.slice(root.length) : local).replaceAll('\\', '/');
  const plain = /(?:^|\/)\.{0,2}(?:\/|$)/.test(slashed) ? withoutDots(slashed) : slashed;
  if (pathPrefix === '' || isAbsolute(plain)) return plain;
  return withoutDots(`${pathPrefix.replaceAll('\\', '/')}/${plain}`);
}

/** Whether a path depends on where the checkout lies: from the root of a file system, a drive, a share or a file: URI. */
export function isAbsolute(path: string): boolean {
  return /^(?:[\\/]|[A-Za-z]:[\\/]|file:)/i.test(path);
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else kept.push(part);
  }
  return `${path.startsWith('/') ? '/' : ''}${kept.join('/')}`;
}

/** A URL without query, fragment, session id and final slash, its host in lower case; a text that is no URL as it is. */
export function normaliseUrl(text: string): string {
  if (!URL.canParse(text)) return text.replace(/[?#].*$/s, '');
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname.replace(/;jsessionid=[^/]*/i, '').replace(/\/+$/, '')}`;
}

/** The query of a URL; empty when it has none. */
export function queryOf(url: string): string {
  return /\?([^#]*)/.exec(url)?.[1] ?? '';
}

/** A package, image or module without its version: of a purl, `name@1.2`, `group:name:1.2`, `name 1.2`. */
export function withoutVersion(component: string): string {
  const name = component.startsWith('pkg:') ? component.replace(/[?#].*$/s, '') : component;
  return name
    .replace(/(?<=.)@[^@/]*$/, '')
    .replace(/(?<=.)(?::|\s+)v?\d[\w.+~:-]*$/, '')
    .toLowerCase();
}

/** The path of a package without its version: of an archive, of its metadata, of a folder of pnpm. */
export function withoutVersions(path: string): string {
  return path
    .replace(
      /-v?\d[\w.+-]*?(?=\.(?:[jwe]ar|whl|egg|gem|gemspec|nupkg|tar\.gz|tgz|(?:dist|egg)-info)(?:\/|$))/gi,
      '',
    )
    .replace(/(?<=[^/])@\d[^/]*(?=\/)/g, '');
}

/** Code without any white space, so that re-indentation and line ends do not matter. */
export function foldCode(code: string): string {
  return code.replace(/\s+/g, '');
}

/**
 * The line that was found in an excerpt whose lines begin with their numbers, as bandit writes it; without such numbers
 * the whole excerpt.
 */
export function foundLine(excerpt: string, line: number): string {
  const numbered = /^\s*(\d+)[\s:|]/;
  if (!numbered.test(excerpt)) return excerpt;
  const lines = excerpt.split(/\r?\n/).filter((text) => text.trim() !== '');
  if (lines.length === 0 || !lines.every((text) => numbered.test(text))) return excerpt;
  const found = lines.find((text) => Number(numbered.exec(text)?.[1]) === line);
  return (found === undefined ? lines : [found]).map((text) => text.replace(numbered, '')).join('\n');
}

/** Whether an excerpt says nothing of the code: a masked secret, or a stand-in that the tool writes for it. */
export function isMasked(excerpt: string): boolean {
  return /\*{4}|\bredacted\b|^requires login$/i.test(excerpt.trim());
}

/**
 * A tool's fingerprint without its parts that number alike results, as in `39fa2ee9:1`, and without columns; null when it names the
 * line, as `path:rule:12` does, or nothing is left.
 */
export function foldFingerprint(
  fingerprint: string | null,
  { path = '', startLine = 0 }: ItemLocation,
): string | null {
  if (fingerprint === null) return null;
  const isReadable = path !== '' && fingerprint.includes(path);
  if (isReadable && fingerprint.split(/[^A-Za-z0-9]+/).includes(String(startLine))) return null;
  const folded = fingerprint
    .replace(/\["[^"]*","\d{1,6}"\],?/g, '')
    .replace(/(?<=[0-9a-f]{6})[:_]\d{1,5}(?="|$)/gi, '');
  return /^(?:\W*|requires login)$/.test(folded) ? null : folded;
}

/** A message without numbers, without the folders of absolute paths and without the result's own file. */
export function foldMessage(message: string, { path = '' }: Pick<ItemLocation, 'path'>): string {
  const text = message.length > maxMessageLength ? message.slice(0, maxMessageLength) : message;
  if (path === '') return foldText(text);
  const file = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  if (!text.includes(file)) return foldText(text);
  const nameless = text.replaceAll(path, '');
  return foldText(file.length > 2 ? nameless.replaceAll(file, '') : nameless);
}

const foldText = memoize((message) => {
  let text = message;
  if (/[\\/]/.test(text))
    text = text.replace(/(?<![\w:/.\\-])(?:file:\/\/|[A-Za-z]:[\\/]|\/)(?:[^\s\\/'"`<>|]+[\\/])+/g, '');
  if (/\d/.test(text))
    text = text.replace(/\b0x[\da-f]+\b|(?<![A-Za-z_\d])\d(?:[\d,:]*\.\w[\w.+~:-]*|[\d.,:]*)/gi, '#');
  return text.replace(/\s+/g, ' ').trim();
});
