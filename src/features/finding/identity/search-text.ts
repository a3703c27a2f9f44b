// The text that a search finds a finding by.
import type { ReportItem } from '../../../reports/item.js';
import { foldForSearch, isAscii } from '../../../validation/search-text.js';

/**
 * Title, rule, place and ids, one per line, folded; '' where it follows from title, rule and path (see `searchedText`).
 * @param path as it is stored
 */
export function searchTextOf(item: ReportItem, path: string): string {
  const { title, ruleId, location, cveIds, vulnerabilityIds } = item;
  const { url, component, host, parameter } = location ?? {};
  const others = [url, component, host, parameter, ...cveIds, ...vulnerabilityIds];
  const isPlain = others.every((part) => part === undefined) && (location?.path ?? '') === path;
  const parts = [title, ruleId, location?.path, ...others];
  const text = parts.filter((part) => part != null).join('\n');
  return isPlain && isAscii(text) ? '' : foldForSearch(text);
}
