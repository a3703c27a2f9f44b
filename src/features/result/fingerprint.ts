// Computes the identity of a finding: the same for the same tool, rule, place and title on any line.
import { createHash } from 'node:crypto';
import type { LocationInput, ResultInput } from './result.input.js';

/** Changes whenever the recipe does, so that old and new fingerprints are never mixed up. */
const version = 'v1';

/**
 * `v1:` and 128 bits of SHA-256 over tool, rule, normalised location (no lines, no query string, no package
 * version, lower-case host) and title.
 */
export function computeFingerprint(
  tool: string | null,
  result: Pick<ResultInput, 'ruleId' | 'title'> & { location?: LocationInput | null | undefined },
): string {
  const { path, url, method, parameter, component, host } = result.location ?? ({} as LocationInput);
  const parts = [
    tool?.toLowerCase(),
    result.ruleId,
    path?.replaceAll('\\', '/').replace(/^(\.?\/)+/, ''),
    url == null ? null : normaliseUrl(url),
    method?.toUpperCase(),
    parameter,
    component?.replace(/(?<=.)@[^@/]+$/, ''),
    host?.toLowerCase(),
    result.title.toLowerCase().replace(/\s+/g, ' '),
  ];
  const text = JSON.stringify([version, ...parts.map((part) => part ?? null)]);
  return `${version}:${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function normaliseUrl(text: string): string {
  if (!URL.canParse(text)) return text;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}
