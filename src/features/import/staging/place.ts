// Makes the paths of a report comparable across runs: relative to the checkout, and under the prefix that the caller names.
import type { ReportItem } from '../../../reports/item.js';
import { createNotes } from '../../../reports/notes.js';
import type { OpenReport } from '../../../reports/read-report.js';
import { createRootFinder } from '../../finding/identity/keys.js';

/** A path that depends on where the checkout lies: of a file system's root, a drive or a share. */
const absolute = /^(?:\/|[A-Za-z]:[\\/]|\\\\|file:)/;

/** Places what a report names. */
export interface Place {
  item: (item: ReportItem) => ReportItem;
  path: (path: string) => string;
}

/**
 * Looks through the report for the folder that all absolute paths have in common, and returns what places its results. A
 * report without absolute paths is not read for it beyond the first of its paths.
 * @throws VALIDATION_FAILED with the place of a fault
 */
export async function createPlacer(report: OpenReport, pathPrefix: string | null): Promise<Place> {
  const root = await findRoot(report);
  const prefix = pathPrefix === null ? '' : `${pathPrefix.replace(/\/+$/, '')}/`;
  const path = (given: string) => placed(given, root, prefix);
  if (root === '' && prefix === '') return { item: (item) => item, path };
  const item = (given: ReportItem) => {
    const { location } = given;
    if (location?.path === undefined) return given;
    return { ...given, location: { ...location, path: path(location.path) } };
  };
  return { item, path };
}

async function findRoot(report: OpenReport): Promise<string> {
  const finder = createRootFinder();
  let isNeeded = false;
  for await (const items of report.read(createNotes())) {
    for (const { location } of items) {
      if (location?.path === undefined) continue;
      if (!isNeeded && !absolute.test(location.path)) return '';
      isNeeded = true;
      finder.see(location.path);
    }
  }
  return finder.root();
}

function placed(path: string, root: string, prefix: string): string {
  const relative =
    root !== '' && path.startsWith(root) ? path.slice(root.length).replace(/^[\\/]+/, '') : path;
  return absolute.test(relative) ? relative : `${prefix}${relative}`;
}
