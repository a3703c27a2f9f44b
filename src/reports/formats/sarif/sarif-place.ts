// The places of a SARIF result: each of its locations as a path with a region, a URL or a component.
import type { ItemLocation } from '../../item.js';
import { pathFromUri } from '../../paths.js';
import { objectOf, objectsOf } from '../../text.js';
import type { Json, SarifRun } from './sarif-runs.js';

/** A place and the code that the report shows of it. */
export interface SarifPlace {
  location: ItemLocation | null;
  snippet: string | null;
}

/** The places of a result or notification; one without any location where there is none. */
export function placesOf(run: SarifRun, result: Json): SarifPlace[] {
  const locations = objectsOf(result.locations);
  const target = objectOf(result.analysisTarget);
  if (locations.length === 0) {
    const location = target === undefined ? {} : addressOf(run, target);
    return [{ location: Object.keys(location).length === 0 ? null : location, snippet: null }];
  }
  return locations.map((location) => placeOf(run, location, target));
}

function placeOf(run: SarifRun, place: Json, target: Json | undefined): SarifPlace {
  const physical = objectOf(place.physicalLocation);
  const [logical] = objectsOf(place.logicalLocations);
  const artifact = objectOf(physical?.artifactLocation);
  const region = objectOf(physical?.region);
  const address = addressOf(run, artifact ?? target);
  const location =
    artifact === undefined || region === undefined ? { ...address } : withLines(address, region);
  const name = logical?.fullyQualifiedName ?? logical?.name;
  if (Object.keys(address).length === 0 && typeof name === 'string') location.component = name;
  const snippet =
    objectOf(region?.snippet)?.text ?? objectOf(objectOf(physical?.contextRegion)?.snippet)?.text;
  return {
    location,
    snippet: typeof snippet === 'string' && snippet.trim() !== '' ? snippet : null,
  };
}

// Addresses by base and spelling: the results of one file name it again and again.
const addressesOf = new WeakMap<SarifRun, Map<unknown, Map<unknown, ItemLocation>>>();
const maxAddresses = 20_000;

function addressOf(run: SarifRun, artifact: Json | undefined): ItemLocation {
  if (artifact === undefined) return {};
  const { uri, uriBaseId, index } = artifact;
  if (typeof uri === 'string' && uri.length > 1000) return findAddress(run, artifact);
  let bases = addressesOf.get(run);
  if (bases === undefined || bases.size > 100) {
    bases = new Map();
    addressesOf.set(run, bases);
  }
  let addresses = bases.get(uriBaseId);
  if (addresses === undefined || addresses.size >= maxAddresses) {
    addresses = new Map();
    bases.set(uriBaseId, addresses);
  }
  const key = uri ?? index;
  let address = addresses.get(key);
  if (address === undefined) {
    address = findAddress(run, artifact);
    addresses.set(key, address);
  }
  return address;
}

function findAddress(run: SarifRun, artifact: Json): ItemLocation {
  const indexed = typeof artifact.index === 'number' ? run.artifacts[artifact.index] : undefined;
  const uri = resolve(run, typeof artifact.uri === 'string' ? artifact : indexed);
  if (uri === undefined || uri === '') return {};
  if (/^https?:\/\//i.test(uri) && URL.canParse(uri)) return { url: uri, host: new URL(uri).host };
  const path = pathFromUri(withoutRoot(run, uri));
  return path === '' ? {} : { path };
}

/** The artifact's URI with its bases put in front, up to a checkout's root, a base without a URI, or an absolute one. */
function resolve(run: SarifRun, artifact: Json | undefined, levels = 20): string | undefined {
  if (typeof artifact?.uri !== 'string') return undefined;
  const uri = artifact.uri.trim();
  const { uriBaseId } = artifact;
  const base = typeof uriBaseId === 'string' ? objectOf(run.bases[uriBaseId]) : undefined;
  const isRoot = run.provenance.some(({ mappedTo }) => objectOf(mappedTo)?.uriBaseId === uriBaseId);
  if (base === undefined || isRoot || levels === 0 || /^[a-z][a-z0-9+.-]+:/i.test(uri)) return uri;
  const parent = resolve(run, base, levels - 1);
  // A base that is the root of the file system, as Trivy writes it, places nothing.
  if (parent === undefined || parent === '' || /^file:\/*$/i.test(parent)) return uri;
  return `${parent.endsWith('/') ? parent : `${parent}/`}${uri}`;
}

/** An absolute address relative to the checkout or the tool's working directory, if it lies in one. */
function withoutRoot(run: SarifRun, uri: string): string {
  const root = rootsOf(run).find((folder) => uri.startsWith(folder));
  return root === undefined ? uri : uri.slice(root.length) || '.';
}

const rootsByRun = new WeakMap<SarifRun, string[]>();

/** The folders of the checkout and of the tool, with a slash at the end; the root of the file system is none. */
function rootsOf(run: SarifRun): string[] {
  const known = rootsByRun.get(run);
  if (known !== undefined) return known;
  const folders = [
    ...run.provenance.flatMap(({ mappedTo }) => checkoutOf(run, objectOf(mappedTo)) ?? []),
    ...run.invocations.flatMap(({ workingDirectory }) => resolve(run, objectOf(workingDirectory)) ?? []),
  ];
  const roots = [...new Set(folders.map((folder) => (folder.endsWith('/') ? folder : `${folder}/`)))];
  const usable = roots.filter((root) => !/^(file:)?\/*$/i.test(root)).slice(0, 100);
  rootsByRun.set(run, usable);
  return usable;
}

function checkoutOf(run: SarifRun, mappedTo: Json | undefined): string | undefined {
  if (mappedTo === undefined) return undefined;
  const base = typeof mappedTo.uriBaseId === 'string' ? objectOf(run.bases[mappedTo.uriBaseId]) : undefined;
  const root = base === undefined ? '' : (resolve(run, base) ?? '');
  return `${root}${typeof mappedTo.uri === 'string' ? mappedTo.uri : ''}` || undefined;
}

function withLines(address: ItemLocation, region: Json): ItemLocation {
  const lineOf = (value: unknown) => (typeof value === 'number' ? value : undefined);
  return {
    path: address.path,
    url: address.url,
    host: address.host,
    startLine: lineOf(region.startLine),
    startColumn: lineOf(region.startColumn),
    endLine: lineOf(region.endLine),
    endColumn: lineOf(region.endColumn),
  };
}
