// The part of a row that both VEX formats read: the vulnerability, the component and the decision.
import { copyNull, listOf, textOf } from '../../../infra/postgres/bulk/copy-text.js';
import type { ItemLocation } from '../../../reports/item.js';
import type { ExportRow } from '../export.rows.js';
import { type Package, packageOf } from './purl.js';

/** The subject of a VEX. */
export interface VexOptions {
  /** The author of the statements. */
  author: string;
  /** The product as an IRI, a package URL say; the target unless given. */
  product: string | undefined;
  /** Whether the findings are absent: no scan sees them any more. */
  areAbsent: boolean;
  /** Whether all results of one execution were asked for, so that an import of the file may close findings. */
  isWhole: boolean;
  /** The time of the document. */
  at: Date;
}

/** Ids of a row's vulnerability, the CVE first; none for a result that is no known vulnerability. */
export function idsOf({ cveIds, vulnerabilityIds }: ExportRow): readonly string[] {
  if (vulnerabilityIds === '{}') return listOf(cveIds);
  return [...listOf(cveIds), ...listOf(vulnerabilityIds)];
}

/** The package of a row's component; null where it names none. */
export function componentOf({ location, tool, tags }: ExportRow): Package | null {
  if (location === copyNull) return null;
  const { component } = JSON.parse(textOf(location) ?? '{}') as ItemLocation;
  return component === undefined ? null : packageOf(component, textOf(tool), listOf(tags));
}

/** The publisher of a vulnerability's id, by the names that Dependency-Track uses. */
export function sourceOf(id: string): { name: string; url?: string } {
  if (id.startsWith('CVE-')) return { name: 'NVD', url: `https://nvd.nist.gov/vuln/detail/${id}` };
  if (id.startsWith('GHSA-')) return { name: 'GITHUB', url: `https://github.com/advisories/${id}` };
  return { name: /^[A-Za-z0-9]+/.exec(id)?.[0] ?? id };
}
