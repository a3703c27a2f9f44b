// Where a SARIF result is: its first location as path and region, URL or component. Messages and rules are elsewhere.

/** @typedef {Record<string, any>} Json */

const maxInt = 2_147_483_647;

/**
 * @param {Json} run @param {Json} result
 * @returns {{ location: Json | undefined, snippet: string | undefined }} a LocationInput, and the code that it shows
 */
export function placeOf(run, result) {
  const [first] = Array.isArray(result.locations) ? result.locations : [];
  const { artifactLocation, region, contextRegion } = first?.physicalLocation ?? {};
  const [logical] = Array.isArray(first?.logicalLocations) ? first.logicalLocations : [];
  const where = addressOf(run, artifactLocation ?? result.analysisTarget);
  const component = short(logical?.fullyQualifiedName ?? logical?.name, 500);
  const lines = artifactLocation === undefined ? {} : linesOf(region ?? {});
  const location = { ...where, ...lines, ...(Object.keys(where).length === 0 && component && { component }) };
  const snippet = region?.snippet?.text ?? contextRegion?.snippet?.text;
  return {
    location: Object.keys(location).length === 0 ? undefined : location,
    snippet: typeof snippet === 'string' ? snippet : undefined,
  };
}

/** @param {Json} run @param {Json | undefined} artifact @returns {{ path?: string, url?: string, host?: string }} */
function addressOf(run, artifact) {
  const known = run.artifacts?.[artifact?.index]?.location;
  const uri = artifact?.uri === undefined ? resolve(run, known) : resolve(run, artifact);
  if (uri === undefined || uri === '') return {};
  if (/^https?:/i.test(uri) && URL.canParse(uri)) {
    const url = short(uri, 4000);
    return { ...(url && { url }), host: new URL(uri).host.slice(0, 500) };
  }
  const path = short(toPath(withoutRoot(run, uri)), 2000);
  return path === undefined ? {} : { path };
}

/**
 * The artifact's URI with its bases put in front, up to the root of the repository, a base without a URI, or an
 * absolute one.
 * @param {Json} run @param {Json | undefined} artifact @param {number} [depth]
 * @returns {string | undefined}
 */
function resolve(run, artifact, depth = 0) {
  if (typeof artifact?.uri !== 'string') return undefined;
  const uri = artifact.uri.trim();
  const baseId = artifact.uriBaseId;
  const base = run.originalUriBaseIds?.[baseId];
  const isRoot = roots(run).some((root) => root.uriBaseId === baseId);
  if (baseId === undefined || base === undefined || isRoot || depth > 20 || /^[a-z][a-z0-9+.-]+:/i.test(uri))
    return uri;
  const parent = resolve(run, base, depth + 1);
  if (parent === undefined || parent === '') return uri;
  return `${parent.endsWith('/') ? parent : `${parent}/`}${uri}`;
}

/** Where the log says that repositories were checked out. @param {Json} run @returns {Json[]} */
function roots(run) {
  const provenance = Array.isArray(run.versionControlProvenance) ? run.versionControlProvenance : [];
  return provenance.flatMap(({ mappedTo }) => (mappedTo === undefined ? [] : [mappedTo]));
}

/** An absolute address relative to the checkout or the tool's working directory, if it lies in one. */
function withoutRoot(/** @type {Json} */ run, /** @type {string} */ uri) {
  const invocations = Array.isArray(run.invocations) ? run.invocations : [];
  const checkouts = roots(run).map(({ uriBaseId, uri = '' }) => {
    const base = run.originalUriBaseIds?.[uriBaseId];
    return { ...base, uri: `${base?.uri ?? ''}${uri}` };
  });
  const folders = [...checkouts, ...invocations.map(({ workingDirectory }) => workingDirectory)];
  for (const folder of folders) {
    const root = resolve(run, folder)?.replace(/\/*$/, '/');
    if (root !== undefined && root !== '/' && uri.startsWith(root)) return uri.slice(root.length) || '.';
  }
  return uri;
}

/** A file: URI or relative reference (RFC 3986) as a path. @param {string} uri */
function toPath(uri) {
  const path = uri.replace(/^file:\/\/[^/]*\/(?=[a-z]:)/i, '').replace(/^file:(\/\/[^/]*)?/i, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** @param {Json} region @returns {Json} only what makes sense as a line or column */
function linesOf(region) {
  const names = ['startLine', 'startColumn', 'endLine', 'endColumn'];
  const isNumber = (/** @type {unknown} */ value) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxInt;
  return Object.fromEntries(names.flatMap((name) => (isNumber(region[name]) ? [[name, region[name]]] : [])));
}

/** One line, or nothing when it does not fit: half an address is none. @param {unknown} value @param {number} max */
function short(value, max) {
  if (typeof value !== 'string') return undefined;
  const line = value
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .toWellFormed()
    .trim()
    .normalize('NFC');
  return line === '' || line.length > max ? undefined : line;
}
