// Finds the folder of the checkout in the absolute paths of a report, so that a report of another checkout names the same files.
import { pathFromUri } from '../../../reports/paths.js';
import { isAbsolute } from './normalise.js';

/** Folders of a system, whose files are nobody's checkout: headers, toolchains, libraries. */
const system =
  /^(?:\/(?:usr\/(?!src\/)|nix\/store\/|Library\/|Applications\/|proc\/|etc\/|lib(?:32|64)?\/)|[A-Za-z]:\/(?:Program Files|Windows)\b)/i;

/** Checkouts of well-known runners, up to their end. */
const runners = [
  /^\/home\/runner\/work\/[^/]+\/[^/]+\//,
  /^\/github\/workspace\//,
  /^\/home\/vsts\/work\/\d+\/s\//,
  /^\/builds\/[^/]+\/[^/]+\//,
  /^\/opt\/atlassian\/pipelines\/agent\/build\//,
  /^\/home\/circleci\/(?:project|repo)\//,
  /^\/var\/(?:lib\/jenkins|jenkins_home)\/workspace\/[^/]+\//,
];

/** Folders that lie in a checkout rather than above one. */
const inner = new Set(
  (
    '.github app apps bench bin build charts cmd config deploy dist docs examples include infra internal lib libs ' +
    'modules packages pkg public scripts spec src terraform test tests tools vendor web'
  ).split(' '),
);

/** Collects the paths of one report. */
export interface RootFinder {
  /** Takes a path into account; relative ones say nothing. */
  see: (path: string) => void;
  /** The checkout's folder as it stands in the paths, with its last slash; empty when there is none. */
  root: () => string;
}

/** Creates a finder of the folder that the absolute paths of one report have in common; it holds one text, however many paths it sees. */
export function createRootFinder(): RootFinder {
  let common: string | undefined;
  return {
    see(path) {
      if (!isAbsolute(path)) return;
      const local = /^file:/i.test(path) ? pathFromUri(path) : path;
      if (common !== undefined && common !== '' && local.startsWith(common)) return;
      if (system.test(slashed(local))) return;
      common = common === undefined ? folderOf(local) : commonFolder(common, local);
    },
    root: () => (common === undefined ? '' : checkoutIn(common)),
  };
}

function slashed(path: string): string {
  return path.replaceAll('\\', '/');
}

function folderOf(path: string): string {
  return path.slice(0, slashed(path).lastIndexOf('/') + 1);
}

function commonFolder(a: string, b: string): string {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return folderOf(a.slice(0, length));
}

/**
 * The checkout that a common folder lies in. Findings of one folder alone must not make that folder the root: the folder of a
 * well-known runner ends it, otherwise the first folder that lies in a checkout by its name, such as `src`.
 */
function checkoutIn(folder: string): string {
  const path = slashed(folder);
  for (const runner of runners) {
    const found = runner.exec(path)?.[0];
    if (found !== undefined) return folder.slice(0, found.length);
  }
  const parts = path.split('/');
  const isHome = /^(?:|[A-Za-z]:)\/(?:home|users)\//i.test(path);
  const end = parts.findIndex((part, index) => index >= (isHome ? 4 : 3) && inner.has(part.toLowerCase()));
  if (end !== -1) return folder.slice(0, parts.slice(0, end).join('/').length + 1);
  return /^(?:\/+|[A-Za-z]:\/)$/.test(path) ? '' : folder;
}
